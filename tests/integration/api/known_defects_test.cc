// Defects that etcd has had, each named after what would go wrong. They are absent here by design, and stay so.
//
// They are not asked of the etcd that is installed, which is one of those that have some of them.
#include <algorithm>
#include <set>
#include <thread>

#include "api_test.h"

namespace minigrpc::testing {
namespace {

class KnownDefects : public Api {
 protected:
  // kill -9, at a moment that nobody chose, and back again.
  void crash() {
    registry.kill();
    registry.start();
    ASSERT_TRUE(registry.started()) << registry.log();
    ASSERT_TRUE(eventually(20s, [this] { return run(kv.Range(parse<RangeRequest>(R"(key: "k")"))).has_value(); }));
  }
  std::int64_t revision() { return range(R"(key: "k" count_only: true)").header().revision(); }
  void compact(std::int64_t at) {
    CompactionRequest request;
    request.set_revision(at);
    get(kv.Compact(request, options()));
  }
};
INSTANTIATE_MINIGRPCD_TEST(KnownDefects);

// etcd#14370: with a single member, a write was answered before it was on disk.
TEST_P(KnownDefects, AWriteIsLostWhenASingleMemberCrashes) {
  constexpr int kThreads = 4;
  for (int round = 0; round < 3; ++round) {
    std::array<std::atomic<int>, kThreads> answered{};
    std::vector<std::thread> writers;
    for (int number = 0; number < kThreads; ++number)
      writers.emplace_back([&, number] {
        for (int i = 1;; ++i) {
          PutRequest request;
          request.set_key("w" + std::to_string(number));
          request.set_value(std::to_string(i));
          if (!sync_wait(kv.Put(request, {.timeout = 5s}))) return;
          answered[static_cast<std::size_t>(number)] = i;
        }
      });
    ASSERT_TRUE(eventually(20s, [&] { return std::ranges::all_of(answered, [](const auto& i) { return i > 20; }); }));
    registry.kill();
    for (std::thread& writer : writers) writer.join();
    registry.start();
    ASSERT_TRUE(eventually(20s, [this] { return run(kv.Range(parse<RangeRequest>(R"(key: "k")"))).has_value(); }));
    for (int number = 0; number < kThreads; ++number) {
      const RangeResponse found = range("key: \"w" + std::to_string(number) + "\"");
      ASSERT_EQ(found.kvs_size(), 1);
      // One more may have been written and not answered.
      EXPECT_GE(std::stoi(found.kvs(0).value()), answered[static_cast<std::size_t>(number)]);
    }
    erase(R"(key: "w" range_end: "x")");
  }
}

// etcd#17780: the last revisions were tombstones, a compaction removed them, a crash came in between, and the revision
// was read from what was left.
TEST_P(KnownDefects, TheRevisionDecreasesAfterACrashDuringCompaction) {
  for (int round = 0; round < 4; ++round) {
    for (int i = 0; i < 20; ++i) {
      std::string puts;
      for (int key = 0; key < 50; ++key)
        puts += "success { request_put { key: \"k" + std::to_string(50 * i + key) + "\" value: \"v\" } } ";
      txn(puts);
    }
    for (int i = 0; i < 20; ++i) erase("key: \"k" + std::to_string(i) + "\"");
    erase(R"(key: "k" range_end: "l")");
    const std::int64_t before = revision();
    // Not physical: what it takes away goes while we kill.
    compact(before);
    sync_wait(runtime.sleep_for(std::chrono::milliseconds(2 * round)));
    crash();
    EXPECT_EQ(revision(), before);
    EXPECT_EQ(put("k", "v").header().revision(), before + 1);
    EXPECT_EQ(range(R"(key: "k" range_end: "l")").count(), 1);
  }
}

// etcd#18089, #19179: the compacted revision itself may be asked for, but a deletion in it was not told.
TEST_P(KnownDefects, AWatchMissesADeleteAtTheCompactedRevision) {
  put("k", "1");                   // 2
  put("other", "1");               // 3
  erase(R"(key: "k")");            // 4
  put("other", "2");               // 5
  get(kv.Compact(parse<CompactionRequest>("revision: 4 physical: true")));
  for (int round = 0; round < 2; ++round) {
    WatchStream stream(channel);
    stream.create(R"(key: "k" range_end: "p" start_revision: 4)");
    EXPECT_THAT(stream.events(2), ElementsAre("DELETE k 4", "PUT other=2 3,5,2"));
    crash();
  }
}

// etcd#17529: a stream whose client did not read lost events, once its watchers had fallen behind and a compaction came.
TEST_P(KnownDefects, EventsAreLostWhenAWatchStreamStarves) {
  WatchStream stream(channel);
  constexpr int kWatchers = 5;
  for (int id = 1; id <= kWatchers; ++id)
    EXPECT_TRUE(stream.create("key: \"k\" range_end: \"l\" watch_id: " + std::to_string(id)).created());
  // Far more than all windows and outboxes take. Nobody reads meanwhile.
  constexpr int kPuts = 300;
  for (int i = 0; i < kPuts; ++i) put("k" + std::to_string(i % 3), std::string(100'000, 'v'));
  std::map<std::int64_t, std::vector<std::int64_t>> seen;
  std::set<std::int64_t> compacted;
  std::int64_t compact_revision = 0;
  const auto all_done = [&] {
    for (int id = 1; id <= kWatchers; ++id)
      if (!compacted.contains(id) && (seen[id].empty() || seen[id].back() < 1 + kPuts)) return false;
    return true;
  };
  while (!all_done() && !HasFailure()) {
    // In the middle of the catching up, and only what nobody has seen yet may go missing.
    if (compact_revision == 0 && seen[1].size() > 50) compact(compact_revision = 200);
    const WatchResponse response = stream.next();
    if (response.canceled()) {
      EXPECT_EQ(response.compact_revision(), compact_revision);
      compacted.insert(response.watch_id());
    }
    for (const mvccpb::Event& event : response.events()) seen[response.watch_id()].push_back(event.kv().mod_revision());
  }
  for (int id = 1; id <= kWatchers; ++id) {
    // Whole up to the end, or up to where it was told that the rest is gone.
    std::vector<std::int64_t> expected;
    for (std::size_t i = 0; i < seen[id].size(); ++i) expected.push_back(2 + static_cast<std::int64_t>(i));
    EXPECT_EQ(seen[id], expected) << id;
    if (compacted.contains(id)) {
      EXPECT_LT(seen[id].size(), 199u) << id;
    }
  }
}

// etcd#15220: "everything up to revision R was sent" came before some of it.
TEST_P(KnownDefects, AProgressNotificationOvertakesEvents) {
  constexpr int kPuts = 400;
  for (int i = 0; i < kPuts / 2; ++i) put("k", std::to_string(i));
  WatchStream stream(channel);
  stream.create(R"(key: "k" start_revision: 2)");
  std::thread writer([this] {
    for (int i = 0; i < kPuts / 2; ++i) put("k", std::to_string(i));
  });
  std::int64_t seen = 1;
  int progress = 0;
  stream.send("progress_request {}");
  while (seen < 1 + kPuts && !HasFailure()) {
    const WatchResponse response = stream.next();
    for (const mvccpb::Event& event : response.events()) {
      EXPECT_EQ(event.kv().mod_revision(), seen + 1);
      seen = event.kv().mod_revision();
    }
    if (response.events_size() > 0) continue;
    ++progress;
    EXPECT_LE(response.header().revision(), seen);
    stream.send("progress_request {}");
  }
  writer.join();
  EXPECT_GT(progress, 0);
}

// etcd#20221: the watcher's first events, or what it was told of progress, lay before the revision that it asked for.
TEST_P(KnownDefects, AWatchAtAFutureRevisionHearsOfThePast) {
  put("k", "past");
  WatchStream stream(channel);
  EXPECT_TRUE(stream.create(R"(key: "k" start_revision: 10)").created());
  for (int i = 0; i < 5; ++i) put("k", std::to_string(i));
  // Another watcher of the stream falls behind and catches up meanwhile.
  stream.create(R"(key: "other" start_revision: 1)");
  for (int i = 0; i < 5; ++i) put("k", std::to_string(i));
  EXPECT_THAT(stream.events(3), ElementsAre("PUT k=2 2,10,9", "PUT k=3 2,11,10", "PUT k=4 2,12,11"));
}

// etcd#15247: after a pause of the machine all leases were due, and revoked before any client could renew.
TEST_P(KnownDefects, AllLeasesAreRevokedAfterAPause) {
  const LeaseGrantResponse granted = get(lease.LeaseGrant(parse<LeaseGrantRequest>("TTL: 2")));
  put("k", "v", granted.id());
  using Call = ClientStream<LeaseKeepAliveRequest, LeaseKeepAliveResponse>;
  Call call = lease.LeaseKeepAlive();
  const auto renew = [](Call* stream, std::int64_t id) -> Task<std::int64_t> {
    LeaseKeepAliveRequest request;
    request.set_id(id);
    auto writing = stream->write(request);
    co_await writing;
    auto reading = stream->read();
    const std::optional<LeaseKeepAliveResponse> answer = co_await reading;
    co_return answer ? answer->ttl() : -1;
  };
  EXPECT_EQ(sync_wait(renew(&call, granted.id())), 2);
  for (const std::chrono::milliseconds pause : {2500ms, 5000ms}) {
    registry.freeze();
    sync_wait(runtime.sleep_for(pause));
    registry.thaw();
    // It comes to life, and so does its client: there is time to renew.
    EXPECT_EQ(sync_wait(renew(&call, granted.id())), 2) << pause.count();
    EXPECT_THAT(keys(R"(key: "k")").size(), 1);
  }
  // Who does not renew ends all the same, and does not come back.
  ASSERT_TRUE(eventually(20s, [this] { return range(R"(key: "k")").count() == 0; }));
  EXPECT_EQ(sync_wait(renew(&call, granted.id())), 0);
}

// GHSA-xg4h-6gfc-h4m8: a watch of "everything from this key on" was checked as one of the key alone.
TEST_P(KnownDefects, PermissionToReadOneKeyShowsItsNeighbours) {
  get(auth.UserAdd(parse<AuthUserAddRequest>(R"(name: "root" password: "r")")));
  get(auth.UserGrantRole(parse<AuthUserGrantRoleRequest>(R"(user: "root" role: "root")")));
  get(auth.UserAdd(parse<AuthUserAddRequest>(R"(name: "alice" password: "a")")));
  get(auth.RoleAdd(parse<AuthRoleAddRequest>(R"(name: "one")")));
  get(auth.RoleGrantPermission(parse<AuthRoleGrantPermissionRequest>(R"(name: "one" perm { key: "k" })")));
  get(auth.UserGrantRole(parse<AuthUserGrantRoleRequest>(R"(user: "alice" role: "one")")));
  get(auth.AuthEnable(AuthEnableRequest()));
  sign_in("alice", "a");
  WatchStream stream(channel, options());
  for (const char* keys : {R"(key: "k" range_end: "\000")", R"(range_end: "\000")", R"(key: "k" range_end: "k\000\000")",
                           R"(key: "j" range_end: "l")"}) {
    const WatchResponse refused = stream.create(keys);
    EXPECT_TRUE(refused.canceled()) << keys;
    EXPECT_THAT(refused.cancel_reason(), HasSubstr("permission denied"));
    // A watch without a key is one of all; a range without one is a mistake.
    EXPECT_THAT(range_refusal(keys), ::testing::AnyOf(HasSubstr("permission denied"), HasSubstr("key is not provided")))
        << keys;
  }
  EXPECT_FALSE(stream.create(R"(key: "k")").canceled());
  sign_in("root", "r");
  put("k2", "secret");
  put("k", "public");
  EXPECT_THAT(stream.events(1), ElementsAre("PUT k=public 3,3,1"));
}

}  // namespace
}  // namespace minigrpc::testing
