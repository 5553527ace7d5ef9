#include "etcd/backoff.h"

#include <gtest/gtest.h>

namespace minigrpc::etcd {
namespace {

using std::chrono::milliseconds;

TEST(Backoff, TriesAgainAtOnceThenLongerAndLonger) {
  Backoff backoff(milliseconds(100), milliseconds(350));
  EXPECT_EQ(backoff.next(0.5), milliseconds(0));
  EXPECT_EQ(backoff.next(0.5), milliseconds(50));
  EXPECT_EQ(backoff.next(0.5), milliseconds(100));
  EXPECT_EQ(backoff.next(0.5), milliseconds(175));
  EXPECT_EQ(backoff.next(0.5), milliseconds(175));
}

TEST(Backoff, IsFullyJitteredButNeverNothing) {
  Backoff backoff(milliseconds(1000), milliseconds(1000));
  (void)backoff.next(0);
  EXPECT_EQ(backoff.next(0), milliseconds(10));
  EXPECT_EQ(backoff.next(0.999), milliseconds(999));
}

TEST(Backoff, SuccessMakesTheNextFailureAFirstOne) {
  Backoff backoff(milliseconds(100), milliseconds(1000));
  (void)backoff.next(0.5);
  (void)backoff.next(0.5);
  backoff.reset();
  EXPECT_EQ(backoff.next(0.5), milliseconds(0));
  EXPECT_EQ(backoff.next(0.5), milliseconds(50));
}

}  // namespace
}  // namespace minigrpc::etcd
