// The etcd client against real registries: every kind that there is.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <minigrpc/etcd.h>

#include "etcd/api/auth.minigrpc.h"
#include "support/registry.h"
#include "support/relay.h"

namespace minigrpc::etcd {
namespace {

using namespace std::chrono_literals;
using namespace minigrpc::testing;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using Kind = WatchUpdate::Kind;

class EtcdClient : public ::testing::TestWithParam<RegistryKind> {
 protected:
  void SetUp() override { ASSERT_TRUE(registry.started()) << registry.log(); }

  template <class T>
  T run(Task<T> task) {
    return sync_wait(std::move(task), std::chrono::steady_clock::now() + 20s);
  }
  // A successful call's answer.
  template <class T>
  T get(Task<Result<T>> task) {
    Result<T> result = run(std::move(task));
    if (!result) ADD_FAILURE() << result.error().to_string();
    return result ? *std::move(result) : T();
  }
  std::int64_t put(const std::string& key, const std::string& value, LeaseId lease = 0) {
    return get(client.Put({.key = key, .value = value, .lease = lease})).header.revision;
  }
  std::vector<std::string> keys(RangeRequest request) {
    std::vector<std::string> result;
    for (const KeyValue& kv : get(client.Range(std::move(request))).kvs) result.push_back(kv.key);
    return result;
  }
  WatchUpdate next(Watcher& watcher) { return get(watcher.next()); }
  // The server, too, takes the lease for gone: it may see that later than its keeper does.
  bool expires(LeaseId lease) {
    return eventually(20s, [&] { return get(client.LeaseTimeToLive({.id = lease})).ttl_s == -1; });
  }
  // The first update of that kind; events in between are a failure unless they are asked for.
  WatchUpdate next_of(Watcher& watcher, Kind kind) {
    WatchUpdate update = next(watcher);
    while (update.kind == Kind::kProgress && kind != Kind::kProgress && !HasFailure()) update = next(watcher);
    EXPECT_EQ(static_cast<int>(update.kind), static_cast<int>(kind));
    return update;
  }

