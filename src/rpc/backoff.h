// The pauses between the attempts at something that fails (grpc: doc/connection-backoff.md).
//
// Thread rule: like a value. Pure: randomness is an argument.
#pragma once

#include <minigrpc/channel.h>

#include <algorithm>
#include <chrono>

namespace minigrpc::rpc {

class Backoff {
 public:
  explicit Backoff(const BackoffOptions& options) : options_(options), next_(options.initial) {}
  // The next pause; `uniform` in [0, 1) is the jitter.
  std::chrono::nanoseconds next(double uniform) {
    const auto pause = next_ * (1.0 + options_.jitter * (2.0 * uniform - 1.0));
    next_ = std::min<std::chrono::duration<double, std::milli>>(next_ * options_.multiplier, options_.max);
    return std::chrono::duration_cast<std::chrono::nanoseconds>(pause);
  }
  void reset() { next_ = options_.initial; }

 private:
  BackoffOptions options_;
  std::chrono::duration<double, std::milli> next_;
};

}  // namespace minigrpc::rpc
