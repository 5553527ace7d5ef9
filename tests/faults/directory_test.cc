// A consumer's list through everything that breaks lists: DISCOVERY's invariants 6, 10 and 11.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <minigrpc/channel.h>
#include <minigrpc/discovery.h>

#include <mutex>

#include "support/registry.h"
#include "support/relay.h"

namespace minigrpc::discovery {
namespace {

using namespace std::chrono_literals;
using namespace minigrpc::testing;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

using Addresses = std::vector<std::string>;

Addresses addresses_of(const std::vector<Instance>& instances) {
  Addresses addresses;
  for (const Instance& instance : instances) addresses.push_back(instance.address);
  return addresses;
}

// Everything that a listener was told.
class News {
 public:
  Directory::Listener listener() {
    return [this](Result<std::vector<Instance>> news) {
      std::lock_guard lock(mutex_);
      if (news)
        lists_.push_back(addresses_of(*news));
      else
        errors_.push_back(news.error().to_string());
    };
  }
  std::vector<Addresses> lists() {
    std::lock_guard lock(mutex_);
    return lists_;
  }
  Addresses last() {
    std::lock_guard lock(mutex_);
    return lists_.empty() ? Addresses() : lists_.back();
  }
  std::vector<std::string> errors() {
    std::lock_guard lock(mutex_);
    return errors_;
  }

 private:
  std::mutex mutex_;
  std::vector<Addresses> lists_;
  std::vector<std::string> errors_;
};

class DirectoryFaults : public ::testing::TestWithParam<RegistryKind> {
 protected:
  void SetUp() override { ASSERT_TRUE(registry.started()) << registry.log(); }

  template <class T>
  T run(Task<T> task) {
    return sync_wait(std::move(task), std::chrono::steady_clock::now() + 20s);
  }
  void put(const std::string& host, const std::string& value) {
    ASSERT_TRUE(run(client->Put({.key = "Shop/" + host, .value = value})));
  }
  void put(const std::string& host) { put(host, format_instance({.address = host + ":1"})); }
  void remove(const std::string& host) {
    ASSERT_TRUE(run(client->DeleteRange({.keys = etcd::KeyRange::single("Shop/" + host)})));
  }
  std::shared_ptr<etcd::Client> through(const Relay& relay) {
    return std::make_shared<etcd::Client>(runtime, relay.endpoint());
  }
  bool becomes(const Addresses& wanted) {
    return eventually(20s, [&] { return news.last() == wanted; });
  }
  static bool synchronised(const Directory& directory) {
    return eventually(20s, [&] { return directory.status().synchronised; });
  }

