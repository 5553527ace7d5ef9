// "pick_first": the first endpoint of the list that can be reached, until its connection ends (grpc:
// doc/load-balancing.md). The next one is tried as soon as one has failed, or has not answered for a moment (RFC 8305,
// "happy eyeballs").
#include <algorithm>

#include "base/limits.h"
#include "rpc/json_reader.h"
#include "rpc/policies.h"

namespace minigrpc::rpc {

namespace {

// The families in turn, each in its own order, beginning with that of the first endpoint (RFC 8305, section 4).
Subchannels interleave(const Subchannels& subchannels) {
  Subchannels rest[2];
  const auto is_ipv6 = [](const auto& subchannel) { return subchannel->endpoint().address.starts_with('['); };
  for (const auto& subchannel : subchannels)
    rest[is_ipv6(subchannel) != is_ipv6(subchannels.front())].push_back(subchannel);
  Subchannels mixed;
  for (std::size_t i = 0; i < std::max(rest[0].size(), rest[1].size()); ++i)
    for (const Subchannels& family : rest)
      if (i < family.size()) mixed.push_back(family[i]);
  return mixed;
}

class PickFirst final : public Balancer {
 public:
  PickFirst(BalancerHost& host, bool shuffled) : host_(host), shuffled_(shuffled) {}

  void update(const Subchannels& subchannels) override {
    subchannels_ = interleave(subchannels);
    if (shuffled_)
      for (std::size_t i = subchannels_.size(); i > 1; --i)
        std::swap(subchannels_[i - 1], subchannels_[static_cast<std::size_t>(host_.random() * static_cast<double>(i))]);
    if (std::find(subchannels_.begin(), subchannels_.end(), chosen_) == subchannels_.end()) chosen_.reset();
    // This policy may have taken another one's place.
    for (const auto& subchannel : subchannels_)
      if (!chosen_ && subchannel->state() == ChannelState::kReady) chosen_ = subchannel;
    all_failed_ = false;
    next_ = 0;
    if (active_ && !chosen_) try_next();
  }

  void exit_idle() override {
    active_ = true;
    if (!chosen_) try_next();
  }

  void changed(Subchannel& subchannel) override {
    if (subchannel.state() == ChannelState::kReady) return choose(subchannel);
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

  // An endpoint has had its head start.
  void on_wake() override {
    if (!active_ || chosen_ || all_failed_ || next_ >= subchannels_.size()) return;
    ++next_;
    try_next();
  }

  Pick pick(const CallInfo&) override {
    if (chosen_) return {.subchannel = chosen_.get()};
    if (all_failed_) return {.failure = failure_};
    return {};
  }

  ChannelState state() const override {
    if (chosen_) return ChannelState::kReady;
    if (all_failed_) return ChannelState::kTransientFailure;
    return active_ ? ChannelState::kConnecting : ChannelState::kIdle;
  }

 private:
  void choose(Subchannel& subchannel) {
    for (const auto& each : subchannels_) {
      if (each.get() == &subchannel && !chosen_) chosen_ = each;
      if (each.get() != &subchannel) each->give_up_attempt();
    }
    all_failed_ = false;
    host_.wake_at(TimePoint::max());
  }

  // One endpoint after the other; once all have failed, all pause and begin again.
  void try_next() {
    host_.wake_at(TimePoint::max());
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
    if (next_ + 1 < subchannels_.size()) host_.wake_at(host_.now() + limits::kConnectStagger);
    subchannels_[next_]->connect();
  }

  BalancerHost& host_;
  const bool shuffled_;
  Subchannels subchannels_;
  std::shared_ptr<Subchannel> chosen_;  // kReady
  std::size_t next_ = 0;
  bool active_ = false;
  bool all_failed_ = false;
  Status failure_;
};

}  // namespace

Result<std::unique_ptr<Balancer>> make_pick_first(BalancerHost& host, std::string_view config) {
  JsonReader reader;
  const bool shuffled = reader.parse(config).member("shuffleAddressList").boolean();
  if (!reader.status().ok()) return reader.status();
  return std::unique_ptr<Balancer>(std::make_unique<PickFirst>(host, shuffled));
}

}  // namespace minigrpc::rpc
