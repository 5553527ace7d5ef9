// ChannelImpl: one channel: its resolver, its subchannels, its balancer, and the calls that wait for a connection.
//
// Thread rule: its loop, but where it says otherwise.
#pragma once

#include <minigrpc/channel.h>
#include <minigrpc/resolver.h>

#include <atomic>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "rpc/balancer.h"
#include "rpc/runtime_impl.h"
#include "rpc/subchannel.h"

namespace minigrpc::rpc {

class ClientCallCore;

class ChannelImpl final : public std::enable_shared_from_this<ChannelImpl> {
 public:
  ChannelImpl(Runtime& runtime, std::string_view target, ChannelOptions options);
  ~ChannelImpl();

  // ---- any thread ----
  Runtime& runtime() { return runtime_; }
  net::Loop& loop() { return loop_; }
  const ChannelOptions& options() const { return options_; }
  const std::string& authority() const { return authority_; }
  std::string_view scheme() const { return options_.credentials.is_tls() ? "https" : "http"; }
  const std::string& user_agent() const { return user_agent_; }
  ChannelState state() const { return state_.load(std::memory_order_acquire); }
  // Set whenever the state becomes kReady, reset when it leaves it.
  AsyncEvent& ready() { return ready_; }
  void connect();
  void shutdown();

  // ---- its loop ----
  // Finds a connection for `call`, now or later, or ends it.
  void start_call(ClientCallCore& call);
  // `call` has ended, wherever it was.
  void forget(ClientCallCore& call);
  // What a call that waited in vain is told.
  std::string why_waiting() const;
  bool is_shut_down() const { return state() == ChannelState::kShutdown; }

 private:
  void start_resolving();
  void on_resolved(Result<std::vector<Endpoint>> found);
  void on_subchannel_changed(Subchannel& subchannel);
  void update_state();
  void try_pending();
  void on_idle_timer();
  // True: the call found its place or its end.
  bool place(ClientCallCore& call);
  Status shutdown_status() const { return Status(StatusCode::kUnavailable, "the channel is shut down"); }

  Runtime& runtime_;
  net::Loop& loop_;
  const std::string target_text_;
  const ChannelOptions options_;
  std::string authority_;
  std::string server_name_;  // that TLS servers have to prove
  std::string user_agent_;
  Result<Target> target_;

  bool resolving_ = false;
  std::unique_ptr<Resolver> resolver_;
  bool have_endpoints_ = false;
  Status resolver_failure_;
  std::unique_ptr<Balancer> balancer_;
  Status balancer_failure_;
  std::map<std::string, std::shared_ptr<Subchannel>> subchannels_;  // by address
  std::vector<ClientCallCore*> pending_;
  std::vector<ClientCallCore*>* retrying_ = nullptr;  // what try_pending() or shutdown() goes through
  bool again_ = false;                                // try_pending() was wanted while it ran
  bool connect_wanted_ = false;
  bool used_ = false;  // a call has begun since idleness was looked at
  net::TimerOf<ChannelImpl, &ChannelImpl::on_idle_timer> idle_timer_{*this};
  std::atomic<ChannelState> state_{ChannelState::kIdle};
  AsyncEvent ready_;
};

}  // namespace minigrpc::rpc
