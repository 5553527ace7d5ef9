// "ring_hash": calls with the same key go to the same endpoint, as long as it can be reached (gRPC A42, A76). The key is
// a header of the request. Endpoints connect when a key leads to them.
#include <limits>

#include "rpc/hash_ring.h"
#include "rpc/json_reader.h"
#include "rpc/policies.h"

namespace minigrpc::rpc {

namespace {

class RingHash final : public Balancer {
 public:
  RingHash(BalancerHost& host, HashRing::Bounds bounds, std::string header)
      : host_(host), bounds_(bounds), header_(std::move(header)) {}

  void update(const Subchannels& subchannels) override {
    std::vector<HashRing::Name> names;
    for (const auto& subchannel : subchannels)
      names.push_back({subchannel->endpoint().address, subchannel->endpoint().weight});
    subchannels_ = subchannels;
    ring_ = HashRing(names, bounds_);
  }

  void changed(Subchannel& subchannel) override {
    if (subchannel.state() != ChannelState::kTransientFailure) return;
    failure_ = subchannel.failure();
    // Its keys go elsewhere meanwhile, so no call would ask for it.
    subchannel.connect();
  }

  void exit_idle() override {
    // Calls connect what they need. Without one, somebody waits for the channel to be ready: any endpoint will do.
    for (const auto& subchannel : subchannels_)
      if (subchannel->state() == ChannelState::kReady || subchannel->state() == ChannelState::kConnecting) return;
    for (const auto& subchannel : subchannels_) {
      if (subchannel->failing()) continue;
      return subchannel->connect();
    }
  }

  Pick pick(const CallInfo& call) override {
    if (ring_.size() == 0) return {};
    const std::size_t first = ring_.find(hash_of(call));
    if (Subchannel& owner = *subchannels_[ring_.name_at(first)]; owner.state() == ChannelState::kReady)
      return {.subchannel = &owner};
    // Those that fail lend their keys to the next ones on the ring.
    std::vector<bool> seen(subchannels_.size());
    for (std::size_t i = first; i < first + ring_.size(); ++i) {
      const std::size_t number = ring_.name_at(i);
      if (seen[number]) continue;
      seen[number] = true;
      Subchannel& subchannel = *subchannels_[number];
      if (subchannel.state() == ChannelState::kReady) return {.subchannel = &subchannel};
      subchannel.connect();
      if (!subchannel.failing()) return {};
    }
    return {.failure = failure_};
  }

  ChannelState state() const override {
    bool connecting = false;
    bool idle = false;
    for (const auto& subchannel : subchannels_) {
      if (subchannel->state() == ChannelState::kReady) return ChannelState::kReady;
      connecting = connecting || (subchannel->state() == ChannelState::kConnecting && !subchannel->failing());
      idle = idle || (subchannel->state() == ChannelState::kIdle && !subchannel->failing());
    }
    if (connecting) return ChannelState::kConnecting;
    return idle || subchannels_.empty() ? ChannelState::kIdle : ChannelState::kTransientFailure;
  }

 private:
  std::uint64_t hash_of(const CallInfo& call) {
    if (!header_.empty())
      if (const auto key = call.metadata.get(header_)) return stable_hash(*key);
    constexpr double kRange = static_cast<double>(std::numeric_limits<std::uint32_t>::max());
    const auto high = static_cast<std::uint64_t>(host_.random() * kRange);
    return high << 32 | static_cast<std::uint64_t>(host_.random() * kRange);
  }

  BalancerHost& host_;
  const HashRing::Bounds bounds_;
  const std::string header_;
  Subchannels subchannels_;
  HashRing ring_;
  Status failure_;
};

}  // namespace

Result<std::unique_ptr<Balancer>> make_ring_hash(BalancerHost& host, std::string_view config) {
  constexpr std::int64_t kSizeMax = 8 << 20;  // gRPC A42
  JsonReader reader;
  const JsonField root = reader.parse(config);
  HashRing::Bounds bounds;
  const JsonField size_min = root.member("minRingSize");
  const JsonField size_max = root.member("maxRingSize");
  if (size_min.present()) bounds.size_min = static_cast<std::size_t>(size_min.integer({.min = 1, .max = kSizeMax}));
  if (size_max.present()) bounds.size_max = static_cast<std::size_t>(size_max.integer({.min = 1, .max = kSizeMax}));
  if (bounds.size_min > bounds.size_max) size_min.fail("wants at most maxRingSize");
  const std::string header = root.member("requestHashHeader").text();
  if (header.ends_with("-bin")) root.member("requestHashHeader").fail("wants a header of text");
  if (!reader.status().ok()) return reader.status();
  return std::unique_ptr<Balancer>(std::make_unique<RingHash>(host, bounds, header));
}

}  // namespace minigrpc::rpc
