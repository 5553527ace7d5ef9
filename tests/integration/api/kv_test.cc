// KV: ranges, puts, deletions and compaction.
#include "api_test.h"

namespace minigrpc::testing {
namespace {

class Kv : public Api {};
INSTANTIATE_API_TEST(Kv);

TEST_P(Kv, EveryAnswerSaysWhereItComesFromAndWhen) {
  const PutResponse first = put("k", "1");
  EXPECT_EQ(first.header().revision(), 2);
  EXPECT_NE(first.header().cluster_id(), 0u);
  EXPECT_NE(first.header().member_id(), 0u);
  EXPECT_NE(first.header().raft_term(), 0u);
  EXPECT_EQ(put("k", "2").header().revision(), 3);
  const RangeResponse read = range(R"(key: "other")");
  EXPECT_EQ(read.header().revision(), 3);
  EXPECT_EQ(read.header().cluster_id(), first.header().cluster_id());
  EXPECT_EQ(read.header().member_id(), first.header().member_id());
  EXPECT_EQ(text(read), "");
}

TEST_P(Kv, KeysCountTheirVersionsUntilTheyAreDeleted) {
  put("k", "1");
  put("k", "2");
  EXPECT_THAT(keys(R"(key: "k")"), ElementsAre("k=2 2,3,2"));
  EXPECT_EQ(erase(R"(key: "k")").deleted(), 1);
  EXPECT_THAT(keys(R"(key: "k")"), ElementsAre());
  put("k", "3");
  EXPECT_THAT(keys(R"(key: "k")"), ElementsAre("k=3 5,5,1"));
  EXPECT_THAT(keys(R"(key: "k" revision: 2)"), ElementsAre("k=1 2,2,1"));
  EXPECT_THAT(keys(R"(key: "k" revision: 3)"), ElementsAre("k=2 2,3,2"));
  EXPECT_THAT(keys(R"(key: "k" revision: 4)"), ElementsAre());
  EXPECT_THAT(keys(R"(key: "k" revision: 5)"), ElementsAre("k=3 5,5,1"));
  EXPECT_THAT(keys(R"(key: "k" revision: -1)"), ElementsAre("k=3 5,5,1"));
}

TEST_P(Kv, RangesAreHalfOpenOrUnbounded) {
  for (const char* key : {"a", "aa", "ab", "b", "c"}) put(key, "v");
  EXPECT_THAT(keys(R"(key: "a" range_end: "b")"), ElementsAre("a=v 2,2,1", "aa=v 3,3,1", "ab=v 4,4,1"));
  EXPECT_THAT(keys(R"(key: "b" range_end: "\000")"), ElementsAre("b=v 5,5,1", "c=v 6,6,1"));
  EXPECT_EQ(range(R"(key: "\000" range_end: "\000")").count(), 5);
  EXPECT_THAT(keys(R"(key: "b" range_end: "b")"), ElementsAre());
  EXPECT_THAT(keys(R"(key: "c" range_end: "a")"), ElementsAre());
  EXPECT_THAT(keys(R"(key: "ab" range_end: "ab\000")"), ElementsAre("ab=v 4,4,1"));
}

TEST_P(Kv, LimitCutsAndSaysSo) {
  for (const char* key : {"a", "b", "c"}) put(key, "v");
  const RangeResponse two = range(R"(key: "a" range_end: "z" limit: 2)");
  EXPECT_EQ(two.kvs_size(), 2);
  EXPECT_TRUE(two.more());
  EXPECT_EQ(two.count(), 3);
  const RangeResponse three = range(R"(key: "a" range_end: "z" limit: 3)");
  EXPECT_EQ(three.kvs_size(), 3);
  EXPECT_FALSE(three.more());
  EXPECT_EQ(range(R"(key: "a" range_end: "z" limit: -1)").kvs_size(), 3);
}

TEST_P(Kv, CountOnlyAndKeysOnly) {
  for (const char* key : {"a", "b", "c"}) put(key, "v");
  EXPECT_EQ(text(range(R"(key: "a" range_end: "z" count_only: true)")), "count: 3");
  EXPECT_EQ(text(range(R"(key: "a" range_end: "z" count_only: true limit: 1)")), "count: 3");
  EXPECT_EQ(text(range(R"(key: "a" range_end: "c" count_only: true revision: 3)")), "count: 2");
  EXPECT_THAT(keys(R"(key: "a" range_end: "z" keys_only: true limit: 2)"), ElementsAre("a= 2,2,1", "b= 3,3,1"));
}

TEST_P(Kv, SortsByEveryTarget) {
  put("b", "2");  // create 2
  put("a", "3");  // create 3
  put("c", "1");  // create 4
  put("b", "2");  // mod 5, version 2
  put("a", "3");
  put("a", "3");  // mod 7, version 3
  const auto sorted = [this](const std::string& sort) {
    std::string names;
    const RangeResponse answer = range(R"(key: "a" range_end: "z" )" + sort);
    for (const mvccpb::KeyValue& one : answer.kvs()) names += one.key();
    return names;
  };
  EXPECT_EQ(sorted(""), "abc");
  EXPECT_EQ(sorted("sort_order: ASCEND sort_target: KEY"), "abc");
  EXPECT_EQ(sorted("sort_order: DESCEND sort_target: KEY"), "cba");
  EXPECT_EQ(sorted("sort_order: ASCEND sort_target: VERSION"), "cba");
  EXPECT_EQ(sorted("sort_order: DESCEND sort_target: VERSION"), "abc");
  EXPECT_EQ(sorted("sort_order: ASCEND sort_target: CREATE"), "bac");
  EXPECT_EQ(sorted("sort_order: DESCEND sort_target: CREATE"), "cab");
  EXPECT_EQ(sorted("sort_order: ASCEND sort_target: MOD"), "cba");
  EXPECT_EQ(sorted("sort_order: DESCEND sort_target: MOD"), "abc");
  EXPECT_EQ(sorted("sort_order: ASCEND sort_target: VALUE"), "cba");
  EXPECT_EQ(sorted("sort_order: DESCEND sort_target: VALUE"), "abc");
  // Another target than the key alone means ascending.
  EXPECT_EQ(sorted("sort_target: CREATE"), "bac");
  // The limit is of what was sorted.
  EXPECT_EQ(sorted("sort_order: DESCEND sort_target: MOD limit: 1"), "a");
  // Values decide although they are not sent.
  EXPECT_EQ(sorted("sort_order: DESCEND sort_target: VALUE keys_only: true limit: 2"), "ab");
}

TEST_P(Kv, FiltersByRevisionsAndCountsAll) {
  for (const char* key : {"a", "b", "c", "d"}) put(key, "v");  // 2 to 5
  put("a", "w");                                                // 6
  const auto passing = [this](const std::string& filter) {
    const RangeResponse answer = range(R"(key: "a" range_end: "z" )" + filter);
    std::string names;
    for (const mvccpb::KeyValue& one : answer.kvs()) names += one.key();
    return names + (answer.more() ? " more of " : " of ") + std::to_string(answer.count());
  };
  EXPECT_EQ(passing("min_mod_revision: 4"), "acd of 4");
  EXPECT_EQ(passing("max_mod_revision: 4"), "bc of 4");
  EXPECT_EQ(passing("min_mod_revision: 4 max_mod_revision: 5"), "cd of 4");
  EXPECT_EQ(passing("min_create_revision: 4"), "cd of 4");
  EXPECT_EQ(passing("max_create_revision: 3"), "ab of 4");
  EXPECT_EQ(passing("max_create_revision: 3 min_mod_revision: 4"), "a of 4");
  EXPECT_EQ(passing("min_create_revision: 3 limit: 1"), "b more of 4");
  EXPECT_EQ(passing("min_create_revision: 3 limit: 2 sort_order: DESCEND"), "dc more of 4");
}

TEST_P(Kv, RangesAreRefusedAsDocumented) {
  put("k", "v");
  EXPECT_EQ(range_refusal(""), "INVALID_ARGUMENT: etcdserver: key is not provided");
  EXPECT_EQ(range_refusal(R"(key: "k" revision: 3)"),
            "OUT_OF_RANGE: etcdserver: mvcc: required revision is a future revision");
}

TEST_P(Kv, PutKeepsWhatItIsToldToIgnore) {
  get(lease.LeaseGrant(parse<LeaseGrantRequest>("ID: 77 TTL: 600"), options()));
  put("k", "v", 77);
  const PutResponse changed = get(kv.Put(parse<PutRequest>(R"(key: "k" value: "w" ignore_lease: true prev_kv: true)")));
  EXPECT_EQ(describe(changed.prev_kv()), "k=v 2,2,1 lease 77");
  EXPECT_THAT(keys(R"(key: "k")"), ElementsAre("k=w 2,3,2 lease 77"));
  get(kv.Put(parse<PutRequest>(R"(key: "k" ignore_value: true)")));
  EXPECT_THAT(keys(R"(key: "k")"), ElementsAre("k=w 2,4,3"));
  EXPECT_FALSE(get(kv.Put(parse<PutRequest>(R"(key: "new" prev_kv: true)"))).has_prev_kv());
}

TEST_P(Kv, PutsAreRefusedAsDocumented) {
  EXPECT_EQ(put_refusal(R"(value: "v")"), "INVALID_ARGUMENT: etcdserver: key is not provided");
  EXPECT_EQ(put_refusal(R"(key: "k" value: "v" ignore_value: true)"),
            "INVALID_ARGUMENT: etcdserver: value is provided");
  EXPECT_EQ(put_refusal(R"(key: "k" lease: 5 ignore_lease: true)"), "INVALID_ARGUMENT: etcdserver: lease is provided");
  EXPECT_EQ(put_refusal(R"(key: "k" ignore_value: true)"), "INVALID_ARGUMENT: etcdserver: key not found");
  EXPECT_EQ(put_refusal(R"(key: "k" ignore_lease: true)"), "INVALID_ARGUMENT: etcdserver: key not found");
  EXPECT_EQ(put_refusal(R"(key: "k" lease: 5)"), "NOT_FOUND: etcdserver: requested lease not found");
  // None of them has left anything.
  EXPECT_EQ(put("k", "v").header().revision(), 2);
}

TEST_P(Kv, DeletesWhatIsThere) {
  for (const char* key : {"a", "b", "c"}) put(key, "v");
  EXPECT_EQ(erase(R"(key: "x")").header().revision(), 4);
  const DeleteRangeResponse two = erase(R"(key: "a" range_end: "c" prev_kv: true)");
  EXPECT_EQ(two.deleted(), 2);
  EXPECT_EQ(two.header().revision(), 5);
  ASSERT_EQ(two.prev_kvs_size(), 2);
  EXPECT_EQ(describe(two.prev_kvs(0)), "a=v 2,2,1");
  EXPECT_EQ(erase(R"(key: "\000" range_end: "\000")").deleted(), 1);
  EXPECT_EQ(refusal(kv.DeleteRange(DeleteRangeRequest(), options())),
            "INVALID_ARGUMENT: etcdserver: key is not provided");
}

TEST_P(Kv, CompactionForgetsWhatCameBefore) {
  for (const char* value : {"1", "2", "3"}) put("k", value);  // 2 to 4
  put("gone", "v");                                            // 5
  erase(R"(key: "gone")");                                     // 6
  const auto compact = [this](const std::string& request) {
    return refusal(kv.Compact(parse<CompactionRequest>(request), options()));
  };
  EXPECT_EQ(compact("revision: 7"), "OUT_OF_RANGE: etcdserver: mvcc: required revision is a future revision");
  EXPECT_EQ(compact("revision: 3 physical: true"), "");
  EXPECT_EQ(compact("revision: 3"), "OUT_OF_RANGE: etcdserver: mvcc: required revision has been compacted");
  EXPECT_EQ(compact("revision: 2"), "OUT_OF_RANGE: etcdserver: mvcc: required revision has been compacted");
  EXPECT_THAT(keys(R"(key: "k" revision: 3)"), ElementsAre("k=2 2,3,2"));
  EXPECT_EQ(range_refusal(R"(key: "k" revision: 2)"),
            "OUT_OF_RANGE: etcdserver: mvcc: required revision has been compacted");
  EXPECT_EQ(compact("revision: 6"), "");
  EXPECT_THAT(keys(R"(key: "k" revision: 6)"), ElementsAre("k=3 2,4,3"));
  EXPECT_THAT(keys(R"(key: "k")"), ElementsAre("k=3 2,4,3"));
  // It makes no revision of its own.
  EXPECT_EQ(put("k", "4").header().revision(), 7);
}

// ---- limits ----

class Limits : public Api {
 protected:
  Limits() : Api({"--max-txn-ops", "4", "--max-request-bytes", "10000"}) {}
};
INSTANTIATE_API_TEST(Limits);

TEST_P(Limits, RequestsHaveASize) {
  const std::string large(10'000, 'v');
  put("k", std::string(9'000, 'v'));
  EXPECT_EQ(put_refusal("key: \"k\" value: \"" + large + "\""), "INVALID_ARGUMENT: etcdserver: request is too large");
  EXPECT_EQ(txn_refusal("success { request_put { key: \"k\" value: \"" + large + "\" } }"),
            "INVALID_ARGUMENT: etcdserver: request is too large");
  EXPECT_EQ(refusal(kv.DeleteRange(parse<DeleteRangeRequest>("key: \"" + large + "\""), options())),
            "INVALID_ARGUMENT: etcdserver: request is too large");
}

TEST_P(Limits, TransactionsHaveANumberOfOperations) {
  const std::string get_op = R"(success { request_range { key: "k" } } )";
  const std::string compare = R"(compare { key: "k" } )";
  const auto times = [](int count, const std::string& what) {
    std::string all;
    for (int i = 0; i < count; ++i) all += what;
    return all;
  };
  EXPECT_EQ(txn_refusal(times(4, get_op)), "");
  EXPECT_EQ(txn_refusal(times(4, compare) + times(4, get_op)), "");
  const std::string too_many = "INVALID_ARGUMENT: etcdserver: too many operations in txn request";
  EXPECT_EQ(txn_refusal(times(5, get_op)), too_many);
  EXPECT_EQ(txn_refusal(times(5, compare)), too_many);
  // What an outer transaction takes, an inner one does not have.
  const auto nested = [&](int count) { return "success { request_txn { " + times(count, get_op) + "} } "; };
  EXPECT_EQ(txn_refusal(nested(3)), "");
  EXPECT_EQ(txn_refusal(nested(4)), too_many);
  EXPECT_EQ(txn_refusal(nested(2) + get_op), "");
  EXPECT_EQ(txn_refusal(nested(3) + get_op), too_many);
}

class Quota : public Api {
 protected:
  // Both databases take some room when they are empty; etcd preallocates more than we do.
  Quota() : Api({"--quota-backend-bytes", "2000000"}) {}
};
INSTANTIATE_API_TEST(Quota);

// 3.4 keeps refusing until somebody compacts, defragments and disarms the alarm; minigrpcd takes puts as soon as there
// is room, and its alarm goes by itself. Disarming it, as scripts do for etcd, is no error.
TEST_P(Quota, AFullDatabaseSaysSoAndRecovers) {
  const std::string value(100'000, 'v');
  std::string refused;
  for (int i = 0; i < 100 && refused.empty(); ++i)
    refused = put_refusal("key: \"k\" value: \"" + value + "\"");
  EXPECT_EQ(refused, "RESOURCE_EXHAUSTED: etcdserver: mvcc: database space exceeded");
  // etcd's alarm stops everything that adds; here a lease still fits in.
  EXPECT_EQ(refusal(lease.LeaseGrant(parse<LeaseGrantRequest>("TTL: 60"), options())), is_etcd() ? refused : "");
  EXPECT_EQ(txn_refusal(R"(success { request_put { key: "other" value: ")" + value + "\" } }"), refused);

  const AlarmResponse alarms = get(maintenance.Alarm(parse<AlarmRequest>("action: GET"), options()));
  ASSERT_EQ(alarms.alarms_size(), 1);
  EXPECT_EQ(alarms.alarms(0).alarm(), NOSPACE);
  AlarmRequest disarm;
  disarm.set_action(AlarmRequest::DEACTIVATE);
  disarm.set_memberid(get(cluster.MemberList(MemberListRequest(), options())).members(0).id());
  disarm.set_alarm(NOSPACE);
  EXPECT_EQ(alarms.alarms(0).memberid(), disarm.memberid());
  const StatusResponse status = get(maintenance.Status(StatusRequest(), options()));
  ASSERT_EQ(status.errors_size(), 1);
  EXPECT_THAT(status.errors(0), HasSubstr("alarm:NOSPACE"));

  // Reads and deletions go on.
  EXPECT_EQ(range(R"(key: "k" keys_only: true)").count(), 1);
  EXPECT_EQ(erase(R"(key: "k")").deleted(), 1);
  CompactionRequest compact;
  compact.set_revision(range(R"(key: "k")").header().revision());
  compact.set_physical(true);
  get(kv.Compact(compact, options()));
  get(maintenance.Defragment(DefragmentRequest(), options()));
  const std::string after = put_refusal(R"(key: "small" value: "v")");
  EXPECT_EQ(after, is_etcd() ? refused : "");
  const AlarmResponse disarmed = get(maintenance.Alarm(disarm, options()));
  EXPECT_EQ(disarmed.alarms_size(), is_etcd() ? 1 : 0);
  EXPECT_EQ(put_refusal(R"(key: "small" value: "v")"), "");
  EXPECT_EQ(get(maintenance.Alarm(parse<AlarmRequest>("action: GET"), options())).alarms_size(), 0);
}

}  // namespace
}  // namespace minigrpc::testing
