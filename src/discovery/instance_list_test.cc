#include "discovery/instance_list.h"

#include <gmock/gmock.h>

namespace minigrpc::discovery {
namespace {

using etcd::EventType;
using etcd::KeyValue;
using etcd::WatchEvent;
using testing::ElementsAre;
using testing::IsEmpty;

KeyValue kv(const std::string& key, const std::string& value, std::int64_t revision) {
  return {.key = key, .value = value, .create_revision = revision, .mod_revision = revision, .version = 1};
}
WatchEvent put(const std::string& key, const std::string& value, std::int64_t revision) {
  return {.type = EventType::kPut, .kv = kv(key, value, revision), .prev_kv = {}};
}
WatchEvent removal(const std::string& key, std::int64_t revision) {
  return {.type = EventType::kDelete, .kv = kv(key, "", revision), .prev_kv = {}};
}

std::vector<std::string> addresses(const InstanceList& list) {
  std::vector<std::string> result;
  for (const Instance& instance : list.instances()) result.push_back(instance.address);
  return result;
}

class InstanceListTest : public testing::Test {
 protected:
  bool reset(std::vector<KeyValue> kvs, std::int64_t revision) { return list.reset(kvs, revision); }
  bool apply(std::vector<WatchEvent> events) { return list.apply(events); }
  InstanceList list;
};

TEST_F(InstanceListTest, IsAReadAndItsChanges) {
  EXPECT_TRUE(reset({kv("s/b", "b:1", 3), kv("s/a", "a:1", 4)}, 10));
  EXPECT_THAT(addresses(list), ElementsAre("a:1", "b:1"));
  EXPECT_TRUE(apply({put("s/c", "c:1", 11), removal("s/a", 12)}));
  EXPECT_THAT(addresses(list), ElementsAre("b:1", "c:1"));
  EXPECT_TRUE(apply({put("s/c", "c:2", 13)}));
  EXPECT_THAT(addresses(list), ElementsAre("b:1", "c:2"));
  EXPECT_EQ(list.revision(), 13);
}

TEST_F(InstanceListTest, SaysWhenNothingChanged) {
  EXPECT_FALSE(reset({}, 1));
  EXPECT_TRUE(reset({kv("s/a", "a:1", 2)}, 2));
  EXPECT_FALSE(reset({kv("s/a", "a:1", 2)}, 9));
  EXPECT_FALSE(apply({put("s/a", "a:1", 10)})) << "the same value again";
  EXPECT_FALSE(apply({removal("s/unknown", 11)}));
  EXPECT_FALSE(apply({}));
}

TEST_F(InstanceListTest, PassesOverEventsThatTheReadHasSeen) {
  reset({kv("s/a", "a:2", 10)}, 10);
  EXPECT_FALSE(apply({put("s/a", "a:1", 9), removal("s/a", 10)}));
  EXPECT_THAT(addresses(list), ElementsAre("a:2"));
}

TEST_F(InstanceListTest, TakesEveryEventOfOneRevision) {
  reset({}, 1);
  apply({put("s/a", "a:1", 2), put("s/b", "b:1", 2)});
  EXPECT_THAT(addresses(list), ElementsAre("a:1", "b:1"));
}

TEST_F(InstanceListTest, ANewReadIsADifference) {
  reset({kv("s/a", "a:1", 2), kv("s/b", "b:1", 3)}, 3);
  EXPECT_TRUE(reset({kv("s/b", "b:1", 3), kv("s/c", "c:1", 90)}, 100));
  EXPECT_THAT(addresses(list), ElementsAre("b:1", "c:1"));
}

TEST_F(InstanceListTest, AWipedRegistryCountsAnew) {
  reset({kv("s/a", "a:1", 500)}, 1000);
  EXPECT_TRUE(reset({kv("s/a", "a:9", 2)}, 2));
  EXPECT_THAT(addresses(list), ElementsAre("a:9"));
  EXPECT_TRUE(apply({put("s/b", "b:1", 3)})) << "3 is new, though 1000 was seen before";
}

TEST_F(InstanceListTest, PassesOverMalformedValuesAndCountsThem) {
  reset({kv("s/a", "a:1", 2), kv("s/x", "nonsense", 3)}, 3);
  EXPECT_THAT(addresses(list), ElementsAre("a:1"));
  EXPECT_EQ(list.malformed_count(), 1u);
  reset({kv("s/a", "a:1", 2), kv("s/x", "nonsense", 3)}, 4);
  EXPECT_EQ(list.malformed_count(), 1u) << "the same value is counted once";
  EXPECT_TRUE(apply({put("s/x", "x:1", 5)}));
  EXPECT_THAT(addresses(list), ElementsAre("a:1", "x:1"));
  EXPECT_TRUE(apply({put("s/x", "{", 6)})) << "an instance whose value breaks is gone";
  EXPECT_EQ(list.malformed_count(), 2u);
  EXPECT_FALSE(apply({removal("s/x", 7)}));
  EXPECT_TRUE(apply({removal("s/a", 8)}));
  EXPECT_THAT(addresses(list), IsEmpty());
}

}  // namespace
}  // namespace minigrpc::discovery
