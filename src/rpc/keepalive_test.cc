#include "rpc/keepalive.h"

#include <gtest/gtest.h>

#include "h2/bdp_estimator.h"

namespace minigrpc::rpc {
namespace {

using namespace std::chrono_literals;
using Step = Keepalive::Step;

const TimePoint kStart = TimePoint() + 1h;

TEST(Keepalive, AsksAfterSilenceAndGivesUpWithoutAnAnswer) {
  Keepalive keepalive(10s, 2s, kStart);
  EXPECT_EQ(keepalive.next(kStart, true), kStart + 10s);
  EXPECT_EQ(keepalive.step(kStart + 9s, true), Step::kWait);
  EXPECT_EQ(keepalive.step(kStart + 10s, true), Step::kPing);
  EXPECT_EQ(keepalive.next(kStart + 10s, true), kStart + 12s);
  EXPECT_EQ(keepalive.step(kStart + 11s, true), Step::kWait);
  EXPECT_EQ(keepalive.step(kStart + 12s, true), Step::kDead);
}

TEST(Keepalive, AnythingHeardIsAnAnswer) {
  Keepalive keepalive(10s, 2s, kStart);
  EXPECT_EQ(keepalive.step(kStart + 10s, true), Step::kPing);
  EXPECT_TRUE(keepalive.heard(kStart + 11s));
  EXPECT_FALSE(keepalive.heard(kStart + 11s));
  EXPECT_EQ(keepalive.step(kStart + 12s, true), Step::kWait);
  EXPECT_EQ(keepalive.next(kStart + 12s, true), kStart + 21s);
}

TEST(Keepalive, WithoutCallsItDoesNotAsk) {
  Keepalive keepalive(10s, 2s, kStart);
  EXPECT_EQ(keepalive.step(kStart + 60s, false), Step::kWait);
  EXPECT_EQ(keepalive.next(kStart + 60s, false), kStart + 70s);
  EXPECT_EQ(keepalive.step(kStart + 70s, true), Step::kPing);
}

TEST(Keepalive, NeverIsNever) {
  Keepalive keepalive(kNever, 2s, kStart);
  EXPECT_FALSE(keepalive.enabled());
  EXPECT_EQ(keepalive.next(kStart, true), TimePoint::max());
}

TEST(PingStrikes, TheThirdOneTooEarlyIsTooMany) {
  PingStrikes strikes({.ping_interval_min = 10s});
  EXPECT_FALSE(strikes.on_ping(kStart, true));
  EXPECT_FALSE(strikes.on_ping(kStart + 1s, true));
  EXPECT_FALSE(strikes.on_ping(kStart + 2s, true));
  EXPECT_TRUE(strikes.on_ping(kStart + 3s, true));
}

TEST(PingStrikes, WhatIsSentInBetweenForgives) {
  PingStrikes strikes({.ping_interval_min = 10s});
  for (int i = 0; i < 100; ++i) {
    EXPECT_FALSE(strikes.on_ping(kStart + i * 1s, true));
    strikes.reset();
  }
}

TEST(PingStrikes, TheDefaultsOfAChannelNeverEarnOne) {
  PingStrikes strikes{ServerKeepaliveOptions{}};
  const auto time = ChannelKeepaliveOptions{}.time;
  for (int i = 0; i < 1000; ++i) EXPECT_FALSE(strikes.on_ping(kStart + i * time, true));
}

TEST(PingStrikes, WithoutCallsTheIntervalIsTwoHours) {
  PingStrikes strict({.ping_interval_min = 10s});
  PingStrikes lenient({.ping_interval_min = 10s, .permit_pings_without_calls = true});
  bool too_many = false;
  for (int i = 0; i < 4; ++i) {
    too_many = strict.on_ping(kStart + i * 1min, false);
    EXPECT_FALSE(lenient.on_ping(kStart + i * 1min, false));
  }
  EXPECT_TRUE(too_many);
}

TEST(BdpEstimator, TheWindowGrowsWhileItIsWhatLimits) {
  h2::BdpEstimator estimator(100'000, 1'000'000);
  EXPECT_FALSE(estimator.received(20'000));
  ASSERT_TRUE(estimator.received(10'000)) << "a quarter of the window";
  estimator.ping_sent(kStart);
  EXPECT_FALSE(estimator.received(90'000)) << "one measurement at a time";
  EXPECT_EQ(estimator.ping_acked(kStart + 10ms), 200'000u);
  // Faster still, and the window is full again.
  ASSERT_TRUE(estimator.received(50'000));
  estimator.ping_sent(kStart + 20ms);
  estimator.received(1'900'000);
  EXPECT_EQ(estimator.ping_acked(kStart + 30ms), 1'000'000u) << "no further than the bound";
  EXPECT_FALSE(estimator.received(5'000'000)) << "there is nothing left to find out";
}

TEST(BdpEstimator, AWindowThatIsNotFullStays) {
  h2::BdpEstimator estimator(100'000, 1'000'000);
  ASSERT_TRUE(estimator.received(25'000));
  estimator.ping_sent(kStart);
  estimator.received(60'000);
  EXPECT_EQ(estimator.ping_acked(kStart + 10ms), std::nullopt);
}

TEST(BdpEstimator, ALongerQueueIsNoFasterPath) {
  h2::BdpEstimator estimator(100'000, 1'000'000);
  ASSERT_TRUE(estimator.received(25'000));
  estimator.ping_sent(kStart);
  estimator.received(90'000);
  EXPECT_TRUE(estimator.ping_acked(kStart + 10ms).has_value());
  ASSERT_TRUE(estimator.received(100'000));
  estimator.ping_sent(kStart + 1s);
  estimator.received(190'000);  // twice the bytes in three times the time
  EXPECT_EQ(estimator.ping_acked(kStart + 1s + 30ms), std::nullopt);
}

}  // namespace
}  // namespace minigrpc::rpc
