// A provider's registration through everything that breaks registrations: DISCOVERY's invariants 1 to 5.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <minigrpc/discovery.h>

#include "support/registry.h"
#include "support/relay.h"

namespace minigrpc::discovery {
namespace {

using namespace std::chrono_literals;
using namespace minigrpc::testing;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr std::chrono::seconds kTtl{2};
const std::string kAddress = "10.0.0.1:5051";
const std::string kKey = "Shop/10.0.0.1:5051";

class AnnouncerFaults : public ::testing::TestWithParam<RegistryKind> {
 protected:
  void SetUp() override { ASSERT_TRUE(registry.started()) << registry.log(); }

  template <class T>
  T run(Task<T> task) {
    return sync_wait(std::move(task), std::chrono::steady_clock::now() + 20s);
  }
  AnnouncerOptions options(std::string id = "me") {
    return {.registry = registry.endpoint(),
            .services = {"Shop"},
            .address = kAddress,
            .instance_id = std::move(id),
            .ttl = kTtl};
  }
  bool registered(Announcer& announcer) {
    return sync_wait(announcer.wait_registered(std::chrono::steady_clock::now() + 20s));
  }
  std::vector<etcd::KeyValue> everything() {
    Result<etcd::RangeResponse> read = run(client.Range({.keys = etcd::KeyRange::all()}));
    return read ? std::move(read->kvs) : std::vector<etcd::KeyValue>();
  }
  std::optional<etcd::KeyValue> standing(const std::string& key = kKey) {
    Result<etcd::RangeResponse> read = run(client.Range({.keys = etcd::KeyRange::single(key)}));
    if (!read || read->kvs.empty()) return std::nullopt;
    return read->kvs.front();
  }
  void put(const std::string& value, etcd::LeaseId lease = 0) {
    Result<etcd::PutResponse> result = run(client.Put({.key = kKey, .value = value, .lease = lease}));
    ASSERT_TRUE(result) << result.error().to_string();
  }
  void remove() { ASSERT_TRUE(run(client.DeleteRange({.keys = etcd::KeyRange::single(kKey)}))); }
  // A server to leave with: what it serves does not matter here.
  void leave(Announcer& announcer, LeaveOptions how = {}) {
    Server server(runtime);
    run(announcer.leave(server, std::move(how)));
  }

