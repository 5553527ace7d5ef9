// What the store does for its own good and the registry's: records beside the keyspace, space given back.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cerrno>

#include "store/test_store.h"

namespace minigrpc::store::test {
namespace {

using ::testing::ElementsAre;

TEST(StoreRecords, AreKeptBesideTheKeyspace) {
  const TemporaryDirectory directory;
  const std::string long_name = "users/" + std::string(2000, 'n');
  {
    const std::unique_ptr<Store> store = open_store({.directory = directory / "data"});
    WriteBatch batch = begin(*store);
    EXPECT_TRUE(batch.put_record("users/bob", "old").ok());
    EXPECT_TRUE(batch.put_record("users/bob", std::string("\0new", 4)).ok());
    EXPECT_TRUE(batch.put_record("users/alice", "").ok());
    EXPECT_TRUE(batch.put_record(long_name, "long").ok());
    EXPECT_TRUE(batch.put_record("roles/r", "role").ok());
    EXPECT_TRUE(batch.erase_record("roles/r").ok());
    EXPECT_TRUE(batch.erase_record("not there").ok());
    const Result<Committed> committed = batch.commit();
    ASSERT_TRUE(committed);
    EXPECT_EQ(committed->revision, 1);
    EXPECT_TRUE(committed->events.empty());
  }
  const std::unique_ptr<Store> store = open_store({.directory = directory / "data"});
  EXPECT_THAT(*read(*store).records("users/"), ElementsAre(Record{"users/alice", ""},
                                                           Record{"users/bob", std::string("\0new", 4)},
                                                           Record{long_name, "long"}));
  EXPECT_TRUE(read(*store).records("roles/")->empty());
  EXPECT_EQ(read(*store).range({.keys = {"\1", std::string_view("\0", 1)}})->count, 0);
}

TEST(StoreRecords, ADroppedBatchLeavesNone) {
  const std::unique_ptr<Store> store = open_store();
  {
    WriteBatch batch = begin(*store);
    EXPECT_TRUE(batch.put_record("a", "1").ok());
  }
  EXPECT_TRUE(read(*store).records("")->empty());
}

TEST(StoreLeases, ABatchKnowsTheKeysOfItsLeases) {
  const std::unique_ptr<Store> store = open_store();
  WriteBatch batch = begin(*store);
  ASSERT_TRUE(batch.lease_grant({.id = 7, .ttl_s = 60}));
  ASSERT_TRUE(batch.put({.key = "b", .lease = 7}));
  ASSERT_TRUE(batch.put({.key = "a", .lease = 7}));
  EXPECT_THAT(*batch.lease_keys(7), ElementsAre("a", "b"));
  EXPECT_TRUE(batch.lease_keys(8)->empty());
  // Asking makes no revision.
  EXPECT_EQ(batch.revision(), 3);
}

// What the file system can do, whatever the store makes of it.
bool has_holes(const TemporaryDirectory& directory) {
  const int file = ::open((directory / "probe").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  EXPECT_EQ(::ftruncate(file, 1 << 20), 0);
  const bool punched = ::fallocate(file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 1 << 19) == 0;
  EXPECT_TRUE(punched || errno == EOPNOTSUPP) << errno;
  ::close(file);
  return punched;
}

// Fills, forgets, and gives back; what is still wanted stays, for a view from before as well.
TEST(StoreSpace, FreePagesGoBackToTheDisk) {
  const TemporaryDirectory directory;
  const std::unique_ptr<Store> store = open_store({.directory = directory / "data"});
  const auto value = [](int i) { return std::string(50'000, static_cast<char>('a' + i % 26)); };
  for (int i = 0; i < 100; ++i) put(*store, "k" + std::to_string(i % 3), value(i));
  {
    const ReadView view = read(*store);
    compact(*store, 101);
    // The old view can still see all that.
    EXPECT_LT(*store->reclaim(), 100'000u);
    EXPECT_EQ(view.range({.keys = {"k0", {}}, .revision = 2})->kvs.at(0).value, value(0));
  }
  put(*store, "a", "1");
  put(*store, "a", "2");
  const std::size_t before = store->size()->total_bytes;
  const Result<std::size_t> freed = store->reclaim();
  ASSERT_TRUE(freed) << freed.error().to_string();
  // Where the file system has no holes, nothing is given back, and nothing else changes.
  if (has_holes(directory))
    EXPECT_GT(*freed, before / 2);
  else
    EXPECT_EQ(*freed, 0u);
  EXPECT_LE(store->size()->total_bytes, before - *freed);
  EXPECT_GE(store->size()->total_bytes, store->size()->in_use_bytes);
  for (int i = 97; i < 100; ++i)
    EXPECT_EQ(read(*store).range({.keys = {"k" + std::to_string(i % 3), {}}})->kvs.at(0).value, value(i));
  // What was given back is used again.
  for (int i = 0; i < 100; ++i) put(*store, "k" + std::to_string(i % 3), value(i + 1));
  EXPECT_EQ(read(*store).range({.keys = {"k0", {}}})->kvs.at(0).value, value(100));
}

// The commit before the last one must stay whole as well: LMDB goes back to it when the last one was torn.
TEST(StoreSpace, TheStoreOpensAgainAfterSpaceWasGivenBack) {
  const TemporaryDirectory directory;
  for (int round = 0; round < 5; ++round) {
    const std::unique_ptr<Store> store = open_store({.directory = directory / "data"});
    if (round > 0) {
      EXPECT_EQ(read(*store).range({.keys = {"k", {}}})->kvs.at(0).value, std::string(30'000, 'x'));
    }
    std::int64_t revision = 0;
    for (int i = 0; i < 40; ++i) revision = put(*store, "k", std::string(30'000, 'x'));
    compact(*store, revision);
    ASSERT_TRUE(store->reclaim());
  }
}

}  // namespace
}  // namespace minigrpc::store::test
