// Hours that pass at once.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <minigrpc/runtime.h>
#include <minigrpc/test_kit.h>

#include <atomic>
#include <future>
#include <thread>

#include "rpc/test_echo.h"

namespace minigrpc {
namespace {

using namespace std::chrono_literals;
using test::call_unary;
using test_kit::FakeClock;

class FakeClockTest : public ::testing::Test {
 protected:
  // Within some seconds of real time.
  template <class Condition>
  static bool becomes(Condition condition) {
    for (int i = 0; i < 2000 && !condition(); ++i) std::this_thread::sleep_for(5ms);
    return condition();
  }
  Task<void> count_each(std::chrono::hours period, std::atomic<int>* times) {
    for (;;) {
      Task<bool> sleeping = runtime_.sleep_for(period);
      if (!co_await sleeping) break;
      ++*times;
    }
  }

  FakeClock clock_;
  Runtime runtime_{{.loops = 2}};
};

TEST_F(FakeClockTest, TimeStandsStill) {
  const TimePoint before = Runtime::now();
  std::this_thread::sleep_for(20ms);
  EXPECT_EQ(Runtime::now(), before);
  clock_.advance(1h);
  EXPECT_EQ(Runtime::now(), before + 1h);
  EXPECT_EQ(clock_.now(), before + 1h);
}

TEST_F(FakeClockTest, ASleeperWakesWhenItsTimeHasCome) {
  std::atomic<int> times{0};
  TaskScope scope(runtime_);
  scope.spawn(count_each(1h, &times));
  sync_wait(scope.run([]() -> Task<void> { co_return; }()));  // it sleeps now
  clock_.advance(59min + 59s);
  EXPECT_EQ(times, 0);
  clock_.advance(1s);
  EXPECT_EQ(times, 1);
}

// Each time at its own time, as if nobody had jumped.
TEST_F(FakeClockTest, APeriodThatPassesOftenIsHeardOften) {
  std::atomic<int> times{0};
  TaskScope scope(runtime_);
  scope.spawn(count_each(1h, &times));
  sync_wait(scope.run([]() -> Task<void> { co_return; }()));
  clock_.advance(24h);
  EXPECT_EQ(times, 24);
}

// A call of another process's patience: the deadline passes here, and travels to the handler.
TEST_F(FakeClockTest, ADeadlinePasses) {
  test::Echo echo(runtime_);
  Server server(runtime_);
  server.add(echo);
  const std::string address = "127.0.0.1:" + std::to_string(*server.listen("127.0.0.1:0"));
  Channel channel(runtime_, address);
  ASSERT_TRUE(call_unary(channel, "a").has_value());
  auto call =
      std::async(std::launch::async, [&] { return call_unary(channel, "sleep", {.timeout = 10min}); });
  const TimePoint begin = clock_.now();
  EXPECT_EQ(call.wait_for(20ms), std::future_status::timeout);
  // More than once: a call that is not under way yet would begin after the leap, with all of its time.
  while (call.wait_for(1ms) != std::future_status::ready) clock_.advance(1min);
  EXPECT_EQ(call.get().error().code(), StatusCode::kDeadlineExceeded);
  EXPECT_GE(clock_.now() - begin, 10min);
}

TEST_F(FakeClockTest, AnIdleConnectionIsClosed) {
  test::Echo echo(runtime_);
  Server server(runtime_, {.connection_idle_max = 10min});
  server.add(echo);
  const std::string address = "127.0.0.1:" + std::to_string(*server.listen("127.0.0.1:0"));
  Channel channel(runtime_, address);
  ASSERT_TRUE(call_unary(channel, "a").has_value());
  EXPECT_EQ(channel.state(), ChannelState::kReady);
  clock_.advance(9min);
  EXPECT_EQ(channel.state(), ChannelState::kReady);
  clock_.advance(12min);
  EXPECT_TRUE(becomes([&] { return channel.state() == ChannelState::kIdle; }));
}

}  // namespace
}  // namespace minigrpc
