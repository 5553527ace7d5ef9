// Every write to the database fails once, and processes die in the middle of writing.

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <random>

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

// Writes until it dies. After each commit it says the last revision that it was told is durable.
[[noreturn]] void write_for_ever(const std::string& directory, int acknowledge_fd) {
  const auto store = open_store({.directory = directory});
  std::int64_t last = read(*store).revision();
  for (;;) {
    WriteBatch batch = begin(*store);
    for (int i = 0; i < 3; ++i) {
      ++last;
      const std::string key = "k" + std::to_string(last % 50);
      const std::string value =
          "value of " + std::to_string(last) + std::string(last % 7 == 0 ? 5000 : 0, 'x');
      (void)batch.put({.key = key, .value = value});
    }
    if (last % 10 == 0) (void)batch.compact(last - 60);
    (void)batch.compact_step(20);
    Result<Committed> committed = batch.commit();
    if (!committed || committed->revision != last) ::_exit(1);
    if (::write(acknowledge_fd, &committed->revision, sizeof committed->revision) < 0) ::_exit(2);
  }
}

TEST(StoreFault, EveryAcknowledgedRevisionSurvivesAKill) {
  TemporaryDirectory directory;
  std::mt19937_64 random(11);
  std::int64_t acknowledged = 1;
  for (int round = 0; round < 20; ++round) {
    int pipe_fds[2];
    ASSERT_EQ(::pipe(pipe_fds), 0);
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      ::close(pipe_fds[0]);
      write_for_ever(directory.path(), pipe_fds[1]);
    }
    ::close(pipe_fds[1]);
    // Dies after so many acknowledgements, wherever it is then.
    std::uint64_t wanted = 1 + random() % 100;
    std::int64_t revision = 0;
    while (::read(pipe_fds[0], &revision, sizeof revision) == sizeof revision) {
      acknowledged = revision;
      if (--wanted == 0) ::kill(child, SIGKILL);
    }
    ::close(pipe_fds[0]);
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFSIGNALED(status)) << "the writer failed with status " << WEXITSTATUS(status);

    const auto store = open_store({.directory = directory.path()});
    const ReadView view = read(*store);
    ASSERT_GE(view.revision(), acknowledged);
    EXPECT_EQ((view.revision() - 1) % 3, 0) << "whole batches only";
    for (std::int64_t at = std::max<std::int64_t>(2, acknowledged - 40); at <= view.revision(); ++at) {
      const std::string key = "k" + std::to_string(at % 50);
      Result<RangeResult> range = view.range({.keys = {key, {}}, .revision = at});
      ASSERT_TRUE(range.has_value()) << range.error().to_string();
      ASSERT_EQ(range->kvs.size(), 1u) << at;
      EXPECT_EQ(range->kvs[0].value.substr(0, range->kvs[0].value.find('x')),
                "value of " + std::to_string(at));
    }
  }
}

}  // namespace
}  // namespace minigrpc::store::test
