// What one side can know of a lease's time: requests sent, answers received, the deadline that follows. Pure.
//
// An answer counts from the sending of its request: the server renewed the lease at that moment or later, so
// this deadline never lies behind the server's. Answers come in the order of the requests.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <optional>

namespace minigrpc::etcd {

class LeaseClock {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;

  LeaseClock(std::int64_t ttl_s, TimePoint granted)
      : ttl_s_(ttl_s), deadline_(granted + std::chrono::seconds(ttl_s)) {}

  // Requests of an earlier stream are never answered.
  void on_stream_opened() { unanswered_.clear(); }
  void on_sent(TimePoint now) { unanswered_.push_back(now); }
  void on_answer(std::int64_t ttl_s) {
    if (unanswered_.empty()) return;  // answered twice: tells nothing new
    ttl_s_ = ttl_s;
    deadline_ = unanswered_.front() + std::chrono::seconds(ttl_s);
    unanswered_.pop_front();
  }

  TimePoint deadline() const { return deadline_; }
  // Between two renewals.
  std::chrono::milliseconds period() const { return std::chrono::milliseconds(ttl_s_ * 1000 / 3); }
  // Since when the oldest request waits for its answer.
  std::optional<TimePoint> waiting_since() const {
    return unanswered_.empty() ? std::nullopt : std::optional(unanswered_.front());
  }

 private:
  std::int64_t ttl_s_;
  TimePoint deadline_;
  std::deque<TimePoint> unanswered_;
};

}  // namespace minigrpc::etcd
