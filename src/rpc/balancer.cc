#include "rpc/balancer.h"

#include <algorithm>

namespace minigrpc::rpc {

namespace {

// The first endpoint of the list that can be reached, until its connection ends (grpc: doc/load-balancing.md).
class PickFirst final : public Balancer {
 public:
  void update(const Subchannels& subchannels) override {
    subchannels_ = subchannels;
    const bool stays = chosen_ && std::find(subchannels_.begin(), subchannels_.end(), chosen_) != subchannels_.end();
    if (!stays) chosen_.reset();
    all_failed_ = false;
    next_ = 0;
    if (active_ && !chosen_) try_next();
  }

  void exit_idle() override {
    active_ = true;
    if (!chosen_) try_next();
  }

  void changed(Subchannel& subchannel) override {
    if (subchannel.state() == ChannelState::kReady) {
      if (!chosen_) chosen_ = subchannel.shared_from_this();
      all_failed_ = false;
      return;
    }
    if (&subchannel == chosen_.get()) {
      // Lost: the next call connects again, from the front of the list.
      chosen_.reset();
      active_ = false;
      next_ = 0;
      return;
    }
    if (subchannel.state() == ChannelState::kTransientFailure && active_ && !chosen_) {
      failure_ = subchannel.failure();
      ++next_;
      try_next();
    }
  }

  Pick pick() override {
    if (chosen_ && chosen_->state() == ChannelState::kReady && chosen_->connection().usable())
      return {&chosen_->connection(), Status()};
    if (state() == ChannelState::kTransientFailure) return {nullptr, failure_};
    return {};
  }

  ChannelState state() const override {
    if (chosen_) return ChannelState::kReady;
    if (all_failed_) return ChannelState::kTransientFailure;
    return active_ ? ChannelState::kConnecting : ChannelState::kIdle;
  }

 private:
  // One endpoint at a time; after the last, all pause and begin again.
  void try_next() {
    if (subchannels_.empty()) return;
    while (!all_failed_ && next_ < subchannels_.size() && subchannels_[next_]->pausing())
      failure_ = subchannels_[next_++]->failure();
    if (next_ >= subchannels_.size()) all_failed_ = true;
    if (all_failed_) {
      next_ = 0;
      for (const auto& subchannel : subchannels_) subchannel->connect();
      return;
    }
    subchannels_[next_]->connect();
  }

  Subchannels subchannels_;
  std::shared_ptr<Subchannel> chosen_;
  std::size_t next_ = 0;
  bool active_ = false;
  bool all_failed_ = false;
  Status failure_;
};

// Every endpoint connects; calls go to those that are ready, in turn.
class RoundRobin final : public Balancer {
 public:
  void update(const Subchannels& subchannels) override {
    subchannels_ = subchannels;
    for (const auto& subchannel : subchannels_) subchannel->connect();
  }
  void exit_idle() override {
    for (const auto& subchannel : subchannels_) subchannel->connect();
  }
  void changed(Subchannel& subchannel) override {
    if (subchannel.state() == ChannelState::kTransientFailure) failure_ = subchannel.failure();
    if (subchannel.state() == ChannelState::kIdle || subchannel.state() == ChannelState::kTransientFailure)
      subchannel.connect();
  }
  Pick pick() override {
    for (std::size_t i = 0; i < subchannels_.size(); ++i) {
      Subchannel& subchannel = *subchannels_[next_++ % subchannels_.size()];
      if (subchannel.state() == ChannelState::kReady && subchannel.connection().usable())
        return {&subchannel.connection(), Status()};
    }
    if (state() == ChannelState::kTransientFailure) return {nullptr, failure_};
    return {};
  }
  ChannelState state() const override {
    bool all_failing = !subchannels_.empty();
    for (const auto& subchannel : subchannels_) {
      if (subchannel->state() == ChannelState::kReady) return ChannelState::kReady;
      if (!subchannel->failing()) all_failing = false;
    }
    return all_failing ? ChannelState::kTransientFailure : ChannelState::kConnecting;
  }

 private:
  Subchannels subchannels_;
  std::size_t next_ = 0;
  Status failure_;
};

}  // namespace

std::unique_ptr<Balancer> make_balancer(std::string_view policy) {
  if (policy == "pick_first") return std::make_unique<PickFirst>();
  if (policy == "round_robin") return std::make_unique<RoundRobin>();
  return nullptr;
}

}  // namespace minigrpc::rpc
