#include "rpc/subchannel.h"

#include "net/address.h"
#include "net/tls_handshake.h"
#include "rpc/load_report.h"
#include "rpc/retry.h"

namespace minigrpc::rpc {

SubchannelImpl::SubchannelImpl(RuntimeImpl& runtime, net::Loop& loop, const ChannelOptions& options,
                       const std::string& server_name, Endpoint endpoint, Changed changed)
    : runtime_(runtime),
      loop_(loop),
      options_(options),
      server_name_(server_name),
      endpoint_(std::move(endpoint)),
      changed_(std::move(changed)),
      backoff_(options.backoff),
      keepalive_(options.keepalive),
      entity_(channelz::Kind::kSubchannel, endpoint_.address, {&tally_->calls}, net::Loop::now()) {}

SubchannelImpl::~SubchannelImpl() { loop_.disarm(*this); }

ChannelState SubchannelImpl::state() const {
  if (state_ != ChannelState::kReady) return state_;
  if (ejected_) return ChannelState::kTransientFailure;
  if (!health_request_ || health_ == ServerHealth::kServing) return ChannelState::kReady;
  return health_ == ServerHealth::kUnknown ? ChannelState::kConnecting : ChannelState::kTransientFailure;
}

void SubchannelImpl::set_state(ChannelState state) {
  state_ = state;
  tell();
}

void SubchannelImpl::tell() {
  entity_.set_state(state(), failure_, net::Loop::now());
  if (changed_) changed_(*this);
}

std::size_t SubchannelImpl::calls_in_flight() const {
  if (connection_ == nullptr) return 0;
  const std::size_t own = (health_watch_ && health_watch_->under_way() ? 1u : 0u) +
                          (load_watch_ && load_watch_->under_way() ? 1u : 0u);
  return connection_->h2().stream_count() - own;
}

// ---- whether a connection that is made may be used ----

void SubchannelImpl::check_health(std::optional<HealthWatch::Request> request) {
  const bool same = request.has_value() == health_request_.has_value() &&
                    (!request || request->service == health_request_->service);
  if (same) return;
  const ChannelState before = state();
  health_request_ = std::move(request);
  health_watch_.reset();
  health_ = ServerHealth::kUnknown;
  if (state_ == ChannelState::kReady) start_health_watch();
  if (state() != before) tell();
}

void SubchannelImpl::start_health_watch() {
  if (!health_request_) return;
  health_ = ServerHealth::kUnknown;
  health_watch_ = std::make_unique<HealthWatch>(
      loop_, *connection_, *health_request_, options_.backoff,
      [this](ServerHealth health, const Status& why) { on_health(health, why); });
}

void SubchannelImpl::on_health(ServerHealth health, const Status& why) {
  const auto keep = shared_from_this();
  const ChannelState before = state();
  health_ = health;
  if (!why.ok()) failure_ = why;
  if (state() != before) tell();
}

void SubchannelImpl::watch_load(std::optional<ServerWatch::Request> request) {
  const bool same = request.has_value() == load_request_.has_value() &&
                    (!request || request->message == load_request_->message);
  if (same) return;
  load_request_ = std::move(request);
  load_watch_.reset();
  if (state_ == ChannelState::kReady) start_load_watch();
}

void SubchannelImpl::start_load_watch() {
  if (!load_request_) return;
  const auto heard = [tally = tally_](std::string_view answer) {
    std::optional<LoadReport> report = parse_load_report(answer);
    if (!report) return;
    report->received_at = net::Loop::now();
    tally->load = std::move(report);
  };
  load_watch_ =
      std::make_unique<ServerWatch>(loop_, *connection_, *load_request_, options_.backoff,
                                    ServerWatch::Listener{.heard = heard, .ended = [](const Status&) {}});
}

void SubchannelImpl::end_watches() {
  health_watch_.reset();
  load_watch_.reset();
}

void SubchannelImpl::set_ejected(bool ejected) {
  const ChannelState before = state();
  ejected_ = ejected;
  if (ejected)
    failure_ = Status(StatusCode::kUnavailable, endpoint_.address + " is ejected: its calls fail more than others");
  if (state() != before) tell();
}

void SubchannelImpl::retire() {
  if (state_ != ChannelState::kReady) return;
  const auto keep = shared_from_this();
  end_watches();
  const auto connection = std::exchange(connection_, nullptr);
  connection->disown();
  connection->drain();
  set_state(ChannelState::kIdle);
}

// ---- connecting ----

void SubchannelImpl::connect() {
  if (state_ == ChannelState::kConnecting || state_ == ChannelState::kReady || state_ == ChannelState::kShutdown) return;
  if (net::Loop::now() < retry_at_) {
    wanted_ = true;
    if (!armed()) loop_.arm(*this, retry_at_);
    return;
  }
  attempt();
}

void SubchannelImpl::on_timer() noexcept {
  if (std::exchange(wanted_, false)) connect();
}

void SubchannelImpl::attempt() {
  loop_.disarm(*this);
  wanted_ = false;
  attempted_at_ = net::Loop::now();
  attempt_deadline_ = later(attempted_at_, options_.connect_timeout);
  set_state(ChannelState::kConnecting);
  ++attempts_;
  Result<net::Address> address = net::parse_address(endpoint_.address);
  if (!address) {
    // Later, not here: without a pause, whoever hears of it connects again at once.
    auto bad = std::make_shared<Status>(StatusCode::kUnavailable, address.error().message());
    loop_.post([weak = weak_from_this(), attempt = attempts_, bad] {
      if (const auto self = weak.lock()) self->resolved_later(*bad, attempt);
    });
    return;
  }
  std::vector<net::SocketAddress> literal = net::literal_addresses(*address);
  if (!literal.empty()) return resolved(std::move(literal));
  // A name inside a registry's entry: looked up off the loop.
  runtime_.workers().submit([weak = weak_from_this(), &loop = loop_, name = *address, attempt = attempts_] {
    auto found = std::make_shared<Result<std::vector<net::SocketAddress>>>(net::resolve_address(name));
    loop.post([weak, found, attempt] {
      if (const auto self = weak.lock()) self->resolved_later(std::move(*found), attempt);
    });
  });
}

void SubchannelImpl::resolved_later(Result<std::vector<net::SocketAddress>> addresses, std::uint64_t attempt) {
  if (state_ == ChannelState::kConnecting && attempt == attempts_) resolved(std::move(addresses));
}

void SubchannelImpl::resolved(Result<std::vector<net::SocketAddress>> addresses) {
  if (!addresses) return failed(std::move(addresses).error());
  cancel_connect_ = net::connect(loop_, *std::move(addresses), attempt_deadline_,
                                 [weak = weak_from_this()](Result<net::Socket> socket) {
    if (const auto self = weak.lock()) self->connected(std::move(socket));
  });
}

void SubchannelImpl::connected(Result<net::Socket> socket) {
  cancel_connect_ = nullptr;
  if (!socket) return failed(std::move(socket).error());
  if (options_.tcp_user_timeout.count() > 0) socket->set_user_timeout(options_.tcp_user_timeout);
  if (!options_.credentials.is_tls()) return use(net::Transport(*std::move(socket)));
  cancel_connect_ = net::handshake(loop_, *std::move(socket), options_.credentials.impl(), {.server_name = server_name_},
                                   attempt_deadline_, [weak = weak_from_this()](Result<net::Transport> transport) {
    const auto self = weak.lock();
    if (!self) return;
    self->cancel_connect_ = nullptr;
    if (!transport) return self->failed(std::move(transport).error());
    self->use(*std::move(transport));
  });
}

void SubchannelImpl::use(net::Transport transport) {
  connection_ = std::make_shared<ClientConnection>(loop_, std::move(transport), endpoint_.address, keepalive_, tally_);
  runtime_.channelz().join(connection_->entity(), &entity_);
  connection_->start(*this, attempt_deadline_);
}

void SubchannelImpl::on_ready(ClientConnection&) {
  backoff_.reset();
  retry_at_ = {};
  failing_ = false;
  start_health_watch();
  start_load_watch();
  set_state(ChannelState::kReady);
}

void SubchannelImpl::on_unusable(ClientConnection& connection, const Status& why) {
  const auto keep = shared_from_this();
  const bool was_ready = state_ == ChannelState::kReady;
  end_watches();
  connection_.reset();  // its pending waits keep it while calls are left
  connection.drain();
  if (!was_ready) return failed(why);
  failure_ = why;
  set_state(ChannelState::kIdle);
}

void SubchannelImpl::on_too_many_pings() {
  if (keepalive_.time < kNever / 2) keepalive_.time *= 2;
}

void SubchannelImpl::give_up_attempt() {
  wanted_ = false;
  if (state_ != ChannelState::kConnecting) return;
  if (auto cancel = std::exchange(cancel_connect_, nullptr)) cancel();
  if (auto connection = std::exchange(connection_, nullptr)) {
    connection->disown();
    connection->close(Status(StatusCode::kUnavailable, "another endpoint answered first"));
  }
  state_ = ChannelState::kIdle;
  entity_.set_state(state_, {}, net::Loop::now());
}

void SubchannelImpl::failed(Status why) {
  failure_ = std::move(why);
  failing_ = true;
  // From the attempt's beginning (connection-backoff.md): one that took long has waited already.
  retry_at_ = attempted_at_ + std::chrono::duration_cast<TimePoint::duration>(backoff_.next(uniform_random()));
  set_state(ChannelState::kTransientFailure);
}

void SubchannelImpl::drop() {
  changed_ = nullptr;
  loop_.disarm(*this);
  if (auto cancel = std::exchange(cancel_connect_, nullptr)) cancel();
  end_watches();
  if (auto connection = std::exchange(connection_, nullptr)) connection->drain();
  state_ = ChannelState::kShutdown;
  entity_.set_state(state_, {}, net::Loop::now());
}

void SubchannelImpl::shutdown(const Status& why) {
  changed_ = nullptr;
  loop_.disarm(*this);
  if (auto cancel = std::exchange(cancel_connect_, nullptr)) cancel();
  state_ = ChannelState::kShutdown;
  entity_.set_state(state_, {}, net::Loop::now());
  end_watches();
  if (auto connection = std::exchange(connection_, nullptr)) {
    connection->disown();
    connection->close(why);
  }
}

}  // namespace minigrpc::rpc
