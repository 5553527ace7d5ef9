// Lease: grants, keepalives, expiry, and what becomes of the keys.
#include "api_test.h"

namespace minigrpc::testing {
namespace {

class Leases : public Api {
 protected:
  LeaseGrantResponse grant(const std::string& request) {
    return get(lease.LeaseGrant(parse<LeaseGrantRequest>(request), options()));
  }
  std::string grant_refusal(const std::string& request) {
    return refusal(lease.LeaseGrant(parse<LeaseGrantRequest>(request), options()));
  }
  LeaseTimeToLiveResponse time_to_live(std::int64_t id) {
    LeaseTimeToLiveRequest request;
    request.set_id(id);
    request.set_keys(true);
    return get(lease.LeaseTimeToLive(request, options()));
  }
  LeaseRevokeRequest revoking(std::int64_t id) {
    LeaseRevokeRequest request;
    request.set_id(id);
    return request;
  }
  std::vector<std::int64_t> all() {
    std::vector<std::int64_t> ids;
    const LeaseLeasesResponse answer = get(lease.LeaseLeases(LeaseLeasesRequest(), options()));
    for (const LeaseStatus& one : answer.leases()) ids.push_back(one.id());
    std::sort(ids.begin(), ids.end());
    return ids;
  }
};
INSTANTIATE_API_TEST(Leases);

TEST_P(Leases, AreGrantedUnderAChosenIdOrAnyOther) {
  const LeaseGrantResponse chosen = grant("ID: 42 TTL: 600");
  EXPECT_EQ(chosen.id(), 42);
  EXPECT_EQ(chosen.ttl(), 600);
  EXPECT_EQ(chosen.error(), "");
  // It makes no revision.
  EXPECT_EQ(chosen.header().revision(), 1);
  const LeaseGrantResponse other = grant("TTL: 60");
  EXPECT_GT(other.id(), 0);
  EXPECT_NE(other.id(), 42);
  EXPECT_EQ(all().size(), 2u);
  // A short time is lengthened to what an election takes.
  EXPECT_EQ(grant("TTL: 1").ttl(), 2);
}

TEST_P(Leases, GrantsAreRefusedAsDocumented) {
  grant("ID: 42 TTL: 600");
  EXPECT_EQ(grant_refusal("ID: 42 TTL: 600"), "FAILED_PRECONDITION: etcdserver: lease already exists");
  EXPECT_EQ(grant_refusal("ID: 43 TTL: 9000000001"), "OUT_OF_RANGE: etcdserver: too large lease TTL");
  EXPECT_EQ(refusal(lease.LeaseRevoke(revoking(99), options())), "NOT_FOUND: etcdserver: requested lease not found");
}

TEST_P(Leases, TakeTheirKeysWithThemUnderOneRevision) {
  grant("ID: 5 TTL: 600");
  put("a", "1", 5);
  put("b", "2", 5);
  put("c", "3", 5);
  put("c", "4");  // leaves it
  const LeaseTimeToLiveResponse known = time_to_live(5);
  EXPECT_THAT(known.keys(), ::testing::UnorderedElementsAre("a", "b"));
  EXPECT_EQ(known.grantedttl(), 600);
  EXPECT_GT(known.ttl(), 590);
  EXPECT_EQ(get(lease.LeaseRevoke(revoking(5), options())).header().revision(), 6);
  EXPECT_THAT(keys(R"(key: "a" range_end: "z")"), ElementsAre("c=4 4,5,2"));
  EXPECT_THAT(all(), ElementsAre());
  const LeaseTimeToLiveResponse gone = time_to_live(5);
  EXPECT_EQ(gone.ttl(), -1);
  EXPECT_EQ(gone.grantedttl(), 0);
  EXPECT_EQ(gone.keys_size(), 0);
}

TEST_P(Leases, AKeyFollowsItsLastPut) {
  grant("ID: 5 TTL: 600");
  grant("ID: 6 TTL: 600");
  put("k", "1", 5);
  put("k", "2", 6);
  EXPECT_EQ(time_to_live(5).keys_size(), 0);
  get(lease.LeaseRevoke(revoking(5), options()));
  EXPECT_THAT(keys(R"(key: "k")"), ElementsAre("k=2 2,3,2 lease 6"));
}

TEST_P(Leases, ExpireAndTheirWatchersHearOfIt) {
  grant("ID: 7 TTL: 2");
  put("b", "v", 7);
  put("a", "v", 7);
  WatchStream stream(channel, options());
  stream.create(R"(key: "a" range_end: "z")");
  const WatchResponse expired = stream.next();
  EXPECT_THAT(describe(expired), ::testing::UnorderedElementsAre("DELETE a 4", "DELETE b 4"));
  EXPECT_EQ(time_to_live(7).ttl(), -1);
}

class KeepAlive : public Leases {
 protected:
  using Call = ClientStream<LeaseKeepAliveRequest, LeaseKeepAliveResponse>;
  static Task<std::optional<LeaseKeepAliveResponse>> renew(Call* call, std::int64_t id) {
    LeaseKeepAliveRequest request;
    request.set_id(id);
    auto writing = call->write(request);
    const bool written = co_await writing;
    if (!written) co_return std::nullopt;
    auto reading = call->read();
    std::optional<LeaseKeepAliveResponse> answer = co_await reading;
    co_return answer;
  }
};
INSTANTIATE_API_TEST(KeepAlive);

TEST_P(KeepAlive, OneStreamRenewsManyLeases) {
  Call call = lease.LeaseKeepAlive(options());
  constexpr int kLeases = 20;
  for (int id = 1; id <= kLeases; ++id) grant("ID: " + std::to_string(id) + " TTL: " + std::to_string(100 + id));
  for (int round = 0; round < 2; ++round)
    for (int id = 1; id <= kLeases; ++id) {
      const std::optional<LeaseKeepAliveResponse> answer = sync_wait(renew(&call, id));
      ASSERT_TRUE(answer);
      EXPECT_EQ(answer->id(), id);
      EXPECT_EQ(answer->ttl(), 100 + id);
      EXPECT_NE(answer->header().revision(), 0);
    }
  // One that does not exist is an answer, not the end of the others' stream.
  EXPECT_EQ(sync_wait(renew(&call, 9999))->ttl(), 0);
  EXPECT_EQ(sync_wait(renew(&call, 1))->ttl(), 101);
}

TEST_P(KeepAlive, ALeaseLivesAsLongAsItIsRenewed) {
  Call call = lease.LeaseKeepAlive(options());
  grant("ID: 3 TTL: 2");
  put("k", "v", 3);
  const auto begin = std::chrono::steady_clock::now();
  while (std::chrono::steady_clock::now() - begin < 5s) {
    ASSERT_EQ(sync_wait(renew(&call, 3))->ttl(), 2);
    sync_wait(runtime.sleep_for(300ms));
  }
  EXPECT_THAT(keys(R"(key: "k")"), ElementsAre("k=v 2,2,1 lease 3"));
}

}  // namespace
}  // namespace minigrpc::testing
