#include "registry/auto_compaction.h"

#include <gtest/gtest.h>

namespace minigrpc::registry {
namespace {

constexpr std::int64_t kHourMs = 3'600'000;

TEST(CompactionPlan, KeepsWhatIsYoungerThanTheRetention) {
  CompactionPlan plan({.retention_ms = kHourMs});
  EXPECT_EQ(plan.period_ms(), 300'000);
  std::int64_t now = 1'000'000;
  // Ten revisions every five minutes; the one of an hour ago is the twelfth sample back.
  std::int64_t revision = 0;
  for (int sample = 0; sample < 12; ++sample, now += 300'000) {
    revision += 10;
    EXPECT_EQ(plan.next(now, revision), std::nullopt) << sample;
  }
  for (int sample = 0; sample < 5; ++sample, now += 300'000) {
    revision += 10;
    EXPECT_EQ(plan.next(now, revision), 10 * (sample + 1));
  }
  // Nothing new: nothing to do.
  CompactionPlan quiet({.retention_ms = kHourMs});
  EXPECT_EQ(quiet.next(0, 5), std::nullopt);
  EXPECT_EQ(quiet.next(kHourMs, 5), 5);
  EXPECT_EQ(quiet.next(2 * kHourMs, 5), std::nullopt);
}

TEST(CompactionPlan, KeepsANumberOfRevisions) {
  CompactionPlan plan({.retention_revisions = 1000});
  EXPECT_EQ(plan.period_ms(), 300'000);
  EXPECT_EQ(plan.next(0, 900), std::nullopt);
  EXPECT_EQ(plan.next(0, 1000), std::nullopt);
  EXPECT_EQ(plan.next(0, 1500), 500);
  EXPECT_EQ(plan.next(0, 1500), std::nullopt);
}

// A process that was stopped for long knows nothing of the time between: the sample from before it is old enough, and no
// later one is.
TEST(CompactionPlan, ALongPauseTakesNoMoreThanWasOld) {
  CompactionPlan plan({.retention_ms = kHourMs});
  EXPECT_EQ(plan.next(0, 10), std::nullopt);
  EXPECT_EQ(plan.next(300'000, 20), std::nullopt);
  EXPECT_EQ(plan.next(100 * kHourMs, 30), 20);
  EXPECT_EQ(plan.next(100 * kHourMs + 300'000, 40), std::nullopt);
}

TEST(CompactionPlan, AShortRetentionIsLookedAtOften) {
  EXPECT_EQ(CompactionPlan({.retention_ms = 10'000}).period_ms(), 1000);
  EXPECT_EQ(CompactionPlan({.retention_ms = 1}).period_ms(), 100);
}

}  // namespace
}  // namespace minigrpc::registry
