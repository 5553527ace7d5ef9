// Keepalive and PingStrikes: when to ask the peer whether it is there, and when it asks too often.
//
// Thread rule: none of their own. Pure: time is an argument.
#pragma once

#include <minigrpc/context.h>
#include <minigrpc/keepalive.h>

#include <utility>

namespace minigrpc::rpc {

// `duration` from `now`; TimePoint::max() where that is further than one can count.
inline TimePoint later(TimePoint now, std::chrono::milliseconds duration) {
  const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(TimePoint::max() - now);
  return duration >= left ? TimePoint::max() : now + duration;
}

// What a PING of ours was sent for: its eight bytes.
enum class PingPurpose : std::uint64_t { kDrain, kKeepalive, kBandwidth };

//   silence for `time` ─▶ kPing ─▶ anything heard ─▶ silence …
//                             └─▶ nothing for `timeout` ─▶ kDead
class Keepalive {
 public:
  enum class Step : std::uint8_t { kWait, kPing, kDead };

  Keepalive(std::chrono::milliseconds time, std::chrono::milliseconds timeout, TimePoint now)
      : time_(time), timeout_(timeout), heard_at_(now) {}

  bool enabled() const { return time_ != kNever; }
  // Bytes have arrived. True where they are the answer: next() has changed.
  bool heard(TimePoint now) {
    heard_at_ = now;
    return std::exchange(asked_, false);
  }
  // What to do now; `active`: there are calls to be anxious about.
  Step step(TimePoint now, bool active) {
    if (asked_) return now >= later(asked_at_, timeout_) ? Step::kDead : Step::kWait;
    if (!active || now < later(heard_at_, time_)) return Step::kWait;
    asked_ = true;
    asked_at_ = now;
    return Step::kPing;
  }
  // When step() is to be called again.
  TimePoint next(TimePoint now, bool active) const {
    if (asked_) return later(asked_at_, timeout_);
    return later(active ? heard_at_ : now, time_);
  }

 private:
  std::chrono::milliseconds time_;
  std::chrono::milliseconds timeout_;
  TimePoint heard_at_;
  TimePoint asked_at_{};
  bool asked_ = false;
};

class PingStrikes {
 public:
  explicit PingStrikes(const ServerKeepaliveOptions& options)
      : interval_min_(options.ping_interval_min), without_calls_(options.permit_pings_without_calls) {}

  // A PING came. True: that was one too many.
  bool on_ping(TimePoint now, bool calls) {
    const auto interval = calls || without_calls_ ? interval_min_ : kIntervalWithoutCalls;
    if (pinged_ && now < later(pinged_at_, interval)) ++strikes_;
    pinged_ = true;
    pinged_at_ = now;
    return strikes_ > kStrikesMax;
  }
  // The peer was sent headers or data: it may well ask how long they take.
  void reset() {
    strikes_ = 0;
    pinged_ = false;
  }

 private:
  static constexpr std::chrono::milliseconds kIntervalWithoutCalls = std::chrono::hours(2);
  static constexpr int kStrikesMax = 2;
  const std::chrono::milliseconds interval_min_;
  const bool without_calls_;
  TimePoint pinged_at_{};
  bool pinged_ = false;
  int strikes_ = 0;
};

}  // namespace minigrpc::rpc
