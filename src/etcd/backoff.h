// How long to wait before trying again: not at all the first time, then longer and longer, fully jittered.
// Pure.
//
// Full jitter (anywhere between 0 and the bound) spreads a thousand clients that lost the same server best.
#pragma once

#include <algorithm>
#include <chrono>

namespace minigrpc::etcd {

class Backoff {
 public:
  Backoff(std::chrono::milliseconds first, std::chrono::milliseconds max)
      : first_(first), max_(max), bound_(first) {}

  // `random` is from [0, 1).
  std::chrono::milliseconds next(double random) {
    if (!tried_) {
      tried_ = true;
      return std::chrono::milliseconds(0);
    }
    const auto delay =
        std::chrono::milliseconds(static_cast<std::int64_t>(random * static_cast<double>(bound_.count())));
    bound_ = std::min(2 * bound_, max_);
    // Never nothing: a server that refuses at once must not be asked in a tight loop.
    return std::max(delay, std::chrono::milliseconds(10));
  }
  // It worked: the next failure is a first one again.
  void reset() {
    tried_ = false;
    bound_ = first_;
  }

 private:
  std::chrono::milliseconds first_;
  std::chrono::milliseconds max_;
  std::chrono::milliseconds bound_;
  bool tried_ = false;
};

}  // namespace minigrpc::etcd
