#include "rpc/connected_balancer.h"

namespace minigrpc::rpc {

void ConnectedBalancer::update(const Subchannels& subchannels) {
  subchannels_ = subchannels;
  for (const auto& subchannel : subchannels_) subchannel->connect();
  find_ready();
}

void ConnectedBalancer::exit_idle() {
  for (const auto& subchannel : subchannels_) subchannel->connect();
}

void ConnectedBalancer::changed(Subchannel& subchannel) {
  if (subchannel.state() == ChannelState::kTransientFailure) failure_ = subchannel.failure();
  if (subchannel.state() == ChannelState::kIdle || subchannel.state() == ChannelState::kTransientFailure)
    subchannel.connect();
  find_ready();
}

void ConnectedBalancer::find_ready() {
  ready_.clear();
  for (const auto& subchannel : subchannels_)
    if (subchannel->state() == ChannelState::kReady) ready_.push_back(subchannel.get());
  ready_changed();
}

Pick ConnectedBalancer::pick(const CallInfo& call) {
  if (!ready_.empty()) return {.subchannel = &choose(call)};
  if (state() == ChannelState::kTransientFailure) return {.failure = failure_};
  return {};
}

ChannelState ConnectedBalancer::state() const {
  if (!ready_.empty()) return ChannelState::kReady;
  for (const auto& subchannel : subchannels_)
    if (!subchannel->failing()) return ChannelState::kConnecting;
  return subchannels_.empty() ? ChannelState::kConnecting : ChannelState::kTransientFailure;
}

}  // namespace minigrpc::rpc
