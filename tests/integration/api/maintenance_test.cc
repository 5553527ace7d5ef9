// Cluster and Maintenance: who the member is, how it does, and what a single one refuses.
#include "api_test.h"

namespace minigrpc::testing {
namespace {

class Upkeep : public Api {
 protected:
  std::uint64_t member_id() { return get(cluster.MemberList(MemberListRequest(), options())).members(0).id(); }
};
INSTANTIATE_API_TEST(Upkeep);

TEST_P(Upkeep, TheMemberIsListed) {
  const MemberListResponse list = get(cluster.MemberList(MemberListRequest(), options()));
  ASSERT_EQ(list.members_size(), 1);
  EXPECT_EQ(list.members(0).id(), list.header().member_id());
  EXPECT_EQ(list.members(0).name(), "default");
  EXPECT_THAT(list.members(0).clienturls(), ElementsAre("http://" + registry.endpoint()));
  EXPECT_FALSE(list.members(0).islearner());
  EXPECT_EQ(list.members(0).peerurls_size(), 1);
}

TEST_P(Upkeep, ItsPeerUrlsCanBeChanged) {
  MemberUpdateRequest update;
  update.set_id(member_id());
  update.add_peerurls("http://127.0.0.1:2");
  const MemberUpdateResponse updated = get(cluster.MemberUpdate(update, options()));
  EXPECT_THAT(updated.members(0).peerurls(), ElementsAre("http://127.0.0.1:2"));
  update.set_id(4711);
  EXPECT_EQ(refusal(cluster.MemberUpdate(update, options())), "NOT_FOUND: etcdserver: member not found");
  registry.kill();
  registry.start();
  ASSERT_TRUE(eventually(20s, [&] { return run(cluster.MemberList(MemberListRequest(), options())).has_value(); }));
  EXPECT_THAT(get(cluster.MemberList(MemberListRequest(), options())).members(0).peerurls(),
              ElementsAre("http://127.0.0.1:2"));
}

TEST_P(Upkeep, MembersThatAreNotThereCannotBeChanged) {
  const std::string not_found = "NOT_FOUND: etcdserver: member not found";
  EXPECT_EQ(refusal(cluster.MemberRemove(parse<MemberRemoveRequest>("ID: 4711"), options())), not_found);
  EXPECT_EQ(refusal(cluster.MemberPromote(parse<MemberPromoteRequest>("ID: 4711"), options())), not_found);
  MemberPromoteRequest promote;
  promote.set_id(member_id());
  EXPECT_EQ(refusal(cluster.MemberPromote(promote, options())),
            "FAILED_PRECONDITION: etcdserver: can only promote a learner member");
  EXPECT_EQ(refusal(cluster.MemberAdd(parse<MemberAddRequest>(R"(peerURLs: "nonsense")"), options())),
            "INVALID_ARGUMENT: etcdserver: given member URLs are invalid");
}

// etcd would take a second member, and then wait for it with every write; minigrpcd is, and stays, a single one.
class OwnUpkeep : public Upkeep {};
INSTANTIATE_MINIGRPCD_TEST(OwnUpkeep);

TEST_P(OwnUpkeep, ASingleMemberStaysSingle) {
  EXPECT_THAT(refusal(cluster.MemberAdd(parse<MemberAddRequest>(R"(peerURLs: "http://10.0.0.2:2380")"), options())),
              HasSubstr("FAILED_PRECONDITION: minigrpcd is a single member"));
  MemberRemoveRequest remove;
  remove.set_id(member_id());
  EXPECT_THAT(refusal(cluster.MemberRemove(remove, options())), HasSubstr("FAILED_PRECONDITION: minigrpcd is a single"));
}

TEST_P(Upkeep, StatusTellsSizesAndTheLeader) {
  put("k", std::string(50'000, 'v'));
  const StatusResponse status = get(maintenance.Status(StatusRequest(), options()));
  EXPECT_EQ(status.leader(), status.header().member_id());
  EXPECT_EQ(status.header().revision(), 2);
  EXPECT_THAT(status.version(), ::testing::StartsWith("3."));
  EXPECT_GT(status.dbsize(), 0);
  EXPECT_GT(status.dbsizeinuse(), 0);
  EXPECT_LE(status.dbsizeinuse(), status.dbsize());
  EXPECT_GT(status.raftterm(), 0u);
  EXPECT_GT(status.raftindex(), 0u);
  EXPECT_EQ(status.raftindex(), status.raftappliedindex());
  EXPECT_FALSE(status.islearner());
  EXPECT_EQ(status.errors_size(), 0);
}

TEST_P(Upkeep, LeadershipGoesToNobodyElse) {
  EXPECT_EQ(refusal(maintenance.MoveLeader(parse<MoveLeaderRequest>("targetID: 4711"), options())),
            "FAILED_PRECONDITION: etcdserver: bad leader transferee");
}

TEST_P(Upkeep, AlarmsAreSetListedAndDisarmed) {
  AlarmRequest request;
  request.set_action(AlarmRequest::ACTIVATE);
  request.set_memberid(member_id());
  request.set_alarm(NOSPACE);
  const AlarmResponse set = get(maintenance.Alarm(request, options()));
  ASSERT_EQ(set.alarms_size(), 1);
  EXPECT_EQ(set.alarms(0).alarm(), NOSPACE);
  EXPECT_EQ(put_refusal(R"(key: "k")"), "RESOURCE_EXHAUSTED: etcdserver: mvcc: database space exceeded");
  EXPECT_EQ(erase(R"(key: "k")").deleted(), 0);
  EXPECT_EQ(get(maintenance.Alarm(AlarmRequest(), options())).alarms_size(), 1);
  EXPECT_EQ(get(maintenance.Alarm(parse<AlarmRequest>("alarm: CORRUPT"), options())).alarms_size(), 0);
  request.set_action(AlarmRequest::DEACTIVATE);
  EXPECT_EQ(get(maintenance.Alarm(request, options())).alarms_size(), 1);
  EXPECT_EQ(get(maintenance.Alarm(request, options())).alarms_size(), 0);
  EXPECT_EQ(put_refusal(R"(key: "k")"), "");
}

TEST_P(Upkeep, HashesFollowTheHistory) {
  put("k", "1");
  const HashKVResponse first = get(maintenance.HashKV(HashKVRequest(), options()));
  EXPECT_EQ(first.header().revision(), 2);
  put("k", "2");
  const HashKVResponse second = get(maintenance.HashKV(HashKVRequest(), options()));
  EXPECT_NE(first.hash(), second.hash());
  EXPECT_EQ(get(maintenance.HashKV(parse<HashKVRequest>("revision: 2"), options())).hash(), first.hash());
  EXPECT_EQ(get(maintenance.HashKV(parse<HashKVRequest>("revision: 3"), options())).hash(), second.hash());
  EXPECT_EQ(refusal(maintenance.HashKV(parse<HashKVRequest>("revision: 9"), options())),
            "OUT_OF_RANGE: etcdserver: mvcc: required revision is a future revision");
  const HashResponse all = get(maintenance.Hash(HashRequest(), options()));
  EXPECT_EQ(all.header().revision(), 3);
  get(kv.Compact(parse<CompactionRequest>("revision: 3 physical: true"), options()));
  EXPECT_EQ(refusal(maintenance.HashKV(parse<HashKVRequest>("revision: 2"), options())),
            "OUT_OF_RANGE: etcdserver: mvcc: required revision has been compacted");
  EXPECT_EQ(get(maintenance.HashKV(HashKVRequest(), options())).compact_revision(), 3);
}

TEST_P(Upkeep, DefragmentingLosesNothingAndFreesSpace) {
  for (int i = 0; i < 60; ++i) put("k", std::string(100'000, static_cast<char>('a' + i % 26)));
  // What a registry compacts before its database has it needs no room there.
  get(maintenance.Defragment(DefragmentRequest(), options()));
  get(kv.Compact(parse<CompactionRequest>("revision: 61 physical: true"), options()));
  for (int i = 0; i < 3; ++i) put("other", "v");
  const std::int64_t before = get(maintenance.Status(StatusRequest(), options())).dbsize();
  get(maintenance.Defragment(DefragmentRequest(), options()));
  const std::int64_t after = get(maintenance.Status(StatusRequest(), options())).dbsize();
  EXPECT_LT(after, before / 2);
  EXPECT_EQ(range(R"(key: "k")").kvs(0).value(), std::string(100'000, static_cast<char>('a' + 59 % 26)));
  for (int i = 0; i < 60; ++i) put("k", std::string(100'000, 'x'));
  registry.kill();
  registry.start();
  ASSERT_TRUE(eventually(20s, [&] { return run(maintenance.Status(StatusRequest(), options())).has_value(); }));
  EXPECT_EQ(range(R"(key: "k")").kvs(0).value(), std::string(100'000, 'x'));
}

// 3.4 has no such call; 3.5's answers.
TEST_P(OwnUpkeep, ThereIsNoDowngrade) {
  const auto downgrade = [this](const std::string& request) {
    return refusal(maintenance.Downgrade(parse<DowngradeRequest>(request), options()));
  };
  EXPECT_EQ(downgrade("action: CANCEL"), "FAILED_PRECONDITION: etcdserver: no inflight downgrade job");
  EXPECT_EQ(downgrade(R"(action: VALIDATE version: "x")"),
            "INVALID_ARGUMENT: etcdserver: wrong downgrade target version format");
  EXPECT_EQ(downgrade(R"(action: ENABLE version: "3.4")"),
            "INVALID_ARGUMENT: etcdserver: invalid downgrade target version");
}

}  // namespace
}  // namespace minigrpc::testing
