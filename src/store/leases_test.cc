#include "store/leases.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace minigrpc::store {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr std::size_t kAll = 1000;

TEST(Leases, ExpireInTheOrderOfTheirDeadlines) {
  Leases leases;
  leases.grant(3, 30, 0);
  leases.grant(1, 10, 0);
  leases.grant(2, 20, 0);
  EXPECT_EQ(leases.next_expiry_ms(), 10'000);
  EXPECT_THAT(leases.expired(9'999, kAll), IsEmpty());
  EXPECT_THAT(leases.expired(10'000, kAll), ElementsAre(1));
  EXPECT_THAT(leases.expired(60'000, kAll), ElementsAre(1, 2, 3)) << "they stay due until they are revoked";
  EXPECT_THAT(leases.expired(60'000, 2), ElementsAre(1, 2));
  leases.revoke(1);
  EXPECT_THAT(leases.expired(60'000, kAll), ElementsAre(2, 3));
  EXPECT_THAT(leases.ids(), ElementsAre(2, 3));
}

TEST(Leases, ARenewalMovesTheDeadline) {
  Leases leases;
  leases.grant(1, 10, 0);
  leases.grant(2, 15, 0);
  EXPECT_EQ(leases.renew(1, 8'000)->remaining_ms, 10'000);
  EXPECT_EQ(leases.next_expiry_ms(), 15'000);
  EXPECT_THAT(leases.expired(17'000, kAll), ElementsAre(2));
  EXPECT_THAT(leases.expired(18'000, kAll), ElementsAre(2, 1));
  EXPECT_EQ(leases.info(1, 17'000)->remaining_ms, 1'000);
  EXPECT_EQ(leases.info(1, 17'000)->granted_ttl_s, 10);
}

TEST(Leases, ADueLeaseCanBeRenewedUntilItIsRevoked) {
  Leases leases;
  leases.grant(1, 10, 0);
  EXPECT_THAT(leases.expired(60'000, kAll), ElementsAre(1));
  EXPECT_TRUE(leases.renew(1, 60'000).has_value());
  EXPECT_THAT(leases.expired(60'000, kAll), IsEmpty());
  leases.revoke(1);
  EXPECT_FALSE(leases.renew(1, 60'001).has_value());
  EXPECT_EQ(leases.next_expiry_ms(), std::nullopt);
}

// Any thread may renew a lease, but not one that the writer may be revoking.
TEST(Leases, ARenewalInTimeIsOfLeasesThatNobodyRevokes) {
  Leases leases;
  leases.grant(1, 10, 0);
  EXPECT_EQ(leases.renew_in_time(2, 0), std::nullopt);
  EXPECT_EQ(leases.renew_in_time(1, 9'999)->remaining_ms, 10'000);
  EXPECT_EQ(leases.renew_in_time(1, 19'999), std::nullopt) << "it is due";
  EXPECT_THAT(leases.expired(20'000, 9), ElementsAre(1));
  // By a clock that was read before: the writer has it in its hands.
  EXPECT_EQ(leases.renew_in_time(1, 19'000), std::nullopt);
  EXPECT_EQ(leases.renew(1, 20'001)->remaining_ms, 10'000);
  EXPECT_EQ(leases.renew_in_time(1, 20'002)->remaining_ms, 10'000);
  leases.revoke(1);
  EXPECT_EQ(leases.renew_in_time(1, 20'003), std::nullopt);
}

TEST(Leases, AnIdGrantedAgainIsOneLease) {
  Leases leases;
  leases.grant(1, 10, 0);
  leases.revoke(1);
  leases.grant(1, 10, 0);
  EXPECT_THAT(leases.expired(10'000, kAll), ElementsAre(1)) << "once";
  leases.revoke(1);
  leases.grant(1, 5, 0);
  EXPECT_EQ(leases.next_expiry_ms(), 5'000) << "the old, later entry does not count";
}

TEST(Leases, ARestartGivesEveryLeaseItsFullTtl) {
  Leases leases;
  leases.grant(1, 10, 0);
  leases.grant(2, 20, 0);
  leases.restart(100'000);
  EXPECT_THAT(leases.expired(109'999, kAll), IsEmpty());
  EXPECT_THAT(leases.expired(120'000, kAll), ElementsAre(1, 2));
}

TEST(Leases, NegativeIdsAreIds) {
  Leases leases;
  leases.grant(-5, 10, 0);
  leases.grant(5, 10, 0);
  EXPECT_THAT(leases.ids(), ElementsAre(-5, 5));
}

}  // namespace
}  // namespace minigrpc::store
