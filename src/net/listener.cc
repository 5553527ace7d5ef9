#include "net/listener.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/limits.h"

namespace minigrpc::net {

namespace {

Status system_failure(StatusCode code, const std::string& what) {
  return Status(code, what + ": " + std::strerror(errno));
}

// A socket file whose process is gone refuses connections: it may be replaced. A living one must not be.
bool is_stale(const SocketAddress& address, const std::string& path) {
  struct stat info {};
  if (path.empty() || path.starts_with('@') || ::lstat(path.c_str(), &info) != 0 || !S_ISSOCK(info.st_mode)) return false;
  const int probe = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (probe < 0) return false;
  const bool refused = ::connect(probe, address.data(), static_cast<socklen_t>(address.size())) != 0 &&
                       errno == ECONNREFUSED;
  ::close(probe);
  return refused;
}

}  // namespace

Listener::Listener(Loop& loop) : acceptor_(loop.io()), retry_(loop.io()) {}

Result<std::shared_ptr<Listener>> Listener::open(Loop& loop, const Address& address) {
  Result<std::vector<SocketAddress>> addresses = resolve_address(address);
  if (!addresses) return Status(StatusCode::kInvalidArgument, addresses.error().message());
  auto listener = std::shared_ptr<Listener>(new Listener(loop));
  listener->unix_path_ = address.path;
  listener->in_process_ = address.in_process;
  if (Status bound = listener->bind(addresses->front()); !bound.ok()) return bound;
  return listener;
}

Status Listener::bind(const SocketAddress& address) {
  const std::string name = to_string(address);
  const int family = address.data()->sa_family;
  const int descriptor = ::socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (descriptor < 0) return system_failure(StatusCode::kUnavailable, "cannot open a socket for " + name);
  const int on = 1;
  const int off = 0;
  ::setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (family == AF_INET6) ::setsockopt(descriptor, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
  if (is_stale(address, unix_path_)) ::unlink(unix_path_.c_str());
  if (::bind(descriptor, address.data(), static_cast<socklen_t>(address.size())) != 0 ||
      ::listen(descriptor, limits::kListenBacklog) != 0) {
    const bool in_use = errno == EADDRINUSE;
    Status failure = in_use ? Status(StatusCode::kUnavailable, "cannot listen on " + name + ": address already in use")
                            : system_failure(StatusCode::kInvalidArgument, "cannot listen on " + name);
    ::close(descriptor);
    return failure;
  }
  acceptor_.assign(boost::asio::generic::stream_protocol(family, family == AF_UNIX ? 0 : IPPROTO_TCP), descriptor);
  bound_ = acceptor_.local_endpoint();
  return Status();
}

std::uint16_t Listener::port() const {
  const sockaddr* const bound = bound_.data();
  if (bound->sa_family == AF_INET) return ntohs(reinterpret_cast<const sockaddr_in*>(bound)->sin_port);
  if (bound->sa_family == AF_INET6) return ntohs(reinterpret_cast<const sockaddr_in6*>(bound)->sin6_port);
  return 0;
}

void Listener::start(std::vector<Loop*> targets, Accepted accepted) {
  targets_ = std::move(targets);
  accepted_ = std::move(accepted);
  accept_next();
}

void Listener::close() {
  boost::system::error_code ignored;
  acceptor_.close(ignored);
  retry_.cancel();
  accepted_ = nullptr;
  if (!unix_path_.empty() && !unix_path_.starts_with('@')) ::unlink(unix_path_.c_str());
  unix_path_.clear();
}

void Listener::accept_next() {
  Loop& target = *targets_[next_target_];
  next_target_ = (next_target_ + 1) % targets_.size();
  // The accepted socket belongs to the target's reactor from its first moment.
  auto handle = std::make_shared<Socket::Handle>(target.io());
  acceptor_.async_accept(*handle, [self = shared_from_this(), handle, &target](const boost::system::error_code& error) {
    self->on_accept(error, std::move(*handle), target);
  });
}

void Listener::on_accept(const boost::system::error_code& error, Socket::Handle handle, Loop& target) {
  if (!accepted_) return;
  if (!error) {
    auto shared = std::make_shared<Socket>(std::move(handle));
    if (in_process_ && !shared->peer_is_this_process()) return accept_next();
    target.post([accepted = accepted_, shared, &target] { accepted(target, std::move(*shared)); });
  }
  if (!error || error == boost::asio::error::connection_aborted) return accept_next();
  // No descriptor or memory left: what has been accepted goes on, and may free some.
  retry_.expires_after(limits::kAcceptRetryDelay);
  retry_.async_wait([self = shared_from_this()](const boost::system::error_code& cancelled) {
    if (!cancelled && self->accepted_) self->accept_next();
  });
}

}  // namespace minigrpc::net
