// Tally: what a client's calls cost, counted by all clients of bench/ in the same way.
//
//   bench::Tally tally(in_flight);
//   … of each call, on any thread:  begin = tally.begin();  call;  tally.end(begin, answer_is_right);
//   … in main():                    tally.measure(seconds);  let the calls end;  return tally.report();
//
// Thread rule: begin() and end() any thread; the rest belongs to main().
#pragma once

#include <time.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <thread>
#include <vector>

namespace bench {

using Clock = std::chrono::steady_clock;

class Tally {
 public:
  // Of what is not timed, such as the messages of a stream.
  Tally() : Tally(0) {}
  // Calls are timed where only one is in flight: then a reading of the clock is nothing beside them, and
  // nobody else touches the list of times.
  explicit Tally(unsigned in_flight) : timed_(in_flight == 1) {
    if (timed_) latencies_.reserve(kLatenciesMax);
  }

  Clock::time_point begin() const { return timed_ ? Clock::now() : Clock::time_point(); }
  void end(Clock::time_point begin, bool right) {
    calls_.fetch_add(1, std::memory_order_relaxed);
    if (!right) wrong_.fetch_add(1, std::memory_order_relaxed);
    if (timed_ && measuring_.load(std::memory_order_relaxed) && latencies_.size() < kLatenciesMax)
      latencies_.push_back(Clock::now() - begin);
  }

  // Blocks: lets the calls warm up, then counts them for `seconds`.
  void measure(double seconds) {
    std::this_thread::sleep_for(std::chrono::milliseconds(500));
    const Reading from = read();
    measuring_ = true;
    std::this_thread::sleep_for(std::chrono::duration<double>(seconds));
    measuring_ = false;
    const Reading to = read();
    calls_measured_ = to.calls - from.calls;
    wall_s_ = to.wall_s - from.wall_s;
    processor_s_ = to.processor_s - from.processor_s;
  }

  // Prints a line of JSON, once no call is in flight; the exit status: 0 if every answer was right.
  int report() {
    std::printf(
        "{\"calls\": %llu, \"wall_s\": %.6f, \"processor_s\": %.6f, \"calls_total\": %llu, \"wrong\": %llu",
        static_cast<unsigned long long>(calls_measured_), wall_s_, processor_s_,
        static_cast<unsigned long long>(calls_.load()), static_cast<unsigned long long>(wrong_.load()));
    if (!latencies_.empty()) {
      std::sort(latencies_.begin(), latencies_.end());
      std::printf(", \"p50_us\": %.3f, \"p99_us\": %.3f", percentile_us(0.5), percentile_us(0.99));
    }
    std::printf("}\n");
    return calls_measured_ > 0 && wrong_ == 0 ? 0 : 1;
  }

 private:
  struct Reading {
    std::uint64_t calls;
    double wall_s;
    double processor_s;  // of all threads of this process, in user and system mode
  };
  static constexpr std::size_t kLatenciesMax = 1 << 20;

  static double seconds_of(clockid_t clock) {
    timespec time{};
    clock_gettime(clock, &time);
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
  }
  Reading read() const {
    return {calls_.load(), seconds_of(CLOCK_MONOTONIC), seconds_of(CLOCK_PROCESS_CPUTIME_ID)};
  }
  double percentile_us(double share) const {
    const auto index = static_cast<std::size_t>(share * static_cast<double>(latencies_.size() - 1));
    return std::chrono::duration<double, std::micro>(latencies_[index]).count();
  }

  const bool timed_;
  std::atomic<bool> measuring_{false};
  std::atomic<std::uint64_t> calls_{0};
  std::atomic<std::uint64_t> wrong_{0};
  std::vector<Clock::duration> latencies_;
  std::uint64_t calls_measured_ = 0;
  double wall_s_ = 0;
  double processor_s_ = 0;
};

}  // namespace bench
