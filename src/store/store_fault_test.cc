// Every write to the database fails once.

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>

#include "store/errors.h"
#include "store/lmdb.h"
#include "store/store.h"
#include "store/test_store.h"

namespace minigrpc::store::test {
namespace {

constexpr KeyRange kAll{std::string_view("\0", 1), std::string_view("\0", 1)};

std::string contents(Store& store) {
  const ReadView view = read(store);
  std::string text =
      describe(view.range({.keys = kAll})) + " compacted " + std::to_string(view.compact_revision());
  for (const LeaseId id : store.leases()) text += " lease " + std::to_string(id);
  return text;
}

// Something of everything that writes.
Status run_procedure(Store& store) {
  Result<WriteBatch> batch = store.begin();
  if (!batch) return batch.error();
  const std::string long_key(1000, 'L');
  const std::string large(3000, 'x');
  (void)batch->lease_grant({.id = 8, .ttl_s = 10});
  (void)batch->put({.key = "a", .value = large, .lease = 8});
  (void)batch->put({.key = long_key, .value = "1", .lease = 8});
  TxnRequest txn;
  txn.success.emplace_back(PutRequest{.key = "b", .value = "2"});
  txn.success.emplace_back(DeleteRangeRequest{.keys = {"c", "d"}});
  (void)batch->txn(txn);
  (void)batch->lease_revoke(7);
  (void)batch->put({.key = "gone", .value = "back"});
  (void)batch->compact(4);
  (void)batch->compact_step(100);
  return batch->commit().status();
}

void prepare(Store& store) {
  WriteBatch batch = begin(store);
  ASSERT_TRUE(batch.lease_grant({.id = 7, .ttl_s = 10}).has_value());
  ASSERT_TRUE(batch.put({.key = "a", .value = "1", .lease = 7}).has_value());
  ASSERT_TRUE(batch.put({.key = "a", .value = "2", .lease = 7}).has_value());
  ASSERT_TRUE(batch.put({.key = "gone", .value = "1"}).has_value());
  ASSERT_TRUE(batch.delete_range({.keys = {"gone", {}}}).has_value());
  ASSERT_TRUE(batch.put({.key = "c1", .value = "1", .lease = 7}).has_value());
  ASSERT_TRUE(batch.put({.key = "d", .value = "1", .lease = 7}).has_value());
  ASSERT_TRUE(batch.commit().has_value());
}

TEST(StoreFault, EachWriteFailsOnceAndNothingOfTheBatchExists) {
  lmdb::FaultPlan faults;
  std::int64_t writes = 0;
  std::string expected;
  {
    const auto store = open_store({.faults = &faults});
    prepare(*store);
    const std::int64_t before = faults.writes_seen;
    ASSERT_TRUE(run_procedure(*store).ok());
    writes = faults.writes_seen - before;
    expected = contents(*store);
  }
  ASSERT_GT(writes, 20);
  for (std::int64_t failing = 0; failing < writes; ++failing) {
    SCOPED_TRACE("write " + std::to_string(failing) + " of " + std::to_string(writes));
    const auto store = open_store({.faults = &faults});
    prepare(*store);
    const std::string before = contents(*store);
    faults.error = ENOSPC;
    faults.writes_before_failure = failing;
    EXPECT_EQ(run_procedure(*store).code(), StatusCode::kResourceExhausted);
    EXPECT_EQ(contents(*store), before);
    EXPECT_TRUE(run_procedure(*store).ok()) << "there is room again";
    EXPECT_EQ(contents(*store), expected);
  }
}

TEST(StoreFault, AfterAFailedDiskWritesAreRefusedAndReadsGoOn) {
  lmdb::FaultPlan faults;
  const auto store = open_store({.faults = &faults});
  put(*store, "a", "1");
  WriteBatch batch = begin(*store);
  ASSERT_TRUE(batch.put({.key = "a", .value = "2"}).has_value());
  faults.error = EIO;
  faults.loses_writes = true;
  faults.writes_before_failure = 1;  // the state, then the commit
  EXPECT_EQ(batch.commit().status().code(), StatusCode::kUnavailable);
  EXPECT_EQ(store->health().code(), StatusCode::kUnavailable);
  EXPECT_EQ(store->begin().status(), store->health());
  EXPECT_EQ(describe(read(*store).range({.keys = {"a", {}}})), "a=1 c2 m2 v1 l0\ncount 1 at 2");
}

// LMDB calls a write that came up short EIO, too.
TEST(StoreFault, AShortWriteIsAFullDisk) {
  lmdb::FaultPlan faults;
  const auto store = open_store({.faults = &faults});
  WriteBatch batch = begin(*store);
  ASSERT_TRUE(batch.put({.key = "a", .value = "1"}).has_value());
  faults.error = EIO;
  faults.writes_before_failure = 1;
  EXPECT_EQ(batch.commit().status().code(), StatusCode::kResourceExhausted);
  EXPECT_EQ(put(*store, "a", "1"), 2);
}

TEST(StoreFault, ABrokenBatchStaysBroken) {
  lmdb::FaultPlan faults;
  const auto store = open_store({.faults = &faults});
  WriteBatch batch = begin(*store);
  ASSERT_TRUE(batch.put({.key = "a", .value = "1"}).has_value());
  faults.error = MDB_MAP_FULL;
  faults.writes_before_failure = 1;
  EXPECT_EQ(batch.put({.key = "b", .value = "1"}).status(), errors::no_space());
  EXPECT_EQ(batch.put({.key = "c", .value = "1"}).status(), errors::no_space());
  EXPECT_EQ(batch.commit().status(), errors::no_space());
  EXPECT_EQ(read(*store).revision(), 1);
  EXPECT_EQ(put(*store, "c", "1"), 2);
}

// A real failure: the file may not grow any further.
TEST(StoreFault, AFileThatCannotGrowFailsTheCommitAndNothingElse) {
  TemporaryDirectory directory;
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    std::signal(SIGXFSZ, SIG_IGN);
    const auto store = open_store({.directory = directory.path()});
    put(*store, "a", "1");
    const rlimit limit{1 << 20, 1 << 20};
    ::setrlimit(RLIMIT_FSIZE, &limit);
    const std::string value(100'000, 'x');
    Status status;
    int puts = 0;
    for (; status.ok() && puts < 100; ++puts) {
      WriteBatch batch = begin(*store);
      const std::string key = "k" + std::to_string(puts);
      (void)batch.put({.key = key, .value = value});
      status = batch.commit().status();
    }
    const bool refused = status.code() == StatusCode::kResourceExhausted && puts > 3 && puts < 12;
    const bool rolled_back = read(*store).revision() == 1 + puts;
    erase(*store, "k", "l");
    const bool usable = put(*store, "a", "2") == 3 + puts;
    ::_exit(refused && rolled_back && usable && !testing::Test::HasFailure() ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  const auto store = open_store({.directory = directory.path()});
  EXPECT_EQ(describe(read(*store).range({.keys = {"a", "l"}, .keys_only = true})).substr(0, 8), "a= c2 m1");
}

}  // namespace
}  // namespace minigrpc::store::test
