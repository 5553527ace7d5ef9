// SubchannelImpl: one endpoint of a channel, and the connection to it, which it makes again after a pause that grows.
//
//   kIdle ─connect()─▶ kConnecting ─SETTINGS─▶ kReady ─GOAWAY, loss─▶ kIdle
//                        │    ▲
//                 failure│    │connect(), once the pause is over
//                        ▼    │
//                   kTransientFailure
//
// While a connection that is made may not be used, the state that others see is another one: kConnecting until a health
// check has answered, kTransientFailure where it says no, or where the endpoint is ejected as an outlier.
//
// Thread rule: its channel's loop.
#pragma once

#include <minigrpc/balancer.h>

#include <functional>
#include <memory>

#include "net/loop.h"
#include "rpc/backoff.h"
#include "rpc/call_tally.h"
#include "rpc/client_connection.h"
#include "rpc/health_watch.h"
#include "rpc/runtime_impl.h"

namespace minigrpc::rpc {

class SubchannelImpl final : public Subchannel,
                             public std::enable_shared_from_this<SubchannelImpl>,
                         private ClientConnection::Owner,
                         private net::Timer {
 public:
  // Called after each change of state; must not destroy the subchannel.
  using Changed = std::function<void(SubchannelImpl&)>;

  // `options` and `server_name`, the one that a TLS server has to prove, are borrowed for the subchannel's life.
  SubchannelImpl(RuntimeImpl& runtime, net::Loop& loop, const ChannelOptions& options, const std::string& server_name,
             Endpoint endpoint, Changed changed);
  ~SubchannelImpl() override;

  // ---- Subchannel ----
  const Endpoint& endpoint() const override { return endpoint_; }
  ChannelState state() const override;
  const Status& failure() const override { return failure_; }
  bool failing() const override { return failing_ || state() == ChannelState::kTransientFailure; }
  bool pausing() const override {
    return state_ == ChannelState::kTransientFailure && net::Loop::now() < retry_at_;
  }
  void connect() override;
  void give_up_attempt() override;
  std::size_t calls_in_flight() const override;
  const std::optional<LoadReport>& load() const override { return tally_->load; }

  // ---- for the channel ----
  void set_endpoint(Endpoint endpoint) { endpoint_ = std::move(endpoint); }  // the same address, other attributes
  // Whether it is kReady, and its connection takes another call.
  bool usable() const { return state() == ChannelState::kReady && connection_->usable(); }
  // The connection of a subchannel that is kReady.
  ClientConnection& connection() { return *connection_; }
  CallTally& tally() { return *tally_; }
  channelz::Group& entity() { return entity_; }
  // A connection that takes no further call though it is there: it drains, and the subchannel is kIdle.
  void retire();
  // none: without health checks.
  void check_health(std::optional<HealthWatch::Request> request);
  // The server's reports by itself of its load; none: without.
  void watch_load(std::optional<ServerWatch::Request> request);
  void set_ejected(bool ejected);
  // Calls in flight end by themselves; nothing is heard of it any more.
  void drop();
  // Calls in flight end with `why`.
  void shutdown(const Status& why);

 private:
  void attempt();
  // Of an address that was looked up for that attempt.
  void resolved_later(Result<std::vector<net::SocketAddress>> addresses, std::uint64_t attempt);
  void resolved(Result<std::vector<net::SocketAddress>> addresses);
  void connected(Result<net::Socket> socket);
  void use(net::Transport transport);
  void on_ready(ClientConnection& connection) override;
  void on_unusable(ClientConnection& connection, const Status& why) override;
  void on_too_many_pings() override;
  void on_timer() noexcept override;
  void failed(Status why);
  void set_state(ChannelState state);
  // Its state() has changed.
  void tell();
  void start_health_watch();
  void on_health(ServerHealth health, const Status& why);
  void start_load_watch();
  void end_watches();

  RuntimeImpl& runtime_;
  net::Loop& loop_;
  const ChannelOptions& options_;
  const std::string& server_name_;
  Endpoint endpoint_;
  Changed changed_;
  ChannelState state_ = ChannelState::kIdle;  // of the connection
  Status failure_;
  bool failing_ = false;
  Backoff backoff_;
  ChannelKeepaliveOptions keepalive_;
  std::uint64_t attempts_ = 0;
  TimePoint attempted_at_{};
  TimePoint retry_at_{};         // no attempt before
  TimePoint attempt_deadline_{};
  bool wanted_ = false;          // connect() was called during the pause
  std::function<void()> cancel_connect_;  // of the connect or the handshake under way
  std::shared_ptr<ClientConnection> connection_;
  const std::shared_ptr<CallTally> tally_ = std::make_shared<CallTally>();
  std::optional<HealthWatch::Request> health_request_;
  std::unique_ptr<HealthWatch> health_watch_;  // of connection_; gone before it
  ServerHealth health_ = ServerHealth::kUnknown;
  std::optional<ServerWatch::Request> load_request_;
  std::unique_ptr<ServerWatch> load_watch_;  // as health_watch_
  bool ejected_ = false;
  channelz::Group entity_;  // last: it shows the others
};

}  // namespace minigrpc::rpc
