#include "net/socket.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstring>
#include <list>

#include "base/limits.h"

namespace minigrpc::net {

Socket::Socket(Handle handle) : handle_(std::move(handle)) {
  boost::system::error_code ignored;
  handle_.non_blocking(true, ignored);
  const int on = 1;  // fails for Unix sockets, which have no Nagle either
  setsockopt(handle_.native_handle(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

std::string error_text(int error) { return boost::system::system_category().message(error); }

namespace {
Socket::IoResult result_of(ssize_t size) {
  if (size >= 0) return {Socket::IoState::kDone, static_cast<std::size_t>(size)};
  if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR) return {Socket::IoState::kWouldBlock};
  return {Socket::IoState::kClosed, 0, errno};
}
}  // namespace

Socket::IoResult Socket::receive(std::span<std::byte> buffer) {
  const IoResult result = result_of(::recv(handle_.native_handle(), buffer.data(), buffer.size(), 0));
  if (result.state == IoState::kDone && result.size == 0) return {IoState::kClosed};
  return result;
}

Socket::IoResult Socket::send(std::span<const std::byte> bytes) {
  return result_of(::send(handle_.native_handle(), bytes.data(), bytes.size(), MSG_NOSIGNAL));
}

void Socket::set_user_timeout(std::chrono::milliseconds timeout) {
  const unsigned value = static_cast<unsigned>(std::clamp<std::int64_t>(timeout.count(), 0, INT_MAX));
  setsockopt(handle_.native_handle(), IPPROTO_TCP, TCP_USER_TIMEOUT, &value, sizeof value);
}

void Socket::shutdown_send() {
  boost::system::error_code ignored;
  handle_.shutdown(Handle::shutdown_send, ignored);
}

void Socket::close() {
  boost::system::error_code ignored;
  handle_.close(ignored);
}

std::optional<SocketAddress> Socket::local_address() const {
  boost::system::error_code error;
  const SocketAddress own = handle_.local_endpoint(error);
  if (error) return std::nullopt;
  const SocketAddress other = handle_.remote_endpoint(error);
  return !error && is_in_process(other) ? other : own;
}

std::optional<SocketAddress> Socket::peer_address() const {
  boost::system::error_code error;
  const SocketAddress other = handle_.remote_endpoint(error);
  if (error) return std::nullopt;
  const SocketAddress own = handle_.local_endpoint(error);
  return !error && is_in_process(own) ? own : other;
}

std::string Socket::peer() const {
  const std::optional<SocketAddress> address = peer_address();
  return address ? to_string(*address) : "unknown";
}

namespace {

template <class T>
bool get_option(int descriptor, int level, int name, T& value) {
  socklen_t size = sizeof value;
  return getsockopt(descriptor, level, name, &value, &size) == 0;
}

std::chrono::nanoseconds timeout_of(int descriptor, int name) {
  timeval value{};
  if (!get_option(descriptor, SOL_SOCKET, name, value)) return {};
  return std::chrono::seconds(value.tv_sec) + std::chrono::microseconds(value.tv_usec);
}

}  // namespace

SocketOptions Socket::options() const {
  const int descriptor = own_descriptor();
  SocketOptions options{.receive_timeout = timeout_of(descriptor, SO_RCVTIMEO),
                        .send_timeout = timeout_of(descriptor, SO_SNDTIMEO)};
  ::linger rest{};
  if (get_option(descriptor, SOL_SOCKET, SO_LINGER, rest) && rest.l_onoff != 0)
    options.linger = std::chrono::seconds(rest.l_linger);
  unsigned user_timeout_ms = 0;
  if (get_option(descriptor, IPPROTO_TCP, TCP_USER_TIMEOUT, user_timeout_ms))
    options.user_timeout = std::chrono::milliseconds(user_timeout_ms);
  tcp_info tcp{};
  if (get_option(descriptor, IPPROTO_TCP, TCP_INFO, tcp)) options.tcp = tcp;
  return options;
}

bool Socket::peer_is_this_process() const {
  ucred peer{};
  return get_option(own_descriptor(), SOL_SOCKET, SO_PEERCRED, peer) && peer.pid == ::getpid();
}

namespace {

// The families in turn, each in its own order, beginning with that of the first address.
std::vector<SocketAddress> interleave(std::vector<SocketAddress> addresses) {
  if (addresses.empty()) return addresses;
  const int first = addresses.front().data()->sa_family;
  const auto middle = std::stable_partition(addresses.begin(), addresses.end(), [first](const SocketAddress& address) {
    return address.data()->sa_family == first;
  });
  std::vector<SocketAddress> mixed;
  auto a = addresses.begin();
  auto b = middle;
  while (a != middle || b != addresses.end()) {
    if (a != middle) mixed.push_back(*a++);
    if (b != addresses.end()) mixed.push_back(*b++);
  }
  return mixed;
}

// One connection attempt over several addresses. Keeps itself alive through its pending handlers.
class Attempt : public std::enable_shared_from_this<Attempt> {
 public:
  Attempt(Loop& loop, std::vector<SocketAddress> addresses, ConnectDone done)
      : loop_(loop),
        timer_(loop.io()),
        stagger_(loop.io()),
        addresses_(interleave(std::move(addresses))),
        done_(std::move(done)) {}

  void start(TimePoint deadline) {
    timer_.expires_at(deadline);
    timer_.async_wait([self = shared_from_this()](const boost::system::error_code& error) {
      if (!error)
        self->finish(Status(StatusCode::kDeadlineExceeded, "connecting to " + self->current_ + " took too long"));
    });
    next();
  }

  void cancel() {
    done_ = nullptr;
    close();
  }

 private:
  using Handles = std::list<Socket::Handle>;

  void next() {
    stagger_.cancel();
    if (index_ == addresses_.size()) {
      if (handles_.empty()) finish(std::move(failure_));
      return;
    }
    const SocketAddress& address = addresses_[index_++];
    current_ = to_string(address);
    const auto handle = handles_.emplace(handles_.end(), loop_.io());
    handle->async_connect(address, [self = shared_from_this(), handle,
                                    address](const boost::system::error_code& error) {
      self->connected(handle, address, error);
    });
    if (index_ == addresses_.size()) return;
    stagger_.expires_after(limits::kConnectStagger);
    stagger_.async_wait([self = shared_from_this()](const boost::system::error_code& error) {
      if (!error && self->done_) self->next();
    });
  }

  void connected(Handles::iterator handle, const SocketAddress& address, const boost::system::error_code& error) {
    if (!done_) return;
    Socket::Handle connected = std::move(*handle);
    handles_.erase(handle);
    if (error) return failed(address, error.message());
    Socket socket(std::move(connected));
    if (is_in_process(address) && !socket.peer_is_this_process()) return failed(address, "another process serves it");
    finish(std::move(socket));
  }

  void failed(const SocketAddress& address, const std::string& why) {
    failure_ = Status(StatusCode::kUnavailable, "cannot connect to " + to_string(address) + ": " + why);
    next();
  }

  void finish(Result<Socket> result) {
    if (!done_) return;
    ConnectDone done = std::exchange(done_, nullptr);
    close();
    done(std::move(result));
  }

  // The handlers of what is closed still come, and find no `done_`.
  void close() {
    timer_.cancel();
    stagger_.cancel();
    boost::system::error_code ignored;
    for (Socket::Handle& handle : handles_) handle.close(ignored);
  }

  Loop& loop_;
  boost::asio::steady_timer timer_;
  boost::asio::steady_timer stagger_;
  std::vector<SocketAddress> addresses_;
  std::size_t index_ = 0;
  Handles handles_;  // the attempts under way
  std::string current_;
  Status failure_{StatusCode::kUnavailable, "no address to connect to"};
  ConnectDone done_;
};

}  // namespace

std::function<void()> connect(Loop& loop, std::vector<SocketAddress> addresses, TimePoint deadline, ConnectDone done) {
  auto attempt = std::make_shared<Attempt>(loop, std::move(addresses), std::move(done));
  attempt->start(deadline);
  return [weak = std::weak_ptr(attempt)] {
    if (auto alive = weak.lock()) alive->cancel();
  };
}

}  // namespace minigrpc::net
