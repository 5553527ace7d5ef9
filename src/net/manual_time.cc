#include "net/manual_time.h"

#include <minigrpc/result.h>

#include <algorithm>
#include <future>

#include "net/loop.h"

namespace minigrpc::net {

namespace {

// What a timer does may wake a task of another loop, which arms a timer there. It is given so many rounds to
// do so.
constexpr int kRounds = 3;

// Runs what is due on every loop, and says when the next timer is due.
TimePoint settle(const std::vector<Loop*>& loops) {
  TimePoint earliest = TimePoint::max();
  for (int round = 0; round < kRounds; ++round) {
    std::vector<std::promise<TimePoint>> answers(loops.size());
    for (std::size_t i = 0; i < loops.size(); ++i)
      loops[i]->post([loop = loops[i], answer = &answers[i]] { answer->set_value(loop->run_due_timers()); });
    earliest = TimePoint::max();
    for (std::promise<TimePoint>& answer : answers) earliest = std::min(earliest, answer.get_future().get());
  }
  return earliest;
}

}  // namespace

void stop_time() {
  Loop::Living living = Loop::living();
  detail::require(living.loops.empty(), "a FakeClock was made while a Runtime lived: make it first");
  detail::require(!Loop::time_is_manual(), "there are two FakeClocks");
  Loop::set_manual_time(std::chrono::steady_clock::now());
}

void release_time() {
  Loop::Living living = Loop::living();
  detail::require(living.loops.empty(), "a FakeClock ended before a Runtime that it was made for");
  Loop::set_manual_time(std::nullopt);
}

void move_time(TimePoint until) {
  detail::require(Loop::current() == nullptr, "time was moved on an event loop, which has to run meanwhile");
  Loop::Living living = Loop::living();
  for (;;) {
    const TimePoint next = settle(living.loops);
    if (next > until) break;
    Loop::set_manual_time(std::max(next, Loop::now()));
  }
  Loop::set_manual_time(std::max(until, Loop::now()));
  settle(living.loops);
}

}  // namespace minigrpc::net
