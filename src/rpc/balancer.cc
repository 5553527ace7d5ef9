#include "rpc/balancer.h"

#include <algorithm>

#include "base/limits.h"

namespace minigrpc::rpc {

namespace {

// The families in turn, each in its own order, beginning with that of the first endpoint (RFC 8305, section 4).
Subchannels interleave(const Subchannels& subchannels) {
  Subchannels rest[2];
  if (subchannels.empty()) return {};
  const auto is_ipv6 = [](const auto& subchannel) { return subchannel->endpoint().address.starts_with('['); };
  for (const auto& subchannel : subchannels) rest[is_ipv6(subchannel) != is_ipv6(subchannels.front())].push_back(subchannel);
  Subchannels mixed;
  for (std::size_t i = 0; i < std::max(rest[0].size(), rest[1].size()); ++i)
    for (const Subchannels& family : rest)
      if (i < family.size()) mixed.push_back(family[i]);
  return mixed;
}

// The first endpoint of the list that can be reached, until its connection ends (grpc: doc/load-balancing.md). The next
// one is tried as soon as one has failed, or has not answered for a moment (RFC 8305, "happy eyeballs").
class PickFirst final : public Balancer {
 public:
  explicit PickFirst(net::Loop& loop) : loop_(loop) {}
  ~PickFirst() override { loop_.disarm(stagger_); }

  void update(const Subchannels& subchannels) override {
    subchannels_ = interleave(subchannels);
    // This policy may have taken another one's place.
    for (const auto& subchannel : subchannels_)
      if (!chosen_ && subchannel->state() == ChannelState::kReady) chosen_ = subchannel;
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
      loop_.disarm(stagger_);
      for (const auto& other : subchannels_)
        if (other != chosen_) other->give_up_attempt();
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
      const bool latest = next_ < subchannels_.size() && subchannels_[next_].get() == &subchannel;
      if (latest) ++next_;
      if (latest || next_ >= subchannels_.size()) try_next();
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
  void on_stagger() {
    if (!active_ || chosen_ || all_failed_ || next_ >= subchannels_.size()) return;
    ++next_;
    try_next();
  }

  // One endpoint after the other; once all have failed, all pause and begin again.
  void try_next() {
    loop_.disarm(stagger_);
    if (subchannels_.empty()) return;
    while (!all_failed_ && next_ < subchannels_.size() && subchannels_[next_]->pausing())
      failure_ = subchannels_[next_++]->failure();
    if (next_ >= subchannels_.size())
      all_failed_ = std::none_of(subchannels_.begin(), subchannels_.end(), [](const auto& subchannel) {
        return subchannel->state() == ChannelState::kConnecting;
      });
    if (all_failed_) {
      next_ = 0;
      for (const auto& subchannel : subchannels_) subchannel->connect();
      return;
    }
    if (next_ >= subchannels_.size()) return;  // the last ones have still to answer
    if (next_ + 1 < subchannels_.size()) loop_.arm(stagger_, net::Loop::now() + limits::kConnectStagger);
    subchannels_[next_]->connect();
  }

  net::Loop& loop_;
  net::TimerOf<PickFirst, &PickFirst::on_stagger> stagger_{*this};
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

bool knows_balancer(std::string_view policy) { return policy == "pick_first" || policy == "round_robin"; }

std::unique_ptr<Balancer> make_balancer(std::string_view policy, net::Loop& loop) {
  if (policy == "pick_first") return std::make_unique<PickFirst>(loop);
  if (policy == "round_robin") return std::make_unique<RoundRobin>();
  return nullptr;
}

}  // namespace minigrpc::rpc
