#include <minigrpc/server.h>

#include "net/address.h"
#include "rpc/arrival.h"
#include "rpc/other_protocol.h"
#include "rpc/pages.h"
#include "rpc/server_connection.h"
#include "rpc/server_impl.h"

namespace minigrpc {

namespace rpc {

ServerImpl::ServerImpl(Runtime& runtime, const ServerOptions& options) : runtime_(runtime), options_(options) {
  std::vector<const channelz::CallCounters*> calls;
  for (auto& loop : runtime.impl().loops()) {
    shares_.push_back(std::make_unique<LoopShare>(*loop));
    calls.push_back(&shares_.back()->calls);
  }
  entity_ = std::make_unique<channelz::Group>(channelz::Kind::kServer, "", std::move(calls), net::Loop::now());
  channelz().join(*entity_, nullptr);
}

ServerImpl::~ServerImpl() = default;

void ServerImpl::count(std::uint64_t ServerCounters::*what) {
  std::lock_guard lock(counters_mutex_);
  ++(counters_.*what);
}

ServerCounters ServerImpl::counters() const {
  std::lock_guard lock(counters_mutex_);
  return counters_;
}

void ServerImpl::set_other_protocol(std::unique_ptr<OtherProtocol> other) {
  std::lock_guard lock(mutex_);
  detail::require(listeners_.empty(), "set_other_protocol() after listen()");
  other_protocol_ = std::move(other);
  pages_ = nullptr;
}

void ServerImpl::add_page(std::string path, std::function<Page()> make) {
  detail::require(path.starts_with('/') && path.find('?') == std::string::npos,
                  "a page's path is \"/…\", without a query");
  std::lock_guard lock(mutex_);
  detail::require(listeners_.empty(), "Server::add_page() after listen()");
  if (pages_ == nullptr) {
    auto pages = std::make_unique<Pages>();
    pages_ = pages.get();
    other_protocol_ = std::move(pages);
  }
  pages_->add(std::move(path), std::move(make));
}

void ServerImpl::add(Service& service) {
  std::lock_guard lock(mutex_);
  detail::require(listeners_.empty(), "Server::add() after listen()");
  services_.insert(service.service_name());
  for (const Service::Method& method : service.service_methods())
    methods_[method.descriptor.path] = {&service, &method};
}

const BoundMethod* ServerImpl::find(std::string_view path) const {
  const auto found = methods_.find(path);
  return found != methods_.end() ? &found->second : nullptr;
}

Result<std::uint16_t> ServerImpl::listen(std::string_view text, const ServerCredentials& credentials) {
  Result<net::Address> address = net::parse_address(text);
  if (!address) return std::move(address).error();
  const std::shared_ptr<net::TlsContext> tls = credentials.impl();
  if (tls)
    if (const Result<net::SslContext> usable = tls->current(); !usable) return usable.error();
  net::Loop& loop = shares_.front()->loop;
  Result<std::shared_ptr<net::Listener>> opened = net::Listener::open(loop, *address);
  if (!opened) return std::move(opened).error();
  std::shared_ptr<net::Listener> listener = *opened;
  {
    std::lock_guard lock(mutex_);
    if (draining_) return Status(StatusCode::kFailedPrecondition, "the server is shutting down");
    listeners_.push_back(listener);
    listening_.push_back(std::make_unique<channelz::ListeningSocket>(listener->address()));
    channelz().join(*listening_.back(), entity_.get());
  }
  entity_->trace().add({.at = net::Loop::now(), .text = "listening on " + net::to_string(listener->address())});
  std::vector<net::Loop*> targets;
  for (auto& share : shares_) targets.push_back(&share->loop);
  loop.post([self = shared_from_this(), listener, targets, tls] {
    listener->start(targets, [self, tls](net::Loop& target, net::Socket socket) {
      self->accepted(target, std::move(socket), tls);
    });
  });
  return listener->port();
}

ServerImpl::LoopShare& ServerImpl::share_of(net::Loop& loop) {
  for (auto& share : shares_)
    if (&share->loop == &loop) return *share;
  detail::contract_violation("a connection on a foreign loop");
}

void ServerImpl::accepted(net::Loop& loop, net::Socket socket, const std::shared_ptr<net::TlsContext>& tls) {
  LoopShare& share = share_of(loop);
  if (share.draining) return socket.close();
  if (connections_.load(std::memory_order_relaxed) >= options_.connections_max) {
    count(&ServerCounters::connections_refused);
    return socket.close();
  }
  count(&ServerCounters::connections_accepted);
  if (options_.tcp_user_timeout.count() > 0) socket.set_user_timeout(options_.tcp_user_timeout);
  if (tls)
    std::make_shared<Arrival>(shared_from_this(), share)->start_tls(std::move(socket), tls);
  else if (other_protocol_)
    std::make_shared<Arrival>(shared_from_this(), share)->start(std::move(socket));
  else
    std::make_shared<ServerConnection>(shared_from_this(), share, net::Transport(std::move(socket)))->start();
}

void ServerImpl::drain() {
  std::vector<std::shared_ptr<net::Listener>> listeners;
  {
    std::lock_guard lock(mutex_);
    if (draining_) return;
    draining_ = true;
    busy_loops_ = shares_.size();
    listeners.swap(listeners_);
    listening_.clear();
  }
  entity_->trace().add({.at = net::Loop::now(), .text = "shutting down"});
  for (auto& share : shares_) {
    share->loop.post([self = shared_from_this(), share = share.get(), listeners] {
      if (share == self->shares_.front().get())
        for (const auto& listener : listeners) listener->close();
      share->draining = true;
      const std::vector<AcceptedConnection*> connections(share->connections.begin(), share->connections.end());
      for (AcceptedConnection* connection : connections)
        if (share->connections.contains(connection)) connection->drain();
      if (share->living == 0) self->report_idle(*share);
    });
  }
}

void ServerImpl::abort() {
  for (auto& share : shares_) {
    share->loop.post([self = shared_from_this(), share = share.get()] {
      const std::vector<AcceptedConnection*> connections(share->connections.begin(), share->connections.end());
      for (AcceptedConnection* connection : connections)
        if (share->connections.contains(connection)) connection->abort();
    });
  }
}

void ServerImpl::report_idle(LoopShare& share) {
  if (std::exchange(share.reported_idle, true)) return;
  // Who waits for it may let the server go at once, on another thread, while this one still leaves the lock.
  const auto keep = shared_from_this();
  std::lock_guard lock(mutex_);
  if (--busy_loops_ == 0) idle_.set();
}

}  // namespace rpc

Server::Server(Runtime& runtime, ServerOptions options)
    : runtime_(&runtime), impl_(std::make_shared<rpc::ServerImpl>(runtime, options)) {}

Server::~Server() {
  if (impl_->idle().is_set()) return;
  detail::require(net::Loop::current() == nullptr, "a running Server was destroyed on a loop: await shutdown() first");
  impl_->drain();
  impl_->abort();
  sync_wait(impl_->idle().wait());
}

void Server::add(Service& service) { impl_->add(service); }

void Server::add_page(std::string path, std::function<Page()> make) {
  impl_->add_page(std::move(path), std::move(make));
}

Result<std::uint16_t> Server::listen(std::string_view address, const ServerCredentials& credentials) {
  return impl_->listen(address, credentials);
}

ServerCounters Server::counters() const { return impl_->counters(); }

std::vector<std::string> Server::service_names() const {
  return {impl_->services().begin(), impl_->services().end()};
}

Task<void> Server::shutdown(std::chrono::nanoseconds grace) {
  const std::shared_ptr<rpc::ServerImpl> impl = impl_;
  Runtime& runtime = *runtime_;
  impl->drain();
  const TimePoint now = Runtime::now();
  const auto patience = std::chrono::duration_cast<TimePoint::duration>(grace);
  const TimePoint until = patience >= TimePoint::max() - now ? TimePoint::max() : now + patience;
  if (co_await impl->idle().wait_until(runtime, until)) co_return;
  impl->abort();
  co_await impl->idle().wait_uncancellable();
}

}  // namespace minigrpc
