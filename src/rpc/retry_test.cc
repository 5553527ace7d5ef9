#include "rpc/retry.h"

#include <gtest/gtest.h>

namespace minigrpc::rpc {
namespace {

using namespace std::chrono_literals;

Pushback pushback(std::string_view value) {
  const HeaderView fields[] = {{"grpc-status", "14"}, {"grpc-retry-pushback-ms", value}};
  return pushback_of(fields);
}

TEST(Retry, PushbackIsANumberOrANo) {
  EXPECT_EQ(pushback("0").pause, 0ms);
  EXPECT_EQ(pushback("1500").pause, 1500ms);
  EXPECT_FALSE(pushback("1500").never);
  for (const char* no : {"-1", "", "1.5", "soon", "1 ", "99999999999"}) {
    EXPECT_TRUE(pushback(no).never) << no;
    EXPECT_FALSE(pushback(no).pause) << no;
  }
  const HeaderView silent[] = {{"grpc-status", "14"}};
  EXPECT_FALSE(pushback_of(silent).never);
  EXPECT_FALSE(pushback_of(silent).pause);
}

TEST(Retry, PausesGrowUpToTheirBound) {
  RetryPolicy policy;
  policy.initial_backoff = 100ms;
  policy.backoff_max = 350ms;
  policy.backoff_multiplier = 2;
  RetryPauses pauses(policy);
  EXPECT_EQ(pauses.next(0.5), 100ms);
  EXPECT_EQ(pauses.next(0.5), 200ms);
  EXPECT_EQ(pauses.next(0.5), 350ms);
  EXPECT_EQ(pauses.next(0.5), 350ms);
  pauses.reset();
  EXPECT_EQ(pauses.next(0.0), 80ms);
  EXPECT_EQ(pauses.next(0.0), 160ms);
  EXPECT_LE(pauses.next(0.999), 420ms);
}

TEST(Retry, TheThrottleStopsAtHalf) {
  RetryThrottle throttle({.tokens_max_milli = 4000, .token_ratio_milli = 500});
  EXPECT_TRUE(throttle.allows());
  throttle.failed();
  EXPECT_TRUE(throttle.allows());
  throttle.failed();
  EXPECT_FALSE(throttle.allows()) << "half is not more than half";
  throttle.succeeded();
  EXPECT_TRUE(throttle.allows());
  for (int i = 0; i < 10; ++i) throttle.failed();
  for (int i = 0; i < 4; ++i) throttle.succeeded();
  EXPECT_FALSE(throttle.allows()) << "never below zero";
  throttle.succeeded();
  EXPECT_TRUE(throttle.allows());
  for (int i = 0; i < 100; ++i) throttle.succeeded();
  throttle.failed();
  throttle.failed();
  EXPECT_FALSE(throttle.allows()) << "never above its maximum";
}

TEST(Retry, AnotherConfigKeepsHowFullItIs) {
  RetryThrottle throttle({.tokens_max_milli = 4000, .token_ratio_milli = 500});
  throttle.failed();
  throttle.configure({.tokens_max_milli = 8000, .token_ratio_milli = 500});
  EXPECT_TRUE(throttle.allows());
  throttle.failed();
  throttle.failed();
  EXPECT_FALSE(throttle.allows());
}

}  // namespace
}  // namespace minigrpc::rpc
