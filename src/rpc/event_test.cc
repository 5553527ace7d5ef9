#include <gtest/gtest.h>
#include <minigrpc/runtime.h>

#include <pthread.h>
#include <sched.h>

#include <thread>

#include "rpc/runtime_impl.h"

namespace minigrpc {
namespace {

using namespace std::chrono_literals;

TimePoint now() { return std::chrono::steady_clock::now(); }

// Deadlines that have passed when the wait begins.
Task<void> wait_past_deadlines(Runtime& runtime, int count, AsyncEvent& done) {
  AsyncEvent never;
  for (int i = 0; i < count; ++i) {
    Task<bool> waiting = never.wait_until(runtime, now());
    const bool fired = co_await waiting;
    EXPECT_FALSE(fired);
  }
  done.set();
}

// This thread, and those that it starts from now on, share one processor.
void share_one_processor() {
  cpu_set_t one;
  CPU_ZERO(&one);
  CPU_SET(static_cast<unsigned>(sched_getcpu()), &one);
  pthread_setaffinity_np(pthread_self(), sizeof one, &one);
}
// This thread gives way to whatever it wakes there.
Task<void> give_way() {
  sched_param none{};
  pthread_setschedparam(pthread_self(), SCHED_IDLE, &none);
  co_return;
}

// The deadline is watched on another thread, which is made to come first: it must not find nobody waiting yet.
TEST(AsyncEvent, ADeadlineIsNotMissedWhileTheWaitBegins) {
  std::thread([] {
    share_one_processor();
    Runtime runtime({.loops = 2});
    AsyncEvent done;
    TaskScope first(runtime);
    TaskScope second(runtime);
    ASSERT_NE(&first.executor(), &second.executor()) << "deadlines are watched on the first loop";
    sync_wait(second.run(give_way()));
    second.spawn(wait_past_deadlines(runtime, 20, done));
    EXPECT_TRUE(sync_wait(done.wait_until(runtime, now() + 50s))) << "a wait has no end";
  }).join();
}

TEST(AsyncEvent, AWaitEndsByWhatComesFirst) {
  Runtime runtime({.loops = 2});
  AsyncEvent event;
  EXPECT_FALSE(sync_wait(event.wait_until(runtime, now() + 5ms)));
  EXPECT_FALSE(sync_wait(event.wait_until(runtime, now() - 1h)));
  TaskScope scope(runtime);
  Task<bool> waiting = scope.run(event.wait_until(runtime, now() + 1h));
  event.set();
  EXPECT_TRUE(sync_wait(std::move(waiting)));
  EXPECT_TRUE(sync_wait(event.wait_until(runtime, now() - 1h))) << "what is set already wins";
}

// Goes from loop to loop.
void hop(rpc::RuntimeImpl& runtime, int& left) {
  if (--left == 0) return;
  runtime.loops()[static_cast<std::size_t>(left % 2)]->post([&runtime, &left] { hop(runtime, left); });
}

TEST(Runtime, RunsWhatWasPostedLast) {
  int left = 10'000;
  {
    Runtime runtime({.loops = 2});
    hop(runtime.impl(), left);
  }
  EXPECT_EQ(left, 0);
}

}  // namespace
}  // namespace minigrpc
