#include "rpc/stride_scheduler.h"

#include <gtest/gtest.h>

namespace minigrpc::rpc {
namespace {

std::vector<int> turns(const std::vector<double>& weights, int count, std::uint64_t begin = 0) {
  StrideScheduler scheduler(weights, begin);
  std::vector<int> turns(weights.size());
  for (int i = 0; i < count; ++i) ++turns[scheduler.next()];
  return turns;
}

TEST(StrideScheduler, EqualWeightsTakeTurns) {
  StrideScheduler scheduler({3, 3, 3}, 0);
  for (std::size_t i = 0; i < 30; ++i) EXPECT_EQ(scheduler.next(), i % 3);
}

TEST(StrideScheduler, TurnsAreByWeight) {
  for (const std::uint64_t begin : {0u, 1u, 12345u}) {
    const auto counts = turns({1, 2, 5}, 8000, begin);
    EXPECT_NEAR(counts[0], 1000, 2);
    EXPECT_NEAR(counts[1], 2000, 2);
    EXPECT_NEAR(counts[2], 5000, 2);
  }
}

TEST(StrideScheduler, TheyAreSpreadOut) {
  StrideScheduler scheduler({1, 4}, 0);
  int since = 0;
  for (int i = 0; i < 1000; ++i) {
    since = scheduler.next() == 0 ? 0 : since + 1;
    ASSERT_LE(since, 5);
  }
}

TEST(StrideScheduler, NobodyStarves) {
  const auto counts = turns({1e9, 0}, 70'000);
  EXPECT_GE(counts[1], 1);
  EXPECT_LE(counts[1], 2);
}

}  // namespace
}  // namespace minigrpc::rpc
