// Allowance: how often a peer may do what costs it little and this side more: a token bucket.
//
// Thread rule: none of its own. Pure: time is an argument.
#pragma once

#include <minigrpc/context.h>

#include <algorithm>
#include <cstdint>

namespace minigrpc::rpc {

class Allowance {
 public:
  // `burst` at once, and then `per_second`.
  Allowance(std::uint32_t burst, std::uint32_t per_second)
      : burst_(burst), per_second_(per_second), left_(burst) {}

  // False: that was more than is allowed.
  bool spend(std::uint32_t count, TimePoint now) {
    if (count == 0) return true;
    const double seconds = std::chrono::duration<double>(now - refilled_at_).count();
    refilled_at_ = now;
    left_ = std::min<double>(burst_, left_ + seconds * per_second_) - count;
    return left_ >= 0;
  }

 private:
  const double burst_;
  const double per_second_;
  double left_;
  TimePoint refilled_at_{};
};

}  // namespace minigrpc::rpc