  Registry registry{GetParam()};
  Runtime runtime;
  std::shared_ptr<etcd::Client> client = std::make_shared<etcd::Client>(
      runtime, registry.endpoint(), etcd::ClientOptions{.request_timeout = 3000ms});
  News news;
};

TEST_P(DirectoryFaults, FollowsTheRegistry) {
  put("a");
  ASSERT_TRUE(run(client->Put({.key = "Shop2/x", .value = "x:1"}))) << "another service's";
  Directory directory(client, "Shop", news.listener());
  ASSERT_TRUE(becomes({"a:1"}));
  put("b");
  ASSERT_TRUE(becomes({"a:1", "b:1"}));
  remove("a");
  ASSERT_TRUE(becomes({"b:1"}));
  EXPECT_THAT(news.lists(), ElementsAre(Addresses{"a:1"}, Addresses{"a:1", "b:1"}, Addresses{"b:1"}));
  EXPECT_TRUE(directory.status().synchronised);
  EXPECT_EQ(directory.status().resync_count, 0u);
}

TEST_P(DirectoryFaults, SaysThatNobodyIsThere) {
  Directory directory(client, "Shop", news.listener());
  ASSERT_TRUE(eventually(20s, [&] { return !news.errors().empty(); }));
  EXPECT_EQ(news.errors().front(), "UNAVAILABLE: no instance of Shop is registered");
  put("a");
  ASSERT_TRUE(becomes({"a:1"}));
}

TEST_P(DirectoryFaults, PassesOverAMalformedNeighbour) {
  put("a");
  put("bad", "{\"Addr\":");
  put("z");
  Directory directory(client, "Shop", news.listener());
  ASSERT_TRUE(becomes({"a:1", "z:1"}));
  EXPECT_EQ(directory.status().malformed_count, 1u);
  put("bad", "still nonsense");
  ASSERT_TRUE(eventually(20s, [&] { return directory.status().malformed_count == 2; }));
  put("bad", "bad:1");
  ASSERT_TRUE(becomes({"a:1", "bad:1", "z:1"}));
}

TEST_P(DirectoryFaults, CompactionUnderTheWatchIsADifference) {
  put("a");
  put("b");
  Relay relay(registry.endpoint());
  Directory directory(through(relay), "Shop", news.listener());
  ASSERT_TRUE(becomes({"a:1", "b:1"}));
  ASSERT_TRUE(synchronised(directory));
  relay.cut();
  ASSERT_TRUE(eventually(20s, [&] { return !directory.status().synchronised; }));
  remove("b");
  put("c");
  Result<etcd::PutResponse> last = run(client->Put({.key = "else", .value = "where"}));
  ASSERT_TRUE(last);
  ASSERT_TRUE(run(client->Compact({.revision = last->header.revision})));
  relay.pass();
  ASSERT_TRUE(becomes({"a:1", "c:1"}));
  EXPECT_EQ(directory.status().resync_count, 1u);
  EXPECT_THAT(news.lists(), ElementsAre(Addresses{"a:1", "b:1"}, Addresses{"a:1", "c:1"}))
      << "one difference, no blip";
  put("d");
  ASSERT_TRUE(becomes({"a:1", "c:1", "d:1"})) << "and the watch goes on";
}

TEST_P(DirectoryFaults, ACompactionThatChangedNothingSaysNothing) {
  put("a");
  Relay relay(registry.endpoint());
  Directory directory(through(relay), "Shop", news.listener());
  ASSERT_TRUE(becomes({"a:1"}));
  ASSERT_TRUE(synchronised(directory));
  relay.cut();
  ASSERT_TRUE(eventually(20s, [&] { return !directory.status().synchronised; }));
  Result<etcd::PutResponse> last = run(client->Put({.key = "else", .value = "1"}));
  last = run(client->Put({.key = "else", .value = "2"}));
  ASSERT_TRUE(last);
  ASSERT_TRUE(run(client->Compact({.revision = last->header.revision})));
  relay.pass();
  ASSERT_TRUE(eventually(
      20s, [&] { return directory.status().resync_count == 1 && directory.status().synchronised; }));
  EXPECT_EQ(news.lists().size(), 1u);
}

TEST_P(DirectoryFaults, ARestartedRegistryIsNotNoticed) {
  put("a");
  Directory directory(client, "Shop", news.listener());
  ASSERT_TRUE(becomes({"a:1"}));
  ASSERT_TRUE(synchronised(directory));
  registry.kill();
  ASSERT_TRUE(eventually(20s, [&] { return !directory.status().synchronised; }));
  EXPECT_EQ(addresses_of(directory.instances()), Addresses{"a:1"});
  registry.start();
  ASSERT_TRUE(registry.started()) << registry.log();
  ASSERT_TRUE(synchronised(directory)) << directory.status().last_error.to_string();
  put("b");
  ASSERT_TRUE(becomes({"a:1", "b:1"}));
  EXPECT_THAT(news.lists(), ElementsAre(Addresses{"a:1"}, Addresses{"a:1", "b:1"}));
  EXPECT_EQ(directory.status().resync_count, 0u) << "resumed where it stopped";
}

TEST_P(DirectoryFaults, AWipedRegistryDoesNotEmptyTheList) {
  for (int i = 0; i < 5; ++i) put("a");
  put("b");
  Directory directory(client, "Shop", news.listener());
  ASSERT_TRUE(becomes({"a:1", "b:1"}));
  ASSERT_TRUE(synchronised(directory));
  registry.kill();
  registry.start_wiped();
  ASSERT_TRUE(registry.started()) << registry.log();
  ASSERT_TRUE(eventually(20s, [&] {
    return directory.status().resync_count == 1 && directory.status().synchronised;
  })) << directory.status().last_error.to_string();
  EXPECT_EQ(addresses_of(directory.instances()), (Addresses{"a:1", "b:1"})) << "held until somebody is back";
  EXPECT_EQ(directory.status().instance_count, 0u);
  put("b");
  ASSERT_TRUE(becomes({"b:1"}));
  EXPECT_THAT(news.lists(), Not(Contains(IsEmpty())));
}

TEST_P(DirectoryFaults, AHeldListEnds) {
  put("a");
  Directory directory(client, "Shop", news.listener(), {.empty_hold = 300ms});
  ASSERT_TRUE(becomes({"a:1"}));
  remove("a");
  ASSERT_TRUE(eventually(20s, [&] { return news.lists().size() == 2; }));
  EXPECT_THAT(news.last(), IsEmpty());
  put("a");
  ASSERT_TRUE(becomes({"a:1"}));
}

TEST_P(DirectoryFaults, AFrozenRegistryIsLeftForAnother) {
  put("a");
  Relay relay(registry.endpoint());
  Directory directory(std::make_shared<etcd::Client>(runtime, relay.endpoint() + "," + registry.endpoint()),
                      "Shop", news.listener(), {.silence_max = 300ms});
  ASSERT_TRUE(becomes({"a:1"}));
  ASSERT_TRUE(synchronised(directory));
  relay.hang();
  put("b");
  ASSERT_TRUE(becomes({"a:1", "b:1"}));
}

TEST_P(DirectoryFaults, AFrozenRegistryIsHeardAgainWhenItThaws) {
  put("a");
  Directory directory(client, "Shop", news.listener(), {.silence_max = 300ms});
  ASSERT_TRUE(becomes({"a:1"}));
  ASSERT_TRUE(synchronised(directory));
  registry.freeze();
  const bool noticed = eventually(20s, [&] { return !directory.status().synchronised; });
  registry.thaw();
  ASSERT_TRUE(noticed);
  ASSERT_TRUE(
      eventually(20s, [&] { return run(client->Put({.key = "Shop/b", .value = "b:1"})).has_value(); }));
  ASSERT_TRUE(becomes({"a:1", "b:1"}));
}

TEST_P(DirectoryFaults, WaitsForARegistryThatIsDownAtItsStart) {
  put("a");
  registry.kill();
  Directory directory(client, "Shop", news.listener());
  ASSERT_TRUE(eventually(20s, [&] { return !news.errors().empty(); }));
  registry.start();
  ASSERT_TRUE(registry.started()) << registry.log();
  ASSERT_TRUE(becomes({"a:1"})) << directory.status().last_error.to_string();
}

TEST_P(DirectoryFaults, GoesAtAnyTime) {
  put("a");
  for (int i = 0; i < 20; ++i) {
    Directory directory(client, "Shop", news.listener());
    if (i % 2 == 0) {
      ASSERT_TRUE(eventually(20s, [&] { return !directory.instances().empty(); }));
    }
  }
  const std::size_t told = news.lists().size();
  put("b");
  Directory last(client, "Shop", [](const Result<std::vector<Instance>>&) {});
  ASSERT_TRUE(eventually(20s, [&] { return last.instances().size() == 2; }));
  EXPECT_EQ(news.lists().size(), told) << "who has gone is not told any more";
}

TEST_P(DirectoryFaults, AChannelSaysWhyItFindsNobody) {
  install(runtime);
  Channel channel(runtime, "etcd://" + registry.endpoint() + "/Shop");
  ASSERT_FALSE(sync_wait(channel.wait_until_ready(std::chrono::steady_clock::now() + 1s)));
  EXPECT_EQ(channel.state(), ChannelState::kTransientFailure);
}

INSTANTIATE_TEST_SUITE_P(Against, DirectoryFaults, ::testing::ValuesIn(registry_kinds()),
                         [](const auto& of) { return name_of(of.param); });

}  // namespace
}  // namespace minigrpc::discovery
