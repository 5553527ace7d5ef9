// Subchannel: one endpoint of a channel, and the connection to it, which it makes again after a pause that grows.
//
//   kIdle ─connect()─▶ kConnecting ─SETTINGS─▶ kReady ─GOAWAY, loss─▶ kIdle
//                        │    ▲
//                 failure│    │connect(), once the pause is over
//                        ▼    │
//                   kTransientFailure
//
// Thread rule: its channel's loop.
#pragma once

#include <minigrpc/channel.h>
#include <minigrpc/resolver.h>

#include <functional>
#include <memory>

#include "net/loop.h"
#include "rpc/client_connection.h"
#include "rpc/runtime_impl.h"

namespace minigrpc::rpc {

// The pauses between connection attempts (grpc: doc/connection-backoff.md).
class Backoff {
 public:
  explicit Backoff(const BackoffOptions& options) : options_(options), next_(options.initial) {}
  // The next pause; `uniform` in [0, 1) is the jitter.
  std::chrono::nanoseconds next(double uniform);
  void reset() { next_ = options_.initial; }

 private:
  BackoffOptions options_;
  std::chrono::duration<double, std::milli> next_;
};

class Subchannel final : public std::enable_shared_from_this<Subchannel>,
                         private ClientConnection::Owner,
                         private net::Timer {
 public:
  // Called after each change of state; must not destroy the subchannel.
  using Changed = std::function<void(Subchannel&)>;

  // `options` and `server_name`, the one that a TLS server has to prove, are borrowed for the subchannel's life.
  Subchannel(RuntimeImpl& runtime, net::Loop& loop, const ChannelOptions& options, const std::string& server_name,
             Endpoint endpoint, Changed changed);
  ~Subchannel() override;

  const Endpoint& endpoint() const { return endpoint_; }
  void set_endpoint(Endpoint endpoint) { endpoint_ = std::move(endpoint); }  // the same address, other attributes
  ChannelState state() const { return state_; }
  // Why the last attempt failed, or the connection ended.
  const Status& failure() const { return failure_; }
  // Whether it has failed since it was last ready, an attempt under way included.
  bool failing() const { return failing_; }
  // Whether connect() would have to wait.
  bool pausing() const { return state_ == ChannelState::kTransientFailure && net::Loop::now() < retry_at_; }
  // The connection of a subchannel that is kReady.
  ClientConnection& connection() { return *connection_; }

  // Ends an attempt under way, without a word to the listener: another endpoint answered first.
  void give_up_attempt();
  // Starts an attempt, now or when the pause is over. Nothing where one is under way or done.
  void connect();
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

  RuntimeImpl& runtime_;
  net::Loop& loop_;
  const ChannelOptions& options_;
  const std::string& server_name_;
  Endpoint endpoint_;
  Changed changed_;
  ChannelState state_ = ChannelState::kIdle;
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
};

}  // namespace minigrpc::rpc
