// ChannelImpl: one channel: its resolver, its subchannels, its balancer, and the calls that wait for a connection.
//
// Thread rule: its loop, but where it says otherwise.
#pragma once

#include <minigrpc/balancer.h>

#include <atomic>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "rpc/attempt.h"
#include "rpc/outlier_detection.h"
#include "rpc/retry.h"
#include "rpc/runtime_impl.h"
#include "rpc/service_config.h"
#include "rpc/subchannel.h"

namespace minigrpc::rpc {

class ClientCallCore;

class ChannelImpl final : public std::enable_shared_from_this<ChannelImpl>, private BalancerHost {
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
  // Finds a connection for `attempt`, now or later, or refuses it.
  void start(Attempt& attempt);
  // `attempt` has ended, wherever it was.
  void forget(Attempt& attempt);
  // `call` is neither here nor on a connection for a while: it has to hear of the channel's end, until forget().
  void add_absent(ClientCallCore& call);
  std::optional<RetryThrottle>& throttle() { return throttle_; }
  channelz::CallCounters& calls() { return calls_; }
  // What a call that waited in vain is told.
  std::string why_waiting() const;
  bool is_shut_down() const { return state() == ChannelState::kShutdown; }

 private:
  void start_resolving();
  void on_resolved(Result<Resolution> found);
  Result<std::shared_ptr<const ServiceConfig>> parse_config(const std::string& json) const;
  Status use_config(std::shared_ptr<const ServiceConfig> config);
  void use_endpoints(std::vector<Endpoint> endpoints);
  void drop(SubchannelImpl& subchannel);
  void on_subchannel_changed(SubchannelImpl& subchannel);
  // ---- BalancerHost ----
  TimePoint now() const override { return net::Loop::now(); }
  double random() override { return uniform_random(); }
  void wake_at(TimePoint time) override;
  void changed() override { update_state(); }
  void on_balancer_timer() { if (balancer_) balancer_->on_wake(); }
  // What holds for subchannels under config_ and policy_: health checks, load reports, outliers.
  void configure(SubchannelImpl& subchannel);
  void configure_outliers();
  void arm_outlier_timer();
  std::map<std::string, CallTally> tallies() const;  // by address
  void on_outlier_timer();
  void update_state();
  void set_state(ChannelState state);
  // What a call that found no connection would be told.
  Status current_failure() const;
  // For channelz's trace.
  void note(std::string text);
  void note(std::string text, const Status& failure);
  void note(std::string text, SubchannelImpl& subchannel);
  void try_pending();
  void on_idle_timer();
  // True: the call found its place or its end.
  bool place(Attempt& attempt);
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
  std::shared_ptr<const ServiceConfig> default_config_;  // of the options
  std::shared_ptr<const ServiceConfig> config_;          // that holds; may be null
  std::string config_text_;                              // of the resolver's that holds; empty = default_config_
  PolicyConfig policy_;                                  // that balancer_ was made for
  std::optional<RetryThrottle> throttle_;
  Status resolver_failure_;
  std::unique_ptr<Balancer> balancer_;
  net::TimerOf<ChannelImpl, &ChannelImpl::on_balancer_timer> balancer_timer_{*this};
  std::map<std::string, std::shared_ptr<SubchannelImpl>> subchannels_;  // by address
  std::optional<OutlierDetection> outliers_;
  net::TimerOf<ChannelImpl, &ChannelImpl::on_outlier_timer> outlier_timer_{*this};
  std::vector<Attempt*> pending_;
  std::vector<Attempt*>* retrying_ = nullptr;  // what try_pending() or shutdown() goes through
  std::vector<ClientCallCore*> absent_;
  bool again_ = false;                                // try_pending() was wanted while it ran
  bool connect_wanted_ = false;
  bool used_ = false;  // a call has begun since idleness was looked at
  net::TimerOf<ChannelImpl, &ChannelImpl::on_idle_timer> idle_timer_{*this};
  std::atomic<ChannelState> state_{ChannelState::kIdle};
  AsyncEvent ready_;
  channelz::CallCounters calls_;
  channelz::Group entity_;  // last: it shows the others
};

}  // namespace minigrpc::rpc
