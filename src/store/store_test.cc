// etcd's rules, one by one. Expected texts are those of describe() in test_store.h.
#include "store/store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "store/errors.h"
#include "store/test_store.h"

namespace minigrpc::store::test {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr std::string_view kZero("\0", 1);

std::string get(const ReadView& view, std::string_view key, std::int64_t revision = 0) {
  Result<RangeResult> range = view.range({.keys = {key, {}}, .revision = revision});
  if (!range) return range.error().to_string();
  return range->kvs.empty() ? "none" : describe(range->kvs[0]);
}

std::string get(Store& store, std::string_view key, std::int64_t revision = 0) {
  return get(read(store), key, revision);
}

std::vector<std::string> history(Store& store, HistoryRequest request) {
  std::vector<std::string> events;
  Result<HistoryResult> result = read(store).history(request, [&](const EventView& event) {
    events.push_back(describe_event(event));
    return true;
  });
  if (!result) events.push_back(result.error().to_string());
  return events;
}

TEST(Store, RevisionsCountRequestsThatChangeSomething) {
  const auto store = open_store();
  EXPECT_EQ(read(*store).revision(), 1) << "a new store";
  EXPECT_EQ(put(*store, "a", "1"), 2);
  EXPECT_EQ(put(*store, "a", "2"), 3);
  EXPECT_EQ(erase(*store, "nothing"), 3) << "deleting nothing";
  EXPECT_EQ(erase(*store, "a"), 4);
  EXPECT_EQ(put(*store, "a", "3"), 5);
  EXPECT_EQ(get(*store, "a", 2), "a=1 c2 m2 v1 l0");
  EXPECT_EQ(get(*store, "a", 3), "a=2 c2 m3 v2 l0");
  EXPECT_EQ(get(*store, "a", 4), "none");
  EXPECT_EQ(get(*store, "a"), "a=3 c5 m5 v1 l0") << "a new life";
  EXPECT_EQ(get(*store, "a", 6), errors::future_revision().to_string());
  WriteBatch empty = begin(*store);
  Result<TxnResult> txn = empty.txn({});
  ASSERT_TRUE(txn.has_value());
  EXPECT_TRUE(txn->succeeded);
  EXPECT_EQ(txn->revision, 5) << "an empty transaction";
  EXPECT_EQ(empty.commit()->revision, 5);
}

TEST(Store, ABatchIsOneCommitOfManyRevisions) {
  const auto store = open_store();
  WriteBatch batch = begin(*store);
  EXPECT_EQ(batch.put({.key = "a", .value = "1"})->revision, 2);
  EXPECT_EQ(batch.put({.key = "a", .value = "2"})->revision, 3);
  EXPECT_EQ(describe(batch.range({.keys = {"a", {}}})), "a=2 c2 m3 v2 l0\ncount 1 at 3");
  EXPECT_EQ(describe(batch.range({.keys = {"a", {}}, .revision = 2})), "a=1 c2 m2 v1 l0\ncount 1 at 3");
  EXPECT_EQ(get(*store, "a"), "none") << "readers see what is committed";
  Result<Committed> committed = batch.commit();
  ASSERT_TRUE(committed.has_value());
  EXPECT_EQ(committed->revision, 3);
  ASSERT_EQ(committed->events.size(), 2u);
  EXPECT_EQ(describe_event(committed->events[1]), "PUT 3.0 a=2 c2 m3 v2 l0 <- a=1 c2 m2 v1 l0");
  EXPECT_EQ(get(*store, "a"), "a=2 c2 m3 v2 l0");
}

TEST(Store, ADroppedBatchLeavesNothing) {
  const auto store = open_store();
  {
    WriteBatch batch = begin(*store);
    ASSERT_TRUE(batch.put({.key = "a", .value = "1"}).has_value());
    ASSERT_TRUE(batch.lease_grant({.id = 7, .ttl_s = 10}).has_value());
  }
  EXPECT_EQ(get(*store, "a"), "none");
  EXPECT_EQ(read(*store).revision(), 1);
  EXPECT_THAT(store->leases(), IsEmpty());
}

TEST(Store, ARefusedRequestHurtsNobodyElse) {
  const auto store = open_store();
  WriteBatch batch = begin(*store);
  ASSERT_TRUE(batch.put({.key = "a", .value = "1"}).has_value());
  EXPECT_EQ(batch.put({.key = "b", .value = "1", .lease = 99}).status(), errors::lease_not_found());
  TxnRequest txn;
  txn.success.emplace_back(PutRequest{.key = "c", .value = "1"});
  txn.success.emplace_back(PutRequest{.key = "d", .value = "1", .lease = 99});
  EXPECT_EQ(batch.txn(txn).status(), errors::lease_not_found());
  EXPECT_EQ(batch.put({.key = "e", .value = "1"})->revision, 3);
  EXPECT_TRUE(batch.commit().has_value());
  EXPECT_EQ(describe(read(*store).range({.keys = {"a", kZero}, .keys_only = true})),
            "a= c2 m2 v1 l0\ne= c3 m3 v1 l0\ncount 2 at 3");
}

TEST(Store, PutsAreCheckedAsInEtcd) {
  const auto store = open_store();
  put(*store, "a", "1");
  struct Case {
    PutRequest request;
    Status expected;
  };
  const Case cases[] = {
      {{.key = {}, .value = "1"}, errors::empty_key()},
      {{.key = "a", .value = "1", .ignore_value = true}, errors::value_provided()},
      {{.key = "a", .value = "1", .lease = 1, .ignore_lease = true}, errors::lease_provided()},
      {{.key = "b", .ignore_value = true}, errors::key_not_found()},
      {{.key = "b", .value = "1", .ignore_lease = true}, errors::key_not_found()},
      {{.key = "b", .value = "1", .lease = 1}, errors::lease_not_found()},
  };
  WriteBatch batch = begin(*store);
  for (const Case& c : cases) EXPECT_EQ(batch.put(c.request).status(), c.expected) << c.expected.to_string();
  EXPECT_EQ(batch.revision(), 2);
}

TEST(Store, PutKeepsWhatItIsToldToIgnore) {
  const auto store = open_store();
  WriteBatch batch = begin(*store);
  ASSERT_TRUE(batch.lease_grant({.id = 7, .ttl_s = 10}).has_value());
  ASSERT_TRUE(batch.put({.key = "a", .value = "1", .lease = 7}).has_value());
  Result<PutResult> kept = batch.put({.key = "a", .value = "2", .prev_kv = true, .ignore_lease = true});
  ASSERT_TRUE(kept.has_value());
  EXPECT_EQ(describe(*kept->prev_kv), "a=1 c2 m2 v1 l7");
  EXPECT_EQ(describe(batch.range({.keys = {"a", {}}})), "a=2 c2 m3 v2 l7\ncount 1 at 3");
  ASSERT_TRUE(batch.put({.key = "a", .ignore_value = true}).has_value());
  EXPECT_EQ(describe(batch.range({.keys = {"a", {}}})), "a=2 c2 m4 v3 l0\ncount 1 at 4");
  ASSERT_TRUE(batch.commit().has_value());
  EXPECT_THAT(*read(*store).lease_keys(7), IsEmpty()) << "the last put took the lease away";
}

TEST(Store, RangesAreEtcds) {
  const auto store = open_store();
  for (const char* key : {"a", "b", "b/1", "b/2", "c"}) put(*store, key, key);
  const ReadView view = read(*store);
  struct Case {
    RangeRequest request;
    std::vector<std::string> keys;
    std::int64_t count;
    bool more;
  };
  const Case cases[] = {
      {{.keys = {"b", {}}}, {"b"}, 1, false},
      {{.keys = {"b/", "b0"}}, {"b/1", "b/2"}, 2, false},
      {{.keys = {"b", kZero}}, {"b", "b/1", "b/2", "c"}, 4, false},
      {{.keys = {kZero, kZero}}, {"a", "b", "b/1", "b/2", "c"}, 5, false},
      {{.keys = {"c", "a"}}, {}, 0, false},
      {{.keys = {"b", "b"}}, {}, 0, false},
      {{.keys = {"a", kZero}, .limit = 2}, {"a", "b"}, 5, true},
      {{.keys = {"a", kZero}, .limit = 5}, {"a", "b", "b/1", "b/2", "c"}, 5, false},
      {{.keys = {"a", kZero}, .limit = 2, .sort_order = SortOrder::kDescend}, {"c", "b/2"}, 5, true},
      {{.keys = {"a", kZero},
        .limit = 1,
        .sort_order = SortOrder::kDescend,
        .sort_target = SortTarget::kCreate},
       {"c"},
       5,
       true},
      {{.keys = {"a", kZero}, .sort_target = SortTarget::kMod}, {"a", "b", "b/1", "b/2", "c"}, 5, false},
      {{.keys = {"a", kZero}, .count_only = true}, {}, 5, false},
      {{.keys = {"a", kZero}, .min_mod_revision = 5}, {"b/2", "c"}, 5, false},
      {{.keys = {"a", kZero}, .limit = 1, .max_mod_revision = 3}, {"a"}, 5, true},
      {{.keys = {"a", kZero}, .revision = 3}, {"a", "b"}, 2, false},
  };
  for (const Case& c : cases) {
    Result<RangeResult> result = view.range(c.request);
    ASSERT_TRUE(result.has_value());
    std::vector<std::string> keys;
    for (const KeyValueView& kv : result->kvs) keys.emplace_back(kv.key);
    EXPECT_EQ(keys, c.keys);
    EXPECT_EQ(result->count, c.count);
    EXPECT_EQ(result->more, c.more);
    EXPECT_EQ(result->revision, 6);
  }
  EXPECT_EQ(view.range({}).status(), errors::empty_key());
}

// More keys than a bounded sort holds.
TEST(Store, ASortedLimitOverManyKeysTakesTheFirst) {
  const auto store = open_store();
  WriteBatch batch = begin(*store);
  for (int i = 0; i < 5000; ++i) {
    const std::string key = "k" + std::to_string(i * 7919 % 5000);
    ASSERT_TRUE(batch.put({.key = key, .value = "v"}).has_value());
  }
  ASSERT_TRUE(batch.commit().has_value());
  Result<RangeResult> range = read(*store).range({.keys = {"k", "l"},
                                                  .limit = 2,
                                                  .sort_order = SortOrder::kDescend,
                                                  .sort_target = SortTarget::kCreate});
  ASSERT_TRUE(range.has_value());
  ASSERT_EQ(range->kvs.size(), 2u);
  EXPECT_EQ(range->kvs[0].create_revision, 5001);
  EXPECT_EQ(range->kvs[1].create_revision, 5000);
  EXPECT_EQ(range->count, 5000);
  EXPECT_TRUE(range->more);
}

TEST(Store, AViewStaysAtItsMoment) {
  const auto store = open_store();
  put(*store, "a", "1");
  const ReadView before = read(*store);
  Result<RangeResult> range = before.range({.keys = {"a", {}}});
  put(*store, "a", std::string(100'000, 'x'));
  compact(*store, 3);
  EXPECT_EQ(get(before, "a"), "a=1 c2 m2 v1 l0");
  EXPECT_EQ(describe(range->kvs[0]), "a=1 c2 m2 v1 l0") << "a result lives as long as its view";
  EXPECT_EQ(before.compact_revision(), 0);
}

TEST(Store, LargeValuesAreValues) {
  const auto store = open_store();
  const std::string large(1536 * 1024, 'x');
  put(*store, "a", large);
  put(*store, "a", large + "y");
  const ReadView view = read(*store);
  Result<RangeResult> range = view.range({.keys = {"a", {}}});
  ASSERT_TRUE(range.has_value());
  EXPECT_EQ(range->kvs[0].value, large + "y");
  range = view.range({.keys = {"a", "b"}, .revision = 2});
  EXPECT_EQ(range->kvs[0].value, large);
}

TEST(Store, CompactionForgetsWhatNobodyCanRead) {
  const auto store = open_store();
  put(*store, "a", "1");  // 2
  put(*store, "b", "1");  // 3
  put(*store, "a", "2");  // 4
  erase(*store, "b");     // 5
  put(*store, "c", "1");  // 6
  {
    WriteBatch batch = begin(*store);
    EXPECT_TRUE(batch.compact(5).ok());
    EXPECT_EQ(batch.compact(5), errors::compacted());
    EXPECT_EQ(batch.compact(7), errors::future_revision());
    EXPECT_EQ(batch.range({.keys = {"a", {}}, .revision = 4}).status(), errors::compacted()) << "at once";
    ASSERT_TRUE(batch.commit().has_value());
  }
  EXPECT_EQ(get(*store, "a", 4), errors::compacted().to_string());
  EXPECT_EQ(get(*store, "a", 5), "a=2 c2 m4 v2 l0");
  EXPECT_EQ(get(*store, "b", 5), "none");
  WriteBatch batch = begin(*store);
  std::size_t removed = 0;
  int steps = 0;
  for (bool done = false; !done; ++steps) {
    Result<CompactStep> step = batch.compact_step(1);
    ASSERT_TRUE(step.has_value());
    EXPECT_LE(step->scanned, 1u);
    removed += step->removed;
    done = step->done;
  }
  EXPECT_GE(steps, 4) << "a slice is bounded";
  EXPECT_EQ(removed, 2u) << "a at 2, b at 3; the deletion at the compact revision stays";
  ASSERT_TRUE(batch.commit().has_value());
  EXPECT_THAT(history(*store, {.from = {5, 0}}),
              ElementsAre("DELETE 5.0 b= c0 m5 v0 l0", "PUT 6.0 c=1 c6 m6 v1 l0"));
  EXPECT_THAT(history(*store, {.from = {4, 0}}), ElementsAre(errors::compacted().to_string()));
  EXPECT_EQ(get(*store, "a"), "a=2 c2 m4 v2 l0");
}

TEST(Store, HistoryTellsEventsInOrder) {
  const auto store = open_store();
  put(*store, "a", "1");
  put(*store, "b", "1");
  put(*store, "a", "2");
  erase(*store, "a", "c");
  EXPECT_THAT(history(*store, {.from = {3, 0}, .prev_kv = true}),
              ElementsAre("PUT 3.0 b=1 c3 m3 v1 l0", "PUT 4.0 a=2 c2 m4 v2 l0 <- a=1 c2 m2 v1 l0",
                          "DELETE 5.0 a= c0 m5 v0 l0 <- a=2 c2 m4 v2 l0",
                          "DELETE 5.1 b= c0 m5 v0 l0 <- b=1 c3 m3 v1 l0"));
  EXPECT_THAT(history(*store, {.from = {2, 0}, .keys = {"b", {}}}),
              ElementsAre("PUT 3.0 b=1 c3 m3 v1 l0", "DELETE 5.1 b= c0 m5 v0 l0"));
  EXPECT_THAT(history(*store, {.from = {6, 0}}), IsEmpty());
  EXPECT_THAT(history(*store, {.from = {60, 0}}), IsEmpty());
}

// Watchers see a revision as a whole, live and later.
TEST(Store, WhatAKeyWasBeforeIsWhatItWasBeforeTheRevision) {
  const auto store = open_store();
  put(*store, "old", "1");
  TxnRequest txn;
  txn.success.emplace_back(PutRequest{.key = "old", .value = "2"});
  txn.success.emplace_back(PutRequest{.key = "young", .value = "2"});
  txn.success.emplace_back(DeleteRangeRequest{.keys = {"a", std::string_view("\0", 1)}, .prev_kv = true});
  WriteBatch batch = begin(*store);
  const Result<TxnResult> result = batch.txn(txn);
  ASSERT_TRUE(result.has_value()) << result.error().to_string();
  EXPECT_EQ(std::get<DeleteRangeResult>(result->responses[2]).prev_kvs.at(0).value, "2")
      << "the request sees its own";
  const Result<Committed> committed = batch.commit();
  ASSERT_TRUE(committed.has_value());
  std::vector<std::string> live;
  for (const Event& event : committed->events) live.push_back(describe_event(event));
  EXPECT_THAT(
      live, ElementsAre("PUT 3.0 old=2 c2 m3 v2 l0 <- old=1 c2 m2 v1 l0", "PUT 3.1 young=2 c3 m3 v1 l0",
                        "DELETE 3.2 old= c0 m3 v0 l0 <- old=1 c2 m2 v1 l0", "DELETE 3.3 young= c0 m3 v0 l0"));
  EXPECT_EQ(history(*store, {.from = {3, 0}, .prev_kv = true}), live);
}

TEST(Store, HistoryStopsBetweenRevisionsAndGoesOn) {
  const auto store = open_store();
  put(*store, "a", "1");
  put(*store, "b", "1");
  erase(*store, "a", "c");
  put(*store, "c", "1");
  const ReadView view = read(*store);
  std::vector<Revision> seen;
  const auto note = [&](const EventView& event) {
    seen.push_back(event.revision);
    return true;
  };
  Result<HistoryResult> result = view.history({.from = {2, 0}, .events_max = 3}, note);
  ASSERT_TRUE(result.has_value());
  EXPECT_FALSE(result->done);
  EXPECT_EQ(result->next, (Revision{5, 0}));
  EXPECT_THAT(seen, ElementsAre(Revision{2, 0}, Revision{3, 0}, Revision{4, 0}, Revision{4, 1}));
  result = view.history({.from = result->next, .events_max = 3}, note);
  EXPECT_TRUE(result->done);
  EXPECT_EQ(result->next, (Revision{6, 0}));
  EXPECT_EQ(seen.size(), 5u);

  seen.clear();
  result = view.history({.from = {4, 0}}, [&](const EventView& event) { return note(event), false; });
  EXPECT_EQ(result->next, (Revision{4, 1})) << "the callback stopped inside a revision";
  result = view.history({.from = {2, 0}, .bytes_max = 1}, note);
  EXPECT_EQ(result->next, (Revision{3, 0}));
}

TEST(Store, LeasesTakeTheirKeysWithThem) {
  const auto store = open_store();
  WriteBatch batch = begin(*store);
  EXPECT_EQ(batch.lease_grant({.id = 7, .ttl_s = 10})->granted_ttl_s, 10);
  EXPECT_EQ(batch.lease_grant({.id = 8, .ttl_s = 1})->granted_ttl_s, 2) << "the minimum";
  EXPECT_EQ(batch.lease_grant({.id = 7, .ttl_s = 10}).status(), errors::lease_exists());
  EXPECT_EQ(batch.lease_grant({.id = 9, .ttl_s = 9'000'000'001}).status(), errors::lease_ttl_too_large());
  EXPECT_EQ(batch.lease_grant({.id = 0, .ttl_s = 10}).status(), errors::lease_not_found());
  for (const char* key : {"b", "a", "c"})
    ASSERT_TRUE(batch.put({.key = key, .value = "1", .lease = 7}).has_value());
  ASSERT_TRUE(batch.put({.key = "c", .value = "2"}).has_value());
  ASSERT_TRUE(batch.commit().has_value());
  EXPECT_THAT(*read(*store).lease_keys(7), ElementsAre("a", "b"));
  EXPECT_THAT(store->leases(), ElementsAre(7, 8));
  EXPECT_EQ(store->lease_next_expiry_ms(), 2'000);
  EXPECT_THAT(store->leases_expired(2'000, 10), ElementsAre(8));
  EXPECT_EQ(store->lease_renew(9, 0).status(), errors::lease_not_found());

  WriteBatch revocation = begin(*store);
  EXPECT_EQ(*revocation.lease_revoke(7), 6);
  EXPECT_EQ(*revocation.lease_revoke(8), 6) << "no keys, no revision";
  EXPECT_EQ(revocation.lease_revoke(7).status(), errors::lease_not_found());
  EXPECT_EQ(revocation.put({.key = "d", .value = "1", .lease = 7}).status(), errors::lease_not_found());
  EXPECT_THAT(store->leases(), ElementsAre(7, 8)) << "until the commit";
  Result<Committed> committed = revocation.commit();
  ASSERT_TRUE(committed.has_value());
  ASSERT_EQ(committed->events.size(), 2u);
  EXPECT_EQ(describe_event(committed->events[0]), "DELETE 6.0 a= c0 m6 v0 l0 <- a=1 c3 m3 v1 l7");
  EXPECT_EQ(describe_event(committed->events[1]), "DELETE 6.1 b= c0 m6 v0 l0 <- b=1 c2 m2 v1 l7");
  EXPECT_THAT(store->leases(), IsEmpty());
}

TEST(Store, TheQuotaRefusesPutsAndLetsRoomBeMade) {
  const auto store = open_store({.quota_bytes = 4 << 20});
  const std::string value(100'000, 'x');
  Status full;
  int keys = 0;
  for (; full.ok() && keys < 100; ++keys) {
    WriteBatch batch = begin(*store);
    const std::string key = "k" + std::to_string(keys);
    full = batch.put({.key = key, .value = value}).status();
    ASSERT_TRUE(batch.commit().has_value());
  }
  EXPECT_EQ(full, errors::no_space());
  EXPECT_GT(keys, 20);
  EXPECT_GT(store->size()->in_use_bytes, std::size_t{3} << 20);
  WriteBatch refused = begin(*store);
  EXPECT_EQ(refused.lease_grant({.id = 1, .ttl_s = 10}).has_value(), true) << "a small one still fits";
  TxnRequest txn;
  txn.success.emplace_back(PutRequest{.key = "big", .value = value});
  EXPECT_EQ(refused.txn(txn).status(), errors::no_space());
  ASSERT_TRUE(refused.commit().has_value());

  const std::int64_t revision = erase(*store, "k", "l");
  compact(*store, revision);
  EXPECT_LT(store->size()->in_use_bytes, std::size_t{1} << 20);
  put(*store, "k", value);
}

}  // namespace
}  // namespace minigrpc::store::test
