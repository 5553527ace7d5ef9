#include "net/timer.h"

#include <gtest/gtest.h>

#include <map>
#include <random>

namespace minigrpc::net {
namespace {

TimePoint at(int tick) { return TimePoint(std::chrono::nanoseconds(tick)); }

struct Recorder final : Timer {
  explicit Recorder(std::vector<int>& out, int number) : fired(out), id(number) {}
  void on_timer() noexcept override { fired.push_back(id); }
  std::vector<int>& fired;
  int id;
};

TEST(TimerHeap, FiresInOrderWhatIsDue) {
  std::vector<int> fired;
  TimerHeap heap;
  Recorder a(fired, 1), b(fired, 2), c(fired, 3);
  heap.arm(a, at(30));
  heap.arm(b, at(10));
  heap.arm(c, at(20));
  EXPECT_EQ(heap.earliest(), at(10));
  heap.run_due(at(20));
  EXPECT_EQ(fired, (std::vector<int>{2, 3}));
  EXPECT_TRUE(a.armed());
  heap.arm(a, at(5));
  heap.run_due(at(5));
  EXPECT_EQ(fired.back(), 1);
  EXPECT_EQ(heap.earliest(), TimePoint::max());
}

TEST(TimerHeap, RandomOperationsAgreeWithAMap) {
  const unsigned seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  std::vector<int> fired;
  std::vector<std::unique_ptr<Recorder>> timers;
  for (int i = 0; i < 200; ++i) timers.push_back(std::make_unique<Recorder>(fired, i));
  TimerHeap heap;
  std::map<int, int> model;  // id → tick
  int now = 0;
  for (int step = 0; step < 20'000; ++step) {
    const int id = static_cast<int>(random() % 200);
    switch (random() % 4) {
      case 0:
      case 1: {
        const int tick = now + static_cast<int>(random() % 100);
        heap.arm(*timers[static_cast<std::size_t>(id)], at(tick));
        model[id] = tick;
        break;
      }
      case 2:
        heap.disarm(*timers[static_cast<std::size_t>(id)]);
        model.erase(id);
        break;
      default: {
        now += static_cast<int>(random() % 10);
        fired.clear();
        heap.run_due(at(now));
        std::size_t due = 0;
        int last = 0;
        for (const int each : fired) {
          ASSERT_TRUE(model.contains(each));
          ASSERT_LE(model[each], now);
          ASSERT_GE(model[each], last);
          last = model[each];
          ++due;
        }
        ASSERT_EQ(due, static_cast<std::size_t>(std::erase_if(model, [&](const auto& one) { return one.second <= now; })));
      }
    }
    ASSERT_EQ(timers[static_cast<std::size_t>(id)]->armed(), model.contains(id));
  }
}

}  // namespace
}  // namespace minigrpc::net
