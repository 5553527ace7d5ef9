// Watch: what a watcher hears, in which order, and when it ends.
#include "api_test.h"

namespace minigrpc::testing {
namespace {

class Watching : public Api {
 protected:
  WatchStream watch() { return WatchStream(channel, options()); }
};
INSTANTIATE_API_TEST(Watching);

constexpr const char* kEverything = R"(key: "\000" range_end: "\000" )";

TEST_P(Watching, AWatcherHearsOfWhatFollows) {
  put("k", "before");
  WatchStream stream = watch();
  const WatchResponse created = stream.create(R"(key: "k")");
  EXPECT_TRUE(created.created());
  EXPECT_FALSE(created.canceled());
  EXPECT_EQ(created.watch_id(), 0);
  EXPECT_EQ(created.header().revision(), 2);
  put("k", "1");
  put("other", "x");
  put("k", "2");
  erase(R"(key: "k")");
  EXPECT_THAT(stream.events(3), ElementsAre("PUT k=1 2,3,2", "PUT k=2 2,5,3", "DELETE k 6"));
  stream.expect_silence();
}

TEST_P(Watching, FromAnOldRevisionItHearsOfThePast) {
  put("k", "1");
  erase(R"(key: "k")");
  put("k", "2");
  WatchStream stream = watch();
  stream.create(std::string(kEverything) + "start_revision: 2");
  EXPECT_THAT(stream.events(3), ElementsAre("PUT k=1 2,2,1", "DELETE k 3", "PUT k=2 4,4,1"));
  put("k", "3");
  EXPECT_THAT(stream.events(1), ElementsAre("PUT k=3 4,5,2"));
}

TEST_P(Watching, FromAFutureRevisionItHearsNothingBefore) {
  WatchStream stream = watch();
  EXPECT_TRUE(stream.create(std::string(kEverything) + "start_revision: 5").created());
  for (const char* key : {"a", "b", "c", "d", "e"}) put(key, "v");  // 2 to 6
  EXPECT_THAT(stream.events(2), ElementsAre("PUT d=v 5,5,1", "PUT e=v 6,6,1"));
}

TEST_P(Watching, RangesAreThoseOfRange) {
  struct Row {
    const char* keys;
    std::vector<std::string> heard;
  };
  const std::vector<Row> rows{{R"(key: "b")", {"b"}},
                              {R"(key: "b" range_end: "c")", {"b", "ba"}},
                              {R"(key: "b" range_end: "\000")", {"b", "ba", "c"}},
                              {R"(key: "a" range_end: "ba")", {"a", "b"}},
                              {R"(key: "\000" range_end: "\000")", {"a", "b", "ba", "c"}},
                              {R"(range_end: "\000")", {"a", "b", "ba", "c"}}};
  for (const char* key : {"a", "b", "ba", "c"}) put(key, "v");
  WatchStream stream = watch();
  for (const Row& row : rows) {
    const WatchResponse created = stream.create(std::string(row.keys) + " start_revision: 2");
    ASSERT_TRUE(created.created());
    std::vector<std::string> heard;
    while (heard.size() < row.heard.size()) {
      const WatchResponse response = stream.next();
      EXPECT_EQ(response.watch_id(), created.watch_id());
      for (const mvccpb::Event& event : response.events()) heard.push_back(event.kv().key());
      ASSERT_FALSE(HasFailure());
    }
    EXPECT_EQ(heard, row.heard) << row.keys;
    stream.expect_silence();
  }
}

TEST_P(Watching, AnEmptyRangeIsRefused) {
  WatchStream stream = watch();
  const WatchResponse refused = stream.create(R"(key: "b" range_end: "a")");
  EXPECT_TRUE(refused.created());
  EXPECT_TRUE(refused.canceled());
  EXPECT_EQ(refused.watch_id(), -1);
  EXPECT_FALSE(refused.cancel_reason().empty());
}

TEST_P(Watching, FiltersLeaveKindsOut) {
  WatchStream stream = watch();
  const std::int64_t deletes = stream.create(R"(key: "k" filters: NOPUT)").watch_id();
  const std::int64_t puts = stream.create(R"(key: "k" filters: NODELETE)").watch_id();
  const std::int64_t none = stream.create(R"(key: "k" filters: NODELETE filters: NOPUT)").watch_id();
  put("k", "v");
  erase(R"(key: "k")");
  for (int i = 0; i < 2; ++i) {
    const WatchResponse response = stream.next();
    ASSERT_EQ(response.events_size(), 1);
    EXPECT_NE(response.watch_id(), none);
    EXPECT_EQ(response.watch_id(), response.events(0).type() == mvccpb::Event::PUT ? puts : deletes);
  }
}

TEST_P(Watching, PrevKvIsWhatWasThereBefore) {
  WatchStream stream = watch();
  stream.create(R"(key: "k" prev_kv: true)");
  put("k", "1");
  put("k", "2");
  erase(R"(key: "k")");
  put("k", "3");
  EXPECT_THAT(stream.events(4), ElementsAre("PUT k=1 2,2,1", "PUT k=2 2,3,2 (was 1)", "DELETE k 4 (was 2)",
                                            "PUT k=3 5,5,1"));
  // What compaction has taken is not there to be shown.
  CompactionRequest compact;
  compact.set_revision(3);
  compact.set_physical(true);
  get(kv.Compact(compact, options()));
  WatchStream late = watch();
  late.create(R"(key: "k" prev_kv: true start_revision: 3)");
  EXPECT_THAT(late.events(3), ElementsAre("PUT k=2 2,3,2", "DELETE k 4 (was 2)", "PUT k=3 5,5,1"));
}

TEST_P(Watching, ATransactionIsOneAnswer) {
  WatchStream stream = watch();
  stream.create(kEverything);
  txn(R"(success { request_put { key: "a" } } success { request_put { key: "b" } }
         success { request_delete_range { key: "x" } } success { request_put { key: "c" } })");
  const WatchResponse response = stream.next();
  EXPECT_THAT(describe(response), ElementsAre("PUT a= 2,2,1", "PUT b= 2,2,1", "PUT c= 2,2,1"));
  EXPECT_EQ(response.header().revision(), 2);
}

TEST_P(Watching, ClientsMayChooseIds) {
  WatchStream stream = watch();
  EXPECT_EQ(stream.create(R"(key: "a" watch_id: 7)").watch_id(), 7);
  EXPECT_EQ(stream.create(R"(key: "b")").watch_id(), 0);
  EXPECT_EQ(stream.create(R"(key: "c" watch_id: 1)").watch_id(), 1);
  // The next one that is free.
  EXPECT_EQ(stream.create(R"(key: "d")").watch_id(), 2);
  const WatchResponse again = stream.create(R"(key: "e" watch_id: 7)");
  EXPECT_TRUE(again.created());
  EXPECT_TRUE(again.canceled());
  EXPECT_EQ(again.watch_id(), -1);
  EXPECT_EQ(again.cancel_reason(), "mvcc: duplicate watch ID provided on the WatchStream");
  // The one that has it is unharmed.
  put("a", "v");
  EXPECT_EQ(stream.next().watch_id(), 7);
}

TEST_P(Watching, CancelEndsOneWatcher) {
  WatchStream stream = watch();
  stream.create(R"(key: "a" watch_id: 1)");
  stream.create(R"(key: "a" watch_id: 2)");
  stream.send("cancel_request { watch_id: 1 }");
  const WatchResponse cancelled = stream.next();
  EXPECT_EQ(cancelled.watch_id(), 1);
  EXPECT_TRUE(cancelled.canceled());
  EXPECT_EQ(cancelled.compact_revision(), 0);
  put("a", "v");
  EXPECT_EQ(stream.next().watch_id(), 2);
  // An id that nobody has is passed over.
  stream.send("cancel_request { watch_id: 99 }");
  stream.expect_silence();
}

TEST_P(Watching, FromACompactedRevisionItIsCreatedThenCancelled) {
  for (const char* value : {"1", "2", "3"}) put("k", value);
  get(kv.Compact(parse<CompactionRequest>("revision: 3"), options()));
  WatchStream stream = watch();
  const WatchResponse created = stream.create(R"(key: "k" start_revision: 2)");
  EXPECT_TRUE(created.created());
  EXPECT_FALSE(created.canceled());
  const WatchResponse cancelled = stream.next();
  EXPECT_TRUE(cancelled.canceled());
  EXPECT_FALSE(cancelled.created());
  EXPECT_EQ(cancelled.compact_revision(), 3);
  EXPECT_EQ(cancelled.watch_id(), created.watch_id());
  EXPECT_EQ(cancelled.events_size(), 0);
  // The stream goes on, and the compacted revision itself is there.
  stream.create(R"(key: "k" start_revision: 3)");
  EXPECT_THAT(stream.events(2), ElementsAre("PUT k=2 2,3,2", "PUT k=3 2,4,3"));
}

// 3.4 takes a negative revision for none; 3.6 refuses it, and so does minigrpcd.
TEST_P(Watching, ANegativeRevisionIsCompacted) {
  WatchStream stream = watch();
  const WatchResponse response = stream.create(R"(key: "k" start_revision: -1)");
  EXPECT_EQ(response.canceled(), !is_etcd());
  EXPECT_EQ(response.cancel_reason(),
            is_etcd() ? "" : "etcdserver: mvcc: required revision has been compacted");
}

TEST_P(Watching, ProgressIsToldOnRequest) {
  WatchStream stream = watch();
  stream.create(R"(key: "k")");
  const std::int64_t revision = put("other", "v").header().revision();
  stream.send("progress_request {}");
  const WatchResponse progress = stream.next();
  EXPECT_EQ(progress.watch_id(), -1);
  EXPECT_EQ(progress.events_size(), 0);
  EXPECT_FALSE(progress.canceled());
  EXPECT_EQ(progress.header().revision(), revision);
}

TEST_P(Watching, SeveralWatchersHearEachInOrder) {
  WatchStream stream = watch();
  for (int id = 1; id <= 3; ++id)
    stream.create(kEverything + std::string("watch_id: ") + std::to_string(id));
  constexpr int kPuts = 50;
  for (int i = 0; i < kPuts; ++i) put("k" + std::to_string(i % 7), "v");
  std::map<std::int64_t, std::vector<std::int64_t>> heard;
  for (int events = 0; events < 3 * kPuts;) {
    const WatchResponse response = stream.next();
    ASSERT_FALSE(HasFailure());
    for (const mvccpb::Event& event : response.events()) heard[response.watch_id()].push_back(event.kv().mod_revision());
    events += response.events_size();
  }
  std::vector<std::int64_t> all;
  for (int i = 0; i < kPuts; ++i) all.push_back(2 + i);
  for (int id = 1; id <= 3; ++id) EXPECT_EQ(heard[id], all) << id;
}

class SmallAnswers : public Api {
 protected:
  SmallAnswers() : Api({"--max-request-bytes", "20000"}) {}
};
INSTANTIATE_API_TEST(SmallAnswers);

TEST_P(SmallAnswers, FragmentsAreForThoseWhoAsk) {
  for (char key = 'a'; key < 'i'; ++key) put(std::string(1, key), std::string(15'000, key));
  WatchStream whole(channel, options());
  whole.create(R"(key: "a" range_end: "z" prev_kv: true)");
  WatchStream pieces(channel, options());
  pieces.create(R"(key: "a" range_end: "z" prev_kv: true fragment: true)");
  // More than a request may hold, but one deletion is short: what it shows is what was there. etcd cuts at the size of
  // a request and half a megabyte, so there must be more than that.
  for (int round = 0; round < 5; ++round)
    for (char key = 'a'; key < 'z'; ++key) put(std::string(2, key) + std::to_string(round), std::string(15'000, key));
  whole.events(125);
  pieces.events(125);
  erase(R"(key: "a" range_end: "z")");
  const WatchResponse one = whole.next();
  EXPECT_FALSE(one.fragment());
  EXPECT_EQ(one.events_size(), 8 + 125);
  int events = 0;
  int responses = 0;
  for (bool more = true; more && !HasFailure(); ++responses) {
    const WatchResponse piece = pieces.next();
    more = piece.fragment();
    events += piece.events_size();
    EXPECT_EQ(piece.header().revision(), one.header().revision());
  }
  EXPECT_EQ(events, one.events_size());
  EXPECT_GT(responses, 1);
}

class Progress : public Api {
 protected:
  Progress() : Api({"--experimental-watch-progress-notify-interval", "200ms"}) {}
};

// 3.4 has no flag for the interval, which is ten minutes.
INSTANTIATE_MINIGRPCD_TEST(Progress);

TEST_P(Progress, ASilentWatcherHearsOfProgressIfItWants) {
  WatchStream stream(channel, options());
  stream.create(R"(key: "k" progress_notify: true watch_id: 5)");
  stream.create(R"(key: "k" watch_id: 6)");
  const std::int64_t revision = put("other", "v").header().revision();
  for (int i = 0; i < 3;) {
    const WatchResponse progress = stream.next();
    ASSERT_FALSE(HasFailure());
    EXPECT_EQ(progress.watch_id(), 5);
    EXPECT_EQ(progress.events_size(), 0);
    i += progress.header().revision() == revision ? 1 : 0;
  }
}

}  // namespace
}  // namespace minigrpc::testing
