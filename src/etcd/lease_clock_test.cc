#include "etcd/lease_clock.h"

#include <gtest/gtest.h>

namespace minigrpc::etcd {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

const LeaseClock::TimePoint kStart{};

TEST(LeaseClock, CountsFromTheSendingOfTheAnsweredRequest) {
  LeaseClock clock(9, kStart);
  EXPECT_EQ(clock.deadline(), kStart + seconds(9));
  EXPECT_EQ(clock.period(), seconds(3));
  clock.on_sent(kStart + seconds(3));
  clock.on_sent(kStart + seconds(6));
  EXPECT_EQ(clock.deadline(), kStart + seconds(9)) << "a request alone renews nothing";
  clock.on_answer(9);
  EXPECT_EQ(clock.deadline(), kStart + seconds(12));
  clock.on_answer(9);
  EXPECT_EQ(clock.deadline(), kStart + seconds(15));
}

TEST(LeaseClock, KnowsSinceWhenItWaits) {
  LeaseClock clock(1, kStart);
  EXPECT_EQ(clock.period(), milliseconds(333));
  EXPECT_FALSE(clock.waiting_since());
  clock.on_sent(kStart + milliseconds(1));
  clock.on_sent(kStart + milliseconds(2));
  EXPECT_EQ(clock.waiting_since(), kStart + milliseconds(1));
  clock.on_answer(1);
  EXPECT_EQ(clock.waiting_since(), kStart + milliseconds(2));
}

TEST(LeaseClock, ANewStreamOwesNothingForTheOldOne) {
  LeaseClock clock(9, kStart);
  clock.on_sent(kStart + seconds(3));
  clock.on_stream_opened();
  EXPECT_FALSE(clock.waiting_since());
  clock.on_sent(kStart + seconds(5));
  clock.on_answer(9);
  EXPECT_EQ(clock.deadline(), kStart + seconds(14));
  clock.on_answer(9);
  EXPECT_EQ(clock.deadline(), kStart + seconds(14)) << "an answer without a request tells nothing";
}

TEST(LeaseClock, TakesTheTtlThatTheServerSays) {
  LeaseClock clock(9, kStart);
  clock.on_sent(kStart);
  clock.on_answer(30);
  EXPECT_EQ(clock.deadline(), kStart + seconds(30));
  EXPECT_EQ(clock.period(), seconds(10));
}

}  // namespace
}  // namespace minigrpc::etcd
