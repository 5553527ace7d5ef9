#include <gtest/gtest.h>
#include <minigrpc/runtime.h>

#include <atomic>
#include <thread>

namespace minigrpc {
namespace {

using namespace std::chrono_literals;

// What its owner left behind must end before the runtime does: it touches both.
Task<void> wait_until_cancelled(Runtime& runtime, std::atomic<int>& ended) {
  Task<bool> sleeping = runtime.sleep_for(1h);
  co_await sleeping;
  // Longer than its owner takes to go.
  Task<int> working = runtime.blocking([] {
    std::this_thread::sleep_for(20ms);
    return 1;
  });
  ended += co_await working;
}

Task<void> own_scopes(Runtime& runtime, std::atomic<int>& ended, int count) {
  for (int i = 0; i < count; ++i) {
    TaskScope scope(runtime);
    scope.spawn(wait_until_cancelled(runtime, ended));
    scope.spawn(wait_until_cancelled(runtime, ended));
  }
  co_return;
}

TEST(TaskScope, OffTheLoopsItsDestructorWaits) {
  Runtime runtime;
  std::atomic<int> ended = 0;
  {
    TaskScope scope(runtime);
    scope.spawn(wait_until_cancelled(runtime, ended));
    scope.spawn(wait_until_cancelled(runtime, ended));
  }
  EXPECT_EQ(ended, 2);
}

TEST(TaskScope, OnALoopTheRuntimeWaitsInItsPlace) {
  std::atomic<int> ended = 0;
  {
    Runtime runtime({.loops = 2});
    TaskScope owner(runtime);
    sync_wait(owner.run(own_scopes(runtime, ended, 50)));
  }
  EXPECT_EQ(ended, 100);
}

}  // namespace
}  // namespace minigrpc
