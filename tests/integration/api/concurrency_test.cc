// Lock and Election: who comes first, who waits, and who is next.
#include "api_test.h"

namespace minigrpc::testing {
namespace {

class Concurrency : public Api {
 protected:
  std::int64_t session(std::int64_t ttl_s = 600) {
    LeaseGrantRequest request;
    request.set_ttl(ttl_s);
    return get(lease.LeaseGrant(request, options())).id();
  }
  void end(std::int64_t id) {
    LeaseRevokeRequest request;
    request.set_id(id);
    get(lease.LeaseRevoke(request, options()));
  }
  static std::string hex(std::int64_t number) {
    char digits[17];
    std::snprintf(digits, sizeof digits, "%llx", static_cast<unsigned long long>(number));
    return digits;
  }
  v3lockpb::LockRequest locking(std::int64_t id) {
    v3lockpb::LockRequest request;
    request.set_name("mutex");
    request.set_lease(id);
    return request;
  }
  v3electionpb::CampaignRequest campaigning(std::int64_t id, const std::string& value) {
    v3electionpb::CampaignRequest request;
    request.set_name("president");
    request.set_lease(id);
    request.set_value(value);
    return request;
  }
  v3electionpb::LeaderRequest asking() {
    v3electionpb::LeaderRequest request;
    request.set_name("president");
    return request;
  }
  // Until that many stand in the line.
  void wait_for_line(const std::string& name, int count) {
    ASSERT_TRUE(eventually(20s, [&] {
      return range("key: \"" + name + "/\" range_end: \"" + name + "0\" count_only: true").count() == count;
    }));
  }
};
INSTANTIATE_API_TEST(Concurrency);

TEST_P(Concurrency, ALockIsAKeyThatLivesWithItsLease) {
  const std::int64_t mine = session();
  const v3lockpb::LockResponse held = get(lock.Lock(locking(mine), options()));
  EXPECT_EQ(held.key(), "mutex/" + hex(mine));
  EXPECT_EQ(range("key: \"" + held.key() + "\"").kvs(0).lease(), mine);
  // Who has it has it already.
  EXPECT_EQ(get(lock.Lock(locking(mine), options())).key(), held.key());
  v3lockpb::UnlockRequest unlock;
  unlock.set_key(held.key());
  get(lock.Unlock(unlock, options()));
  EXPECT_EQ(range("key: \"" + held.key() + "\"").count(), 0);
}

TEST_P(Concurrency, TheNextInLineGetsTheLock) {
  const std::int64_t first = session();
  const std::int64_t second = session();
  get(lock.Lock(locking(first), options()));
  TaskScope scope(runtime);
  std::atomic<bool> got = false;
  const auto wait = [](Task<Result<v3lockpb::LockResponse>> locking, std::atomic<bool>* done) -> Task<void> {
    const Result<v3lockpb::LockResponse> held = co_await locking;
    EXPECT_TRUE(held);
    *done = true;
  };
  scope.spawn(wait(lock.Lock(locking(second), options()), &got));
  wait_for_line("mutex", 2);
  EXPECT_FALSE(got);
  end(first);
  EXPECT_TRUE(eventually(20s, [&] { return got.load(); }));
}

TEST_P(Concurrency, ALockNeedsALeaseThatExists) {
  // etcd's server loses the code, as it asks itself through a client.
  const std::string code = is_etcd() ? "UNKNOWN" : "NOT_FOUND";
  EXPECT_EQ(refusal(lock.Lock(locking(4711), options())), code + ": etcdserver: requested lease not found");
  EXPECT_EQ(refusal(election.Campaign(campaigning(4711, "x"), options())),
            code + ": etcdserver: requested lease not found");
}

TEST_P(Concurrency, ElectionsHaveOneLeader) {
  // etcd's server passes the error of its own client on, without a code.
  EXPECT_EQ(refusal(election.Leader(asking(), options())), "UNKNOWN: election: no leader");
  const std::int64_t first = session();
  const std::int64_t second = session();
  const v3electionpb::CampaignResponse won = get(election.Campaign(campaigning(first, "alice"), options()));
  EXPECT_EQ(won.leader().name(), "president");
  EXPECT_EQ(won.leader().key(), "president/" + hex(first));
  EXPECT_EQ(won.leader().lease(), first);
  EXPECT_EQ(won.leader().rev(), 2);
  EXPECT_EQ(get(election.Leader(asking(), options())).kv().value(), "alice");

  // A second campaign of the leader is a proclamation.
  EXPECT_EQ(get(election.Campaign(campaigning(first, "ann"), options())).leader().rev(), 2);
  EXPECT_EQ(get(election.Leader(asking(), options())).kv().value(), "ann");

  v3electionpb::ProclaimRequest proclaim;
  *proclaim.mutable_leader() = won.leader();
  proclaim.set_value("alice again");
  get(election.Proclaim(proclaim, options()));
  EXPECT_EQ(get(election.Leader(asking(), options())).kv().value(), "alice again");

  TaskScope scope(runtime);
  std::atomic<std::int64_t> elected = 0;
  const auto run_for_office = [](Task<Result<v3electionpb::CampaignResponse>> campaign,
                                 std::atomic<std::int64_t>* revision) -> Task<void> {
    const Result<v3electionpb::CampaignResponse> response = co_await campaign;
    EXPECT_TRUE(response);
    if (response) *revision = response->leader().rev();
  };
  scope.spawn(run_for_office(election.Campaign(campaigning(second, "bob"), options()), &elected));
  wait_for_line("president", 2);
  EXPECT_EQ(elected, 0);
  v3electionpb::ResignRequest resign;
  *resign.mutable_leader() = won.leader();
  get(election.Resign(resign, options()));
  EXPECT_TRUE(eventually(20s, [&] { return elected != 0; }));
  EXPECT_EQ(get(election.Leader(asking(), options())).kv().value(), "bob");

  EXPECT_EQ(refusal(election.Proclaim(proclaim, options())), "UNKNOWN: election: not leader");
  // Who does not lead resigns without an error, and harms nobody.
  get(election.Resign(resign, options()));
  EXPECT_EQ(get(election.Leader(asking(), options())).kv().value(), "bob");
  EXPECT_EQ(refusal(election.Resign({}, options())), "UNKNOWN: \"leader\" field must be provided");
}

TEST_P(Concurrency, ObserversHearOfEveryLeaderAndProclamation) {
  using Observer = ClientReader<v3electionpb::LeaderResponse>;
  Observer observer = election.Observe(asking(), options());
  const auto read = [](Observer* reader) -> Task<std::string> {
    auto reading = reader->read();
    const std::optional<v3electionpb::LeaderResponse> response = co_await reading;
    co_return response ? response->kv().value() : "the end";
  };
  const auto next = [&] { return sync_wait(read(&observer), std::chrono::steady_clock::now() + 20s); };
  const std::int64_t first = session();
  const std::int64_t second = session();
  const v3electionpb::CampaignResponse won = get(election.Campaign(campaigning(first, "alice"), options()));
  EXPECT_EQ(next(), "alice");
  v3electionpb::ProclaimRequest proclaim;
  *proclaim.mutable_leader() = won.leader();
  for (const char* value : {"1", "2", "3"}) {
    proclaim.set_value(value);
    get(election.Proclaim(proclaim, options()));
    EXPECT_EQ(next(), value);
  }
  TaskScope scope(runtime);
  AsyncEvent elected;
  const auto run_for_office = [](Task<Result<v3electionpb::CampaignResponse>> campaign, AsyncEvent* over) -> Task<void> {
    const Result<v3electionpb::CampaignResponse> response = co_await campaign;
    EXPECT_TRUE(response);
    over->set();
  };
  scope.spawn(run_for_office(election.Campaign(campaigning(second, "bob"), options()), &elected));
  wait_for_line("president", 2);
  end(first);
  EXPECT_EQ(next(), "bob");
  // The observer may hear of it before the candidate does.
  sync_wait(elected.wait());
}

}  // namespace
}  // namespace minigrpc::testing
