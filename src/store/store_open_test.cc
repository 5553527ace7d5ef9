// Opening, and what stands in the way of it. Some cases need another process: they fork one.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>

#include "store/errors.h"
#include "store/lmdb.h"
#include "store/record.h"
#include "store/store.h"
#include "store/test_store.h"

namespace minigrpc::store::test {
namespace {

using testing::HasSubstr;

Status try_open(const std::string& directory) {
  return Store::open({.directory = directory, .identity = kIdentity, .fsync = false}).status();
}

std::string get(Store& store, std::string_view key) {
  return describe(read(store).range({.keys = {key, {}}}));
}

TEST(StoreOpen, WhatWasCommittedIsThereAgain) {
  TemporaryDirectory directory;
  {
    const auto store = open_store({.directory = directory.path(), .now_ms = 1'000});
    WriteBatch batch = begin(*store);
    ASSERT_TRUE(batch.lease_grant({.id = 7, .ttl_s = 10, .now_ms = 1'000}).has_value());
    ASSERT_TRUE(batch.put({.key = "a", .value = "1", .lease = 7}).has_value());
    ASSERT_TRUE(batch.commit().has_value());
  }
  const auto store = open_store({.directory = directory.path(), .now_ms = 50'000});
  EXPECT_EQ(get(*store, "a"), "a=1 c2 m2 v1 l7\ncount 1 at 2");
  EXPECT_EQ(store->lease_info(7, 50'000)->remaining_ms, 10'000) << "the full TTL again";
  EXPECT_THAT(*read(*store).lease_keys(7), testing::ElementsAre("a"));
}

TEST(StoreOpen, TheIdentityIsKept) {
  TemporaryDirectory directory;
  open_store({.directory = directory.path()});
  Result<std::unique_ptr<Store>> store = Store::open({.directory = directory.path(), .identity = {1, 2}});
  ASSERT_TRUE(store.has_value());
  EXPECT_EQ((*store)->identity(), kIdentity);
}

TEST(StoreOpen, ANewDirectoryNeedsAnIdentity) {
  TemporaryDirectory directory;
  EXPECT_EQ(Store::open({.directory = directory / "new"}).status().code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(try_open(directory / "new"), Status()) << "and the failed try is no obstacle";
}

TEST(StoreOpen, InMemoryLeavesNothingBehind) {
  const auto entries = [] {
    std::size_t count = 0;
    for (const auto& entry : std::filesystem::directory_iterator("/dev/shm"))
      count += entry.path().filename().string().starts_with("minigrpc-") ? 1 : 0;
    return count;
  };
  const std::size_t before = entries();
  const auto store = open_store();
  put(*store, "a", "1");
  EXPECT_EQ(entries(), before);
  EXPECT_EQ(get(*store, "a"), "a=1 c2 m2 v1 l0\ncount 1 at 2");
}

TEST(StoreOpen, ASecondProcessIsRefusedAndToldThePid) {
  TemporaryDirectory directory;
  const auto store = open_store({.directory = directory.path()});
  const Status status = try_open(directory.path());
  EXPECT_EQ(status.code(), StatusCode::kFailedPrecondition);
  EXPECT_THAT(status.message(), HasSubstr("(pid " + std::to_string(::getpid()) + ")"));
  put(*store, "a", "1");
}

TEST(StoreOpen, UnusableDirectoriesAreRefusedWithAdvice) {
  TemporaryDirectory directory;
  std::ofstream(directory / "file") << "x";
  EXPECT_EQ(try_open(directory / "file").code(), StatusCode::kNotFound);
  EXPECT_THAT(try_open(directory / "missing/child").message(),
              HasSubstr("create its parent directory first"));
  std::filesystem::create_directories(directory / "etcd/member");
  EXPECT_EQ(try_open(directory / "etcd").code(), StatusCode::kFailedPrecondition);
  EXPECT_THAT(try_open(directory / "etcd").message(), HasSubstr("etcd member"));
}

// As somebody else than root, who may write everywhere.
TEST(StoreOpen, ADirectoryWithoutPermissionIsRefused) {
  TemporaryDirectory directory;
  std::filesystem::create_directory(directory / "locked");
  ASSERT_EQ(::chmod((directory / "locked").c_str(), 0500), 0);
  ASSERT_EQ(::chmod(directory.path().c_str(), 0755), 0);
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    if (::geteuid() == 0 && ::setuid(65534) != 0) ::_exit(2);
    const Status status = try_open(directory / "locked");
    const bool refused = status.code() == StatusCode::kPermissionDenied &&
                         status.message().find("give this user write permission") != std::string::npos;
    ::_exit(refused ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  ASSERT_EQ(::chmod((directory / "locked").c_str(), 0700), 0);
}

TEST(StoreOpen, AForeignFileIsRefused) {
  TemporaryDirectory directory;
  std::ofstream(directory / "data.mdb") << std::string(100'000, 'x');
  const Status status = try_open(directory.path());
  EXPECT_FALSE(status.ok());
  EXPECT_THAT(status.message(), HasSubstr("restore a snapshot"));
}

TEST(StoreOpen, AnotherLmdbDatabaseIsRefused) {
  TemporaryDirectory directory;
  {
    Result<lmdb::Env> env = lmdb::Env::open({.directory = directory.path(), .map_size = 1 << 20});
    ASSERT_TRUE(env.has_value());
    Result<lmdb::Txn> txn = env->begin_write();
    ASSERT_TRUE(txn->open_table("theirs", true).has_value());
    ASSERT_TRUE(txn->commit().ok());
  }
  EXPECT_EQ(try_open(directory.path()).code(), StatusCode::kFailedPrecondition);
}

TEST(StoreOpen, AnotherSchemaVersionIsRefused) {
  TemporaryDirectory directory;
  open_store({.directory = directory.path()});
  {
    Result<lmdb::Env> env = lmdb::Env::open({.directory = directory.path(), .map_size = 1 << 30});
    Result<lmdb::Txn> txn = env->begin_write();
    std::string version;
    append_big_endian(4, version);
    ASSERT_TRUE(txn->put(*txn->open_table("meta", false), "schema", version).ok());
    ASSERT_TRUE(txn->commit().ok());
  }
  const Status status = try_open(directory.path());
  EXPECT_EQ(status.code(), StatusCode::kFailedPrecondition);
  EXPECT_THAT(status.message(), HasSubstr("schema version 4"));
}

// Reads everything there is, as far as it can be read. Must not crash.
Status read_all(Store& store) {
  Result<ReadView> view = store.read();
  if (!view) return view.status();
  Result<RangeResult> range = view->range({.keys = {std::string_view("\0", 1), std::string_view("\0", 1)}});
  if (!range) return range.status();
  return view->history({}, [](const EventView&) { return true; }).status();
}

TEST(StoreOpen, ACutFileIsNoticed) {
  TemporaryDirectory directory;
  {
    const auto store = open_store({.directory = directory.path()});
    for (int i = 0; i < 2000; ++i) put(*store, "k" + std::to_string(i), std::string(200, 'v'));
  }
  const std::string file = directory / "data.mdb";
  const auto size = std::filesystem::file_size(file);
  for (const double part : {0.9, 0.5, 0.1}) {
    std::filesystem::resize_file(file, static_cast<std::uintmax_t>(static_cast<double>(size) * part));
    Result<std::unique_ptr<Store>> store =
        Store::open({.directory = directory.path(), .identity = kIdentity});
    const Status status = store ? read_all(**store) : store.status();
    EXPECT_EQ(status.code(), StatusCode::kDataLoss) << status.to_string();
  }
}

// One byte of the values' pages at a time.
TEST(StoreOpen, ADamagedRecordIsDataLossAndTheOthersAreServed) {
  TemporaryDirectory directory;
  {
    const auto store = open_store({.directory = directory.path()});
    put(*store, "good", "1");
    put(*store, "bad", std::string(64, 'Z'));
  }
  const std::string file = directory / "data.mdb";
  std::string bytes;
  {
    std::ifstream in(file, std::ios::binary);
    bytes.assign(std::istreambuf_iterator<char>(in), {});
  }
  const std::string value(64, 'Z');
  for (std::size_t at = bytes.find(value); at != std::string::npos; at = bytes.find(value, at + 64))
    bytes[at + 9] = 'z';
  std::ofstream(file, std::ios::binary) << bytes;

  const auto store = open_store({.directory = directory.path()});
  const ReadView view = read(*store);
  EXPECT_EQ(view.range({.keys = {"bad", {}}}).status().code(), StatusCode::kDataLoss);
  EXPECT_EQ(describe(view.range({.keys = {"good", {}}})), "good=1 c2 m2 v1 l0\ncount 1 at 3");
  WriteBatch batch = begin(*store);
  EXPECT_EQ(batch.put({.key = "bad", .value = "2"}).status().code(), StatusCode::kDataLoss);
  EXPECT_EQ(batch.put({.key = "good", .value = "2"})->revision, 4) << "it failed before it wrote";
  EXPECT_TRUE(batch.commit().has_value());
}

TEST(StoreOpen, ASnapshotIsADataDirectory) {
  TemporaryDirectory directory;
  std::filesystem::create_directory(directory / "copy");
  const auto store = open_store();
  put(*store, "a", "1");
  const Status status = store->snapshot_copy(directory / "copy/data.mdb");
  EXPECT_TRUE(status.ok()) << status.to_string();
  put(*store, "a", "2");
  EXPECT_FALSE(store->snapshot_copy(directory / "copy/data.mdb").ok())
      << "a file that exists is not overwritten";
  const auto copy = open_store({.directory = directory / "copy"});
  EXPECT_EQ(get(*copy, "a"), "a=1 c2 m2 v1 l0\ncount 1 at 2");
  EXPECT_EQ(copy->identity(), kIdentity);
}

}  // namespace
}  // namespace minigrpc::store::test