  Registry registry{GetParam()};
  Runtime runtime;
  etcd::Client client{runtime, registry.endpoint(), {.request_timeout = 3000ms}};
};

TEST_P(AnnouncerFaults, RegistersAndLeaves) {
  std::string said;
  AnnouncerOptions how = options();
  how.services = {"Shop", "shop.Orders"};
  how.log = [&said](std::string_view text) { said += std::string(text) + "\n"; };
  Announcer announcer(runtime, how);
  ASSERT_TRUE(registered(announcer)) << announcer.status().last_error.to_string();
  const std::vector<etcd::KeyValue> kvs = everything();
  ASSERT_EQ(kvs.size(), 2u);
  EXPECT_EQ(kvs[0].key, kKey);
  EXPECT_EQ(kvs[1].key, "shop.Orders/10.0.0.1:5051");
  EXPECT_EQ(kvs[0].mod_revision, kvs[1].mod_revision) << "one transaction for all services";
  EXPECT_EQ(kvs[0].lease, kvs[1].lease) << "one lease for all services";
  EXPECT_EQ(kvs[0].value,
            R"({"Op":0,"Addr":"10.0.0.1:5051","Metadata":{"weight":1,"state":"serving","instance":"me"}})");
  const AnnouncerStatus status = announcer.status();
  EXPECT_EQ(status.lease, kvs[0].lease);
  EXPECT_GT(status.lease_remaining, 0ms);
  EXPECT_EQ(status.resync_count, 0u);

  bool told = false;
  leave(announcer, {.not_serving = [&told] { told = true; }, .propagation = 10ms});
  EXPECT_TRUE(told);
  EXPECT_THAT(everything(), IsEmpty());
  EXPECT_THAT(run(client.LeaseLeases())->leases, IsEmpty()) << "the lease is revoked";
  EXPECT_THAT(said, HasSubstr("registered " + kKey));
  EXPECT_FALSE(announcer.status().registered);
}

TEST_P(AnnouncerFaults, StaysRegisteredForManyTtls) {
  Announcer announcer(runtime, options());
  ASSERT_TRUE(registered(announcer));
  const auto first = standing();
  ASSERT_TRUE(first);
  EXPECT_FALSE(eventually(3 * kTtl, [&] { return !announcer.status().registered || !standing(); }));
  EXPECT_EQ(standing(), first) << "nothing was put again";
}

TEST_P(AnnouncerFaults, TakesItsOldKeyOverAfterARestart) {
  const auto lease = run(client.LeaseGrant({.ttl_s = 3600}));
  ASSERT_TRUE(lease);
  put(format_instance({.address = kAddress, .version = "old", .id = "me"}), lease->id);
  Announcer announcer(runtime, options());
  ASSERT_TRUE(registered(announcer));
  ASSERT_TRUE(run(client.LeaseRevoke(lease->id)));
  ASSERT_TRUE(standing()) << "the key hangs on the new lease, not on the old one";
  EXPECT_EQ(standing()->lease, announcer.status().lease);
}

TEST_P(AnnouncerFaults, NeverAdoptsAForeignKey) {
  const std::string foreign = format_instance({.address = kAddress, .id = "you"});
  put(foreign);
  Announcer announcer(runtime, options());
  ASSERT_TRUE(eventually(20s, [&] { return announcer.status().conflict_count == 1; }));
  EXPECT_FALSE(announcer.status().registered);
  EXPECT_THAT(announcer.status().last_error.message(), HasSubstr("belongs to another instance"));
  EXPECT_EQ(standing()->value, foreign);
  remove();
  ASSERT_TRUE(registered(announcer)) << "once it is gone, the place is free";
  EXPECT_EQ(announcer.status().conflict_count, 0u);
}

TEST_P(AnnouncerFaults, ALostLeaseMeansANewOneAndAllKeys) {
  AnnouncerOptions how = options();
  how.services = {"Shop", "Orders"};
  Announcer announcer(runtime, how);
  ASSERT_TRUE(registered(announcer));
  const etcd::LeaseId first = announcer.status().lease;
  ASSERT_TRUE(run(client.LeaseRevoke(first)));
  ASSERT_TRUE(
      eventually(20s, [&] { return announcer.status().registered && announcer.status().lease != first; }));
  const std::vector<etcd::KeyValue> kvs = everything();
  ASSERT_EQ(kvs.size(), 2u);
  EXPECT_EQ(kvs[0].mod_revision, kvs[1].mod_revision);
  EXPECT_EQ(kvs[0].lease, announcer.status().lease);
  EXPECT_EQ(announcer.status().resync_count, 1u);
}

TEST_P(AnnouncerFaults, PutsADeletedKeyBack) {
  Announcer announcer(runtime, options());
  ASSERT_TRUE(registered(announcer));
  remove();
  ASSERT_TRUE(eventually(20s, [&] { return standing().has_value(); }));
  EXPECT_EQ(standing()->lease, announcer.status().lease) << "the lease still lives";
  ASSERT_TRUE(registered(announcer));
  EXPECT_EQ(announcer.status().resync_count, 1u);
}

TEST_P(AnnouncerFaults, PutsAnOverwrittenKeyBack) {
  Announcer announcer(runtime, options());
  ASSERT_TRUE(registered(announcer));
  const std::string ours = standing()->value;
  for (const std::string& theirs :
       {std::string("nonsense"), format_instance({.address = kAddress, .id = "you"})}) {
    put(theirs);
    ASSERT_TRUE(eventually(20s, [&] { return standing()->value == ours; })) << theirs;
    EXPECT_EQ(standing()->lease, announcer.status().lease);
  }
}

TEST_P(AnnouncerFaults, LeavesAnOperatorsMark) {
  Announcer announcer(runtime, options());
  ASSERT_TRUE(registered(announcer));
  const std::string mark = format_instance({.address = kAddress, .state = InstanceState::kDisabled});
  put(mark);
  ASSERT_TRUE(eventually(20s, [&] { return announcer.status().disabled_count == 1; }));
  EXPECT_FALSE(announcer.status().registered);
  EXPECT_EQ(standing()->value, mark);
  // It also survives a new lease.
  ASSERT_TRUE(run(client.LeaseRevoke(announcer.status().lease)));
  const etcd::LeaseId first = announcer.status().lease;
  ASSERT_TRUE(eventually(20s, [&] { return announcer.status().lease != first; }));
  ASSERT_TRUE(eventually(20s, [&] { return announcer.status().disabled_count == 1; }));
  EXPECT_EQ(standing()->value, mark);
  remove();
  ASSERT_TRUE(registered(announcer));
}

TEST_P(AnnouncerFaults, TwoProcessesWithOneInstanceIdDoNotFight) {
  Announcer first(runtime, options());
  ASSERT_TRUE(registered(first));
  Announcer second(runtime, options());
  ASSERT_TRUE(registered(second));
  ASSERT_TRUE(eventually(20s, [&] { return first.status().conflict_count == 1; }));
  const auto settled = standing();
  EXPECT_EQ(settled->lease, second.status().lease) << "the last one wins";
  EXPECT_FALSE(eventually(kTtl, [&] { return standing() != settled; })) << "and nobody fights";
  leave(second, {.propagation = 10ms});
  ASSERT_TRUE(registered(first)) << "the other one takes the place that is free";
  EXPECT_EQ(standing()->lease, first.status().lease);
}

TEST_P(AnnouncerFaults, SurvivesARegistryKilledForLessThanTheTtl) {
  AnnouncerOptions how = options();
  how.ttl = 20s;
  Announcer announcer(runtime, how);
  ASSERT_TRUE(registered(announcer));
  const etcd::LeaseId lease = announcer.status().lease;
  registry.kill();
  registry.start();
  ASSERT_TRUE(registry.started()) << registry.log();
  ASSERT_TRUE(eventually(20s, [&] { return standing().has_value(); }));
  EXPECT_EQ(standing()->lease, lease);
  // Renewed after the restart: more is left than there can be of what it had.
  ASSERT_TRUE(eventually(20s, [&] { return announcer.status().lease_remaining > 19s; }));
  EXPECT_TRUE(announcer.status().registered);
  EXPECT_EQ(announcer.status().lease, lease);
}

TEST_P(AnnouncerFaults, SurvivesARegistryKilledForMoreThanTheTtl) {
  Announcer announcer(runtime, options());
  ASSERT_TRUE(registered(announcer));
  registry.kill();
  ASSERT_TRUE(eventually(20s, [&] { return !announcer.status().registered; }));
  EXPECT_EQ(announcer.status().lease_remaining, 0ms);
  registry.start();
  ASSERT_TRUE(registry.started()) << registry.log();
  ASSERT_TRUE(eventually(20s, [&] {
    const AnnouncerStatus status = announcer.status();
    const auto stands = standing();
    return status.registered && stands && stands->lease == status.lease;
  })) << announcer.status().last_error.to_string();
}

TEST_P(AnnouncerFaults, SurvivesAWipedRegistry) {
  Announcer announcer(runtime, options());
  ASSERT_TRUE(registered(announcer));
  registry.kill();
  registry.start_wiped();
  ASSERT_TRUE(registry.started()) << registry.log();
  ASSERT_TRUE(eventually(30s, [&] { return standing().has_value(); }))
      << announcer.status().last_error.to_string();
  ASSERT_TRUE(eventually(20s, [&] { return announcer.status().registered; }));
  EXPECT_EQ(standing()->lease, announcer.status().lease);
}

TEST_P(AnnouncerFaults, SurvivesAFrozenRegistry) {
  Announcer announcer(runtime, options());
  ASSERT_TRUE(registered(announcer));
  registry.freeze();
  const bool noticed = eventually(20s, [&] { return !announcer.status().registered; });
  registry.thaw();
  ASSERT_TRUE(noticed);
  ASSERT_TRUE(eventually(30s, [&] {
    const AnnouncerStatus status = announcer.status();
    const auto stands = standing();
    return status.registered && stands && stands->lease == status.lease;
  })) << announcer.status().last_error.to_string();
}

TEST_P(AnnouncerFaults, SurvivesANetworkThatSwallowsEverything) {
  Relay relay(registry.endpoint());
  AnnouncerOptions how = options();
  how.registry = relay.endpoint();
  Announcer announcer(runtime, how);
  ASSERT_TRUE(registered(announcer));
  relay.hang();
  ASSERT_TRUE(eventually(20s, [&] { return !announcer.status().registered && !standing(); }));
  relay.pass();
  ASSERT_TRUE(eventually(30s, [&] { return announcer.status().registered && standing(); }))
      << announcer.status().last_error.to_string();
}

TEST_P(AnnouncerFaults, WaitsForARegistryThatIsDownAtItsStart) {
  registry.kill();
  std::string said;
  AnnouncerOptions how = options();
  how.log = [&said](std::string_view text) { said += std::string(text) + "\n"; };
  Announcer announcer(runtime, how);
  ASSERT_TRUE(
      eventually(20s, [&] { return announcer.status().last_error.message() != "not registered yet"; }));
  EXPECT_FALSE(announcer.status().registered);
  registry.start();
  ASSERT_TRUE(registry.started()) << registry.log();
  ASSERT_TRUE(registered(announcer)) << announcer.status().last_error.to_string();
  EXPECT_THAT(said, HasSubstr("does not answer"));
}

TEST_P(AnnouncerFaults, LeavesInBoundedTimeWithTheRegistryDead) {
  AnnouncerOptions how = options();
  how.ttl = 60s;
  Announcer announcer(runtime, how);
  ASSERT_TRUE(registered(announcer));
  registry.kill();
  const auto begin = std::chrono::steady_clock::now();
  leave(announcer, {.registry_timeout = 500ms});
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 5s);
}

TEST_P(AnnouncerFaults, LeavesInBoundedTimeWithTheRegistryFrozen) {
  AnnouncerOptions how = options();
  how.ttl = 60s;
  Announcer announcer(runtime, how);
  ASSERT_TRUE(registered(announcer));
  registry.freeze();
  const auto begin = std::chrono::steady_clock::now();
  leave(announcer, {.registry_timeout = 500ms});
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 5s);
  registry.thaw();
}

TEST_P(AnnouncerFaults, LeavesAForeignKeyAloneWhenItLeaves) {
  Announcer announcer(runtime, options());
  ASSERT_TRUE(registered(announcer));
  put(format_instance({.address = kAddress, .state = InstanceState::kDisabled}));
  ASSERT_TRUE(eventually(20s, [&] { return announcer.status().disabled_count == 1; }));
  leave(announcer, {.propagation = 10ms});
  EXPECT_TRUE(standing()) << "the operator's mark is not ours to delete";
}

INSTANTIATE_TEST_SUITE_P(Against, AnnouncerFaults, ::testing::ValuesIn(registry_kinds()),
                         [](const auto& of) { return name_of(of.param); });

}  // namespace
}  // namespace minigrpc::discovery
