// What decides whether and when a call is sent again (gRPC A6): the pauses, the server's pushback, the throttle.
//
// Thread rule: none of their own. Pure: randomness is an argument.
#pragma once

#include <chrono>
#include <optional>
#include <span>

#include "base/header_view.h"
#include "rpc/service_config.h"

namespace minigrpc::rpc {

// What a server has said in grpc-retry-pushback-ms.
struct Pushback {
  bool never = false;                              // not to send it again
  std::optional<std::chrono::milliseconds> pause;  // to send it again after exactly that long
};
Pushback pushback_of(std::span<const HeaderView> trailers);

// The pauses between the attempts of one call.
class RetryPauses {
 public:
  explicit RetryPauses(const RetryPolicy& policy);
  // `uniform` in [0, 1) is the jitter: a fifth, up or down.
  std::chrono::nanoseconds next(double uniform);
  // After a pause that the server chose, they begin again.
  void reset() { next_ = initial_; }

 private:
  std::chrono::duration<double, std::nano> initial_;
  std::chrono::duration<double, std::nano> max_;
  double multiplier_;
  std::chrono::duration<double, std::nano> next_;
};

// Stops a channel from retrying where most of its calls fail: each failure takes a token, each success gives back a
// part of one, and with half of them gone nothing is retried.
class RetryThrottle {
 public:
  explicit RetryThrottle(const RetryThrottling& config)
      : tokens_max_(config.tokens_max_milli), ratio_(config.token_ratio_milli), tokens_(config.tokens_max_milli) {}
  // Another config for the same service: as full as before.
  void configure(const RetryThrottling& config);

  void failed() { tokens_ = tokens_ > 1000 ? tokens_ - 1000 : 0; }
  void succeeded() { tokens_ = tokens_ + ratio_ < tokens_max_ ? tokens_ + ratio_ : tokens_max_; }
  bool allows() const { return tokens_ > tokens_max_ / 2; }

 private:
  int tokens_max_;  // thousandths
  int ratio_;
  int tokens_;
};

// In [0, 1), from a generator of the calling thread: for jitter, not for secrets.
double uniform_random();

}  // namespace minigrpc::rpc
