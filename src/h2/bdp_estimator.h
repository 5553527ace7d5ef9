// BdpEstimator: how large a receive window has to be so that it is not what limits the peer.
//
// A PING measures the round trip, the DATA that arrives meanwhile the bandwidth; their product is what must be under way
// to fill the path. Where a round trip's bytes come near the window, and faster than ever before, the window doubles:
// a longer round trip alone would only be a longer queue. Pure: time is an argument.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>

namespace minigrpc::h2 {

class BdpEstimator {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;

  BdpEstimator(std::uint32_t window, std::uint32_t window_max) : window_(window), window_max_(window_max) {}

  // So many bytes of DATA have arrived. True: worth a measurement: send a PING, and call ping_sent().
  bool received(std::size_t size) {
    received_ += size;
    return !measuring_ && window_ < window_max_ && received_ >= window_ / 4;
  }
  void ping_sent(TimePoint now) {
    measuring_ = true;
    sent_at_ = now;
    received_ = 0;
  }
  // The new window, where it is to grow.
  std::optional<std::uint32_t> ping_acked(TimePoint now) {
    measuring_ = false;
    const std::uint64_t bytes = received_;
    received_ = 0;
    const double seconds = std::max(std::chrono::duration<double>(now - sent_at_).count(), 1e-6);
    const double bandwidth = static_cast<double>(bytes) / seconds;
    if (bytes * 3 < std::uint64_t{window_} * 2 || bandwidth <= bandwidth_max_) return std::nullopt;
    bandwidth_max_ = bandwidth;
    const std::uint64_t wanted = std::max<std::uint64_t>(2 * std::uint64_t{window_}, bytes);
    window_ = static_cast<std::uint32_t>(std::min<std::uint64_t>(wanted, window_max_));
    return window_;
  }

 private:
  std::uint32_t window_;
  const std::uint32_t window_max_;
  std::uint64_t received_ = 0;
  double bandwidth_max_ = 0;
  TimePoint sent_at_{};
  bool measuring_ = false;
};

}  // namespace minigrpc::h2
