#include "rpc/retry.h"

#include <algorithm>
#include <charconv>
#include <random>

namespace minigrpc::rpc {

Pushback pushback_of(std::span<const HeaderView> trailers) {
  for (const HeaderView& field : trailers) {
    if (field.name != "grpc-retry-pushback-ms") continue;
    std::int32_t pause = -1;
    const char* const end = field.value.data() + field.value.size();
    const auto [stop, error] = std::from_chars(field.value.data(), end, pause);
    if (error != std::errc() || stop != end || pause < 0) return {.never = true, .pause = std::nullopt};
    return {.never = false, .pause = std::chrono::milliseconds(pause)};
  }
  return {};
}

RetryPauses::RetryPauses(const RetryPolicy& policy)
    : initial_(std::min(policy.initial_backoff, policy.backoff_max)),
      max_(policy.backoff_max),
      multiplier_(policy.backoff_multiplier),
      next_(initial_) {}

std::chrono::nanoseconds RetryPauses::next(double uniform) {
  const auto pause = next_ * (0.8 + 0.4 * uniform);
  next_ = std::min(next_ * multiplier_, max_);
  return std::chrono::duration_cast<std::chrono::nanoseconds>(pause);
}

void RetryThrottle::configure(const RetryThrottling& config) {
  const double fullness = static_cast<double>(tokens_) / tokens_max_;
  tokens_max_ = config.tokens_max_milli;
  ratio_ = config.token_ratio_milli;
  tokens_ = static_cast<int>(fullness * tokens_max_);
}

double uniform_random() {
  static thread_local std::minstd_rand generator{std::random_device{}()};
  return std::uniform_real_distribution<double>(0.0, 1.0)(generator);
}

}  // namespace minigrpc::rpc
