// ConnectedBalancer: what policies have in common that keep every endpoint connected and choose among those that are.
//
// Thread rule: as for every Balancer.
#pragma once

#include <minigrpc/balancer.h>

namespace minigrpc::rpc {

class ConnectedBalancer : public Balancer {
 public:
  void update(const Subchannels& subchannels) final;
  void changed(Subchannel& subchannel) final;
  void exit_idle() final;
  Pick pick(const CallInfo& call) final;
  ChannelState state() const final;

 protected:
  explicit ConnectedBalancer(BalancerHost& host) : host_(host) {}

  BalancerHost& host() const { return host_; }
  // Those in state kReady, in order.
  const std::vector<Subchannel*>& ready() const { return ready_; }
  // One of ready(), which is not empty.
  virtual Subchannel& choose(const CallInfo& call) = 0;
  // ready() has changed, or its endpoints' attributes.
  virtual void ready_changed() {}
  // An even choice among `count`.
  std::size_t random_below(std::size_t count) {
    return static_cast<std::size_t>(host_.random() * static_cast<double>(count));
  }

 private:
  void find_ready();

  BalancerHost& host_;
  Subchannels subchannels_;
  std::vector<Subchannel*> ready_;
  Status failure_;
};

}  // namespace minigrpc::rpc