  Registry registry{GetParam()};
  Runtime runtime;
  Client client{runtime, registry.endpoint()};
};

TEST_P(EtcdClient, ReadsWhatItPut) {
  const std::int64_t first = put("a/1", "one");
  put("a/2", "two");
  put("a/3", "three");
  put("b", "other");
  EXPECT_THAT(keys({.keys = KeyRange::prefix("a/")}), ElementsAre("a/1", "a/2", "a/3"));
  EXPECT_THAT(keys({.keys = KeyRange::from("a/3")}), ElementsAre("a/3", "b"));
  EXPECT_THAT(keys({.keys = KeyRange::all(), .sort_order = SortOrder::kDescend}),
              ElementsAre("b", "a/3", "a/2", "a/1"));
  const RangeResponse limited =
      get(client.Range({.keys = KeyRange::prefix("a/"), .limit = 2, .serializable = true}));
  EXPECT_EQ(limited.kvs.size(), 2u);
  EXPECT_TRUE(limited.more);
  EXPECT_EQ(limited.count, 3);
  EXPECT_THAT(keys({.keys = KeyRange::prefix("a/"), .revision = first}), ElementsAre("a/1"));

  const PutResponse replaced = get(client.Put({.key = "a/1", .value = "uno", .prev_kv = true}));
  ASSERT_TRUE(replaced.prev_kv);
  EXPECT_EQ(replaced.prev_kv->value, "one");
  const DeleteRangeResponse deleted =
      get(client.DeleteRange({.keys = KeyRange::prefix("a/"), .prev_kv = true}));
  EXPECT_EQ(deleted.deleted, 3);
  EXPECT_EQ(deleted.prev_kvs.at(0).value, "uno");
  EXPECT_THAT(keys({.keys = KeyRange::all()}), ElementsAre("b"));
}

TEST_P(EtcdClient, PassesTheServersWordsOn) {
  const Status no_lease = run(client.Put({.key = "k", .value = "v", .lease = 12345})).status();
  EXPECT_EQ(no_lease.to_string(), "NOT_FOUND: etcdserver: requested lease not found");
  EXPECT_EQ(no_lease.origin(), StatusOrigin::kPeer);
  EXPECT_EQ(run(client.Range({.keys = KeyRange::single("k"), .revision = 999})).status().to_string(),
            "OUT_OF_RANGE: etcdserver: mvcc: required revision is a future revision");
  EXPECT_EQ(run(client.Put({})).status().to_string(), "INVALID_ARGUMENT: etcdserver: key is not provided");
  put("k", "1");
  const std::int64_t second = put("k", "2");
  get(client.Compact({.revision = second}));
  EXPECT_EQ(run(client.Range({.keys = KeyRange::single("k"), .revision = second - 1})).status().to_string(),
            "OUT_OF_RANGE: etcdserver: mvcc: required revision has been compacted");
}

TEST_P(EtcdClient, ComparesAndDoes) {
  TxnRequest txn;
  txn.when(Compare::absent("k"))
      .then(PutRequest{.key = "k", .value = "mine"})
      .otherwise(RangeRequest{.keys = KeyRange::single("k")});
  EXPECT_TRUE(get(client.Txn(txn)).succeeded);
  const TxnResponse second = get(client.Txn(txn));
  EXPECT_FALSE(second.succeeded);
  EXPECT_EQ(std::get<RangeResponse>(second.responses.at(0)).kvs.at(0).value, "mine");

  TxnRequest inner;
  inner.when(Compare::value_is("k", "mine")).then(DeleteRangeRequest{.keys = KeyRange::single("k")});
  TxnRequest outer;
  outer.then(std::make_shared<const TxnRequest>(inner));
  const TxnResponse nested = get(client.Txn(outer));
  EXPECT_TRUE(std::get<std::shared_ptr<const TxnResponse>>(nested.responses.at(0))->succeeded);
  EXPECT_TRUE(keys({.keys = KeyRange::all()}).empty());
}

TEST_P(EtcdClient, GrantsRenewsAndRevokesLeases) {
  const LeaseGrantResponse lease = get(client.LeaseGrant({.ttl_s = 60}));
  EXPECT_EQ(lease.ttl_s, 60);
  EXPECT_THAT(get(client.LeaseLeases()).leases, ElementsAre(lease.id));
  put("k", "v", lease.id);
  const LeaseTimeToLiveResponse left = get(client.LeaseTimeToLive({.id = lease.id, .keys = true}));
  EXPECT_THAT(left.keys, ElementsAre("k"));
  EXPECT_GT(left.ttl_s, 50);
  EXPECT_EQ(left.granted_ttl_s, 60);
  EXPECT_EQ(get(client.LeaseKeepAlive(lease.id)).ttl_s, 60);
  get(client.LeaseRevoke(lease.id));
  EXPECT_TRUE(keys({.keys = KeyRange::all()}).empty());
  EXPECT_LE(get(client.LeaseKeepAlive(lease.id)).ttl_s, 0);
  EXPECT_EQ(get(client.LeaseTimeToLive({.id = lease.id})).ttl_s, -1);
  EXPECT_EQ(run(client.LeaseRevoke(lease.id)).status().code(), StatusCode::kNotFound);
}

TEST_P(EtcdClient, KeepsALeaseUntilItIsRevoked) {
  const LeaseGrantResponse lease = get(client.LeaseGrant({.ttl_s = 2}));
  put("k", "v", lease.id);
  std::atomic<int> answers = 0;
  LeaseKeeper keeper(client, lease, {.on_answer = [&answers](const LeaseKeepAliveResponse&) { ++answers; }});
  // Each answer renews by a third of the TTL: after seven of them the lease would be gone without.
  ASSERT_TRUE(eventually(20s, [&answers] { return answers >= 7; }));
  EXPECT_THAT(keys({.keys = KeyRange::all()}), ElementsAre("k"));
  EXPECT_GT(keeper.remaining(), 0ms);
  get(client.LeaseRevoke(lease.id));
  EXPECT_EQ(run(keeper.lost()).code(), StatusCode::kNotFound);
  EXPECT_EQ(keeper.remaining(), 0ms);
}

TEST_P(EtcdClient, AKeeperKnowsWhenItsTimeIsUp) {
  Relay relay(registry.endpoint());
  Client through(runtime, relay.endpoint());
  LeaseKeeper keeper(through, get(client.LeaseGrant({.ttl_s = 2})));
  LeaseKeeper stubborn(through, get(client.LeaseGrant({.ttl_s = 2})),
                       {.overdue = LeaseKeeperOptions::Overdue::kKeepTrying});
  relay.hang();
  EXPECT_EQ(run(keeper.lost()).code(), StatusCode::kAborted);
  ASSERT_TRUE(eventually(10s, [&stubborn] { return stubborn.remaining() == 0ms; }));
  ASSERT_TRUE(expires(stubborn.id()));
  relay.cut();
  relay.pass();
  // It learns from the server that the lease is gone, on a new connection.
  EXPECT_EQ(run(stubborn.lost()).code(), StatusCode::kNotFound);
}

TEST_P(EtcdClient, AKeeperGoesOnWhenTheNetworkDoes) {
  Relay relay(registry.endpoint());
  Client through(runtime, relay.endpoint());
  LeaseKeeper keeper(through, get(client.LeaseGrant({.ttl_s = 2})),
                     {.overdue = LeaseKeeperOptions::Overdue::kKeepTrying});
  relay.hang();
  ASSERT_TRUE(eventually(10s, [&keeper] { return keeper.remaining() == 0ms; }));
  ASSERT_TRUE(expires(keeper.id()));
  relay.pass();
  EXPECT_EQ(run(keeper.lost()).code(), StatusCode::kNotFound);
}

TEST_P(EtcdClient, WatchesFromAnyRevision) {
  const std::int64_t first = put("w/1", "a");
  put("x", "elsewhere");
  get(client.DeleteRange({.keys = KeyRange::single("w/1")}));
  Watcher watcher(client, {.keys = KeyRange::prefix("w/"), .start_revision = first, .prev_kv = true});
  std::vector<std::string> seen;
  while (seen.size() < 2 && !HasFailure())
    for (const WatchEvent& event : next_of(watcher, Kind::kEvents).events)
      seen.push_back((event.type == EventType::kPut ? "put " : "delete ") + event.kv.key);
  EXPECT_THAT(seen, ElementsAre("put w/1", "delete w/1"));
  put("w/2", "b");
  const WatchUpdate live = next_of(watcher, Kind::kEvents);
  EXPECT_EQ(live.events.at(0).kv.value, "b");
  EXPECT_TRUE(live.events.at(0).is_create());
  EXPECT_TRUE(watcher.health().ok()) << watcher.health().to_string();
}

TEST_P(EtcdClient, AWatchHasNoGapWhenTheServerIsKilled) {
  Watcher watcher(client, {.keys = KeyRange::prefix("w/")});
  ASSERT_TRUE(eventually(10s, [&watcher] { return watcher.health().ok(); }));
  put("w/1", "a");
  EXPECT_EQ(next_of(watcher, Kind::kEvents).events.at(0).kv.key, "w/1");
  registry.kill();
  ASSERT_TRUE(eventually(10s, [&watcher] { return !watcher.health().ok(); }));
  registry.start();
  ASSERT_TRUE(registry.started()) << registry.log();
  ASSERT_TRUE(eventually(20s, [&] { return run(client.Put({.key = "w/2", .value = "b"})).has_value(); }));
  put("w/3", "c");
  std::vector<std::string> seen;
  while ((seen.empty() || seen.back() != "w/3") && !HasFailure())
    for (const WatchEvent& event : next_of(watcher, Kind::kEvents).events) seen.push_back(event.kv.key);
  EXPECT_THAT(seen, ElementsAre("w/2", "w/3"));
  EXPECT_GE(watcher.resume_count(), 1u);
}

TEST_P(EtcdClient, ACompactedWatchSaysResynchronise) {
  const std::int64_t first = put("w/1", "a");
  const std::int64_t second = put("w/1", "b");
  get(client.Compact({.revision = second}));
  Watcher watcher(client, {.keys = KeyRange::prefix("w/"), .start_revision = first});
  const WatchUpdate update = next_of(watcher, Kind::kResynchronise);
  EXPECT_EQ(update.compact_revision, second);
  EXPECT_THAT(update.reason.message(), HasSubstr("required revision has been compacted"));
  const std::int64_t third = put("w/2", "c");
  EXPECT_EQ(next_of(watcher, Kind::kEvents).events.at(0).kv.mod_revision, third)
      << "the watch goes on by itself";
}

TEST_P(EtcdClient, AWipedServerMeansResynchronise) {
  for (int i = 0; i < 5; ++i) put("w/1", "a");
  Watcher watcher(
      client, {.keys = KeyRange::prefix("w/"), .after = get(client.Range({.keys = KeyRange::all()})).header});
  ASSERT_TRUE(eventually(10s, [&watcher] { return watcher.health().ok(); }));
  registry.kill();
  registry.start_wiped();
  ASSERT_TRUE(registry.started()) << registry.log();
  EXPECT_EQ(next_of(watcher, Kind::kResynchronise).reason.code(), StatusCode::kAborted);
  ASSERT_TRUE(eventually(20s, [&] { return run(client.Put({.key = "w/9", .value = "new"})).has_value(); }));
  EXPECT_EQ(next_of(watcher, Kind::kEvents).events.at(0).kv.key, "w/9");
}

TEST_P(EtcdClient, ASilentWatchMovesToAnotherEndpoint) {
  Relay relay(registry.endpoint());
  Client two(runtime, relay.endpoint() + "," + registry.endpoint());
  Watcher watcher(two, {.keys = KeyRange::prefix("w/"), .silence_max = 300ms});
  ASSERT_TRUE(eventually(10s, [&watcher] { return watcher.health().ok(); }));
  relay.hang();
  put("w/1", "a");
  EXPECT_EQ(next_of(watcher, Kind::kEvents).events.at(0).kv.key, "w/1");
  EXPECT_GE(watcher.resume_count(), 1u);
}

TEST_P(EtcdClient, AQuietWatchStaysWhereItIs) {
  Watcher watcher(client, {.keys = KeyRange::prefix("w/"), .silence_max = 50ms});
  ASSERT_TRUE(eventually(10s, [&watcher] { return watcher.health().ok(); }));
  // Long enough for many questions: each is answered.
  EXPECT_FALSE(eventually(1500ms, [&watcher] { return watcher.resume_count() > 0; }))
      << watcher.health().to_string();
}

TEST_P(EtcdClient, CallsGoOnWithTheNextEndpoint) {
  Relay dead(registry.endpoint());
  dead.cut();
  Client two(runtime, dead.endpoint() + "," + registry.endpoint());
  EXPECT_EQ(get(two.Range({.keys = KeyRange::all()})).kvs.size(), 0u);
  Client again(runtime, "127.0.0.1:" + std::to_string(free_port()) + "," + registry.endpoint());
  get(again.Put({.key = "k", .value = "v"}));
  EXPECT_THAT(keys({.keys = KeyRange::all()}), ElementsAre("k"));
  EXPECT_EQ(run(Client(runtime, "").Range({.keys = KeyRange::all()})).status().code(),
            StatusCode::kInvalidArgument);
}

TEST_P(EtcdClient, AChangeThatMayHaveBeenAppliedIsNotRepeated) {
  Relay relay(registry.endpoint());
  Client two(runtime, relay.endpoint() + "," + registry.endpoint(), {.request_timeout = 1000ms});
  get(two.Range({.keys = KeyRange::all()}));  // connects to the first
  relay.hang();
  EXPECT_EQ(run(two.Put({.key = "k", .value = "v"})).status().code(), StatusCode::kDeadlineExceeded);
  EXPECT_TRUE(keys({.keys = KeyRange::all()}).empty());
  get(two.Put({.key = "k", .value = "w"}));  // the next call begins elsewhere
  EXPECT_EQ(get(client.Range({.keys = KeyRange::single("k")})).kvs.at(0).version, 1);
}

TEST_P(EtcdClient, LocksAreHeldInTurn) {
  auto first = run(Session::open(client));
  auto second = run(Session::open(client));
  ASSERT_TRUE(first && second);
  Mutex mine(**first, "lock");
  Mutex theirs(**second, "lock");
  ASSERT_TRUE(run(mine.lock()).ok());
  EXPECT_TRUE(mine.key().starts_with("lock/"));
  EXPECT_EQ(run(theirs.try_lock()).code(), StatusCode::kAborted);
  EXPECT_THAT(keys({.keys = KeyRange::prefix("lock/")}), ElementsAre(mine.key()));

  TaskScope scope(runtime);
  std::atomic<bool> got = false;
  scope.spawn([](Mutex* mutex, std::atomic<bool>* flag) -> Task<void> {
    Task<Status> locking = mutex->lock();
    const Status locked = co_await locking;
    *flag = locked.ok();
  }(&theirs, &got));
  ASSERT_TRUE(eventually(10s, [&] { return keys({.keys = KeyRange::prefix("lock/")}).size() == 2; }));
  EXPECT_FALSE(got);
  TxnRequest guarded;
  guarded.when(mine.is_owner()).then(PutRequest{.key = "k", .value = "protected"});
  EXPECT_TRUE(get(client.Txn(guarded)).succeeded);
  ASSERT_TRUE(run(mine.unlock()).ok());
  EXPECT_TRUE(eventually(10s, [&got] { return got.load(); }));
  EXPECT_TRUE(run((*second)->close()).ok());
  EXPECT_TRUE(keys({.keys = KeyRange::prefix("lock/")}).empty());
}

TEST_P(EtcdClient, AWaiterThatGivesUpLeavesTheQueue) {
  auto first = run(Session::open(client));
  auto second = run(Session::open(client));
  ASSERT_TRUE(first && second);
  Mutex mine(**first, "lock");
  Mutex theirs(**second, "lock");
  ASSERT_TRUE(run(mine.lock()).ok());
  EXPECT_EQ(sync_wait(theirs.lock(), std::chrono::steady_clock::now() + 500ms).code(),
            StatusCode::kDeadlineExceeded);
  EXPECT_THAT(keys({.keys = KeyRange::prefix("lock/")}), ElementsAre(mine.key()));
}

TEST_P(EtcdClient, LocksExcludeEtcdctl) {
  TemporaryDirectory directory;
  auto session = run(Session::open(client));
  ASSERT_TRUE(session);
  Mutex mutex(**session, "shared");
  ChildProcess etcdctl(
      {"env", "ETCDCTL_API=3", "etcdctl", "--endpoints", registry.endpoint(), "lock", "shared"},
      directory.path() + "/log");
  ASSERT_TRUE(eventually(20s, [&] { return etcdctl.log().find("shared/") != std::string::npos; }))
      << etcdctl.log();
  EXPECT_EQ(run(mutex.try_lock()).code(), StatusCode::kAborted);
  etcdctl.signal(2);
  EXPECT_TRUE(run(mutex.lock()).ok());
}

TEST_P(EtcdClient, KnowsTheCluster) {
  const MemberListResponse list = get(client.MemberList());
  ASSERT_EQ(list.members.size(), 1u);
  EXPECT_EQ(list.members[0].name, "default");
  EXPECT_THAT(list.members[0].client_urls, ElementsAre("http://" + registry.endpoint()));
  const MemberStatusResponse status = get(client.MemberStatus(registry.endpoint()));
  EXPECT_EQ(status.leader, list.members[0].id);
  EXPECT_FALSE(status.version.empty());
  EXPECT_GT(status.db_size, 0);
  EXPECT_EQ(run(client.MemberStatus("127.0.0.1:1")).status().code(), StatusCode::kInvalidArgument);
}

TEST_P(EtcdClient, ElectsOneLeaderAtATime) {
  auto first = run(Session::open(client));
  auto second = run(Session::open(client));
  ASSERT_TRUE(first && second);
  Election mine(**first, "election");
  Election theirs(**second, "election");
  ElectionObserver observer(client, "election");
  const auto seen = [&] {
    const RangeResponse leader = get(observer.next());
    return leader.kvs.size() == 1 ? leader.kvs[0].key + "=" + leader.kvs[0].value : std::string();
  };
  ASSERT_TRUE(run(mine.campaign("a")).ok());
  EXPECT_EQ(seen(), mine.key() + "=a");
  ASSERT_TRUE(run(mine.proclaim("b")).ok());
  EXPECT_EQ(seen(), mine.key() + "=b");
  // Again, in the same session: a new value, and no new election.
  ASSERT_TRUE(run(mine.campaign("c")).ok());
  EXPECT_EQ(seen(), mine.key() + "=c");

  std::atomic<bool> elected = false;
  TaskScope scope(runtime);
  scope.spawn([](Election* election, std::atomic<bool>* flag) -> Task<void> {
    Task<Status> campaigning = election->campaign("d");
    const Status outcome = co_await campaigning;
    *flag = outcome.ok();
  }(&theirs, &elected));
  ASSERT_TRUE(eventually(10s, [&] { return keys({.keys = KeyRange::prefix("election/")}).size() == 2; }));
  EXPECT_FALSE(elected);
  ASSERT_TRUE(run(mine.resign()).ok());
  EXPECT_TRUE(eventually(10s, [&] { return elected.load(); }));
  EXPECT_EQ(seen(), theirs.key() + "=d");
  EXPECT_EQ(run(mine.proclaim("x")).code(), StatusCode::kAborted);
  // Nobody leads, then somebody does.
  ASSERT_TRUE(run(theirs.resign()).ok());
  ASSERT_TRUE(run(mine.campaign("e")).ok());
  EXPECT_EQ(seen(), mine.key() + "=e");
}

TEST_P(EtcdClient, AWatchIsAskedHowFarItIs) {
  Watcher watcher(client, {.keys = KeyRange::single("w")});
  watcher.request_progress();
  const std::int64_t before = next_of(watcher, Kind::kProgress).header.revision;
  const std::int64_t revision = put("elsewhere", "x");
  EXPECT_LT(before, revision);
  watcher.request_progress();
  EXPECT_EQ(next_of(watcher, Kind::kProgress).header.revision, revision);
  put("w", "1");
  EXPECT_EQ(next_of(watcher, Kind::kEvents).events.size(), 1u);
}

TEST_P(EtcdClient, SignsInAgainWhenItsTokenIsRefused) {
  const Channel channel(runtime, registry.endpoint());
  const etcdserverpb::Auth::Client auth(channel);
  etcdserverpb::AuthUserAddRequest user;
  user.set_name("root");
  user.set_password("secret");
  get(auth.UserAdd(user));
  etcdserverpb::AuthRoleAddRequest role;
  role.set_name("root");
  (void)run(auth.RoleAdd(role));  // minigrpcd may have it
  etcdserverpb::AuthUserGrantRoleRequest grant;
  grant.set_user("root");
  grant.set_role("root");
  get(auth.UserGrantRole(grant));

  Client signed_in(runtime, registry.endpoint(), {.user = "root", .password = "secret"});
  // Nobody is asked yet.
  get(signed_in.Put({.key = "u", .value = "0"}));
  get(auth.AuthEnable({}));
  EXPECT_THAT(run(client.Put({.key = "u", .value = "x"})).status().message(), HasSubstr("user name is empty"));
  get(signed_in.Put({.key = "u", .value = "1"}));
  Client wrong(runtime, registry.endpoint(), {.user = "root", .password = "guess"});
  EXPECT_THAT(run(wrong.Put({.key = "u", .value = "x"})).status().message(), HasSubstr("invalid user ID or password"));

  const Metadata old = get(signed_in.call_metadata());
  const CallOptions with_old{.metadata = old};
  get(auth.AuthDisable({}, with_old));
  get(auth.AuthEnable({}));
  EXPECT_EQ(run(auth.UserList({}, with_old)).status().code(), StatusCode::kUnauthenticated) << "tokens ended with AuthDisable";
  get(signed_in.Put({.key = "u", .value = "2"}));
  Watcher watcher(signed_in, {.keys = KeyRange::single("u"), .start_revision = 1});
  EXPECT_EQ(next_of(watcher, Kind::kEvents).events.size(), 3u);
  auto session = run(Session::open(signed_in, 5));
  ASSERT_TRUE(session);
  EXPECT_TRUE(run((*session)->close()).ok());
}

INSTANTIATE_TEST_SUITE_P(Against, EtcdClient, ::testing::ValuesIn(registry_kinds()),
                         [](const auto& of) { return name_of(of.param); });

}  // namespace
}  // namespace minigrpc::etcd
