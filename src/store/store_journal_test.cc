// Stores with a journal: what is only there outlives a crash, and gets into the database sooner or later.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <fstream>
#include <functional>
#include <thread>

#include "store/errors.h"
#include "store/journal_format.h"
#include "store/lmdb.h"
#include "store/record.h"
#include "store/test_store.h"

namespace minigrpc::store::test {
namespace {

using ::testing::HasSubstr;

constexpr std::size_t kNeverFull = std::size_t{1} << 30;

std::string get(Store& store, std::string_view key) {
  return describe(read(store).range({.keys = {key, {}}}));
}

std::string contents_of(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}
void write_file(const std::string& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary) << bytes;
}

// What a process that is killed now leaves behind. No checkpoint is under way.
void copy_files(const TemporaryDirectory& from, const TemporaryDirectory& to) {
  for (const char* name : {"data.mdb", "journal.0", "journal.1"})
    std::filesystem::copy_file(from / name, to / name, std::filesystem::copy_options::overwrite_existing);
}

Status try_open(const TemporaryDirectory& directory) {
  return Store::open({.directory = directory.path(), .identity = kIdentity}).status();
}

class StoreJournal : public testing::Test {
 protected:
  std::unique_ptr<Store> open(std::size_t journal_size = kNeverFull) {
    return open_durable_store({.directory = directory_.path(), .journal_size = journal_size});
  }
  TemporaryDirectory directory_{memory_path()};
  TemporaryDirectory left_behind_{memory_path()};
};

TEST_F(StoreJournal, WhatOnlyTheJournalHasIsThereAfterACrash) {
  const auto store = open();
  put(*store, "a", "1");
  {
    WriteBatch batch = begin(*store);
    ASSERT_TRUE(batch.lease_grant({.id = 7, .ttl_s = 10}).has_value());
    ASSERT_TRUE(batch.put({.key = std::string(1000, 'L'), .value = "long", .lease = 7}).has_value());
    ASSERT_TRUE(batch.put_record("user", "bytes").ok());
    ASSERT_TRUE(batch.commit().has_value());
  }
  erase(*store, "a");
  copy_files(directory_, left_behind_);
  for (const bool fsync : {false, true}) {
    SCOPED_TRACE(fsync);
    const auto again = Store::open({.directory = left_behind_.path(), .identity = kIdentity, .fsync = fsync});
    ASSERT_TRUE(again) << again.error().to_string();
    EXPECT_EQ(read(**again).revision(), 4);
    EXPECT_EQ(get(**again, "a"), "count 0 at 4");
    EXPECT_EQ((*again)->leases(), std::vector<LeaseId>{7});
    EXPECT_EQ(read(**again).lease_keys(7)->size(), 1u);
    EXPECT_EQ(read(**again).records("user")->size(), 1u);
    EXPECT_EQ(describe(read(**again).range({.keys = {"a", {}}, .revision = 2})),
              "a=1 c2 m2 v1 l0\ncount 1 at 4");
  }
}

// However little it is: the next write may be tomorrow.
TEST_F(StoreJournal, WhatWasWrittenGoesIntoTheDatabaseAfterItsTime) {
  const auto store = open_durable_store(
      {.directory = directory_.path(), .journal_size = kNeverFull, .journal_time = std::chrono::milliseconds(20)});
  // Each of them alone, and some while a checkpoint of those before is on its way.
  for (int i = 1; i <= 20; ++i) {
    put(*store, "a", std::to_string(i));
    std::this_thread::sleep_for(std::chrono::milliseconds(i % 5 == 0 ? 50 : 3));
  }
  const auto in_database = [&] {
    copy_files(directory_, left_behind_);
    for (const char* name : {"journal.0", "journal.1"}) write_file(left_behind_ / name, "");
    return get(*open_durable_store({.directory = left_behind_.path()}), "a");
  };
  for (int i = 0; i < 500 && in_database() != "a=20 c2 m21 v20 l0\ncount 1 at 21"; ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  EXPECT_EQ(in_database(), "a=20 c2 m21 v20 l0\ncount 1 at 21");
}

TEST_F(StoreJournal, ADirectoryFromBeforeTheJournalOpens) {
  {
    const auto store = open();
    put(*store, "a", "1");
  }
  {
    Result<lmdb::Env> env = lmdb::Env::open({.directory = directory_.path(), .map_size = 1 << 30});
    Result<lmdb::Txn> txn = env->begin_write();
    const MDB_dbi meta = *txn->open_table("meta", false);
    std::string version;
    append_big_endian(1, version);
    ASSERT_TRUE(txn->put(meta, "schema", version).ok());
    ASSERT_TRUE(*txn->erase(meta, "applied"));
    ASSERT_TRUE(txn->commit().ok());
  }
  std::filesystem::remove(directory_ / "journal.0");
  std::filesystem::remove(directory_ / "journal.1");
  {
    const auto store = open();
    put(*store, "b", "2");
    copy_files(directory_, left_behind_);
  }
  const auto again = open_durable_store({.directory = left_behind_.path()});
  EXPECT_EQ(get(*again, "a"), "a=1 c2 m2 v1 l0\ncount 1 at 3");
  EXPECT_EQ(get(*again, "b"), "b=2 c3 m3 v1 l0\ncount 1 at 3");
}

// Its live records do not know their ancestry: it is found in the log, and every version from there.
TEST_F(StoreJournal, ADirectoryOfASchemaWithoutAncestryOpens) {
  {
    const auto store = open();
    for (int i = 1; i <= 21; ++i) put(*store, "a", std::to_string(i));
    put(*store, "b", "once");
  }
  {
    Result<lmdb::Env> env = lmdb::Env::open({.directory = directory_.path(), .map_size = 1 << 30});
    Result<lmdb::Txn> txn = env->begin_write();
    std::string bytes;
    append_big_endian(2, bytes);
    ASSERT_TRUE(txn->put(*txn->open_table("meta", false), "schema", bytes).ok());
    const MDB_dbi live = *txn->open_table("live", false);
    for (const char* key : {"a", "b"}) {
      const std::string found(**txn->get(live, key));
      std::optional<LiveRecord> record = decode_live(key, found);
      ASSERT_TRUE(record && record->ancestry);
      record->ancestry.reset();
      encode(*record, key, bytes);
      ASSERT_TRUE(txn->put(live, key, bytes).ok());
    }
    ASSERT_TRUE(txn->commit().ok());
  }
  {
    auto store = open();
    for (int i = 22; i <= 300; ++i) {
      if (i % 50 == 0) {
        store.reset();
        store = open();
      }
      put(*store, "a", std::to_string(i));
    }
    for (int i = 1; i <= 21; ++i)
      EXPECT_EQ(describe(read(*store).range({.keys = {"a", {}}, .revision = i + 1})),
                "a=" + std::to_string(i) + " c2 m" + std::to_string(i + 1) + " v" + std::to_string(i) +
                    " l0\ncount 1 at 302");
    EXPECT_EQ(get(*store, "b"), "b=once c23 m23 v1 l0\ncount 1 at 302");
  }
  // The links are those of Myers' stack, whether a version was found in memory, in a live record or in the log.
  Result<lmdb::Env> env = lmdb::Env::open({.directory = directory_.path(), .map_size = 1 << 30});
  Result<lmdb::Txn> txn = env->begin_write();
  const MDB_dbi log = *txn->open_table("log", false);
  std::vector<std::optional<std::size_t>> jumps{std::nullopt};  // of each depth, to which one
  lmdb::Cursor cursor(*txn, log);
  for (cursor.seek({}); cursor.valid(); cursor.next()) {
    const std::optional<LogRecord> record = decode_log(cursor.key(), cursor.value());
    ASSERT_TRUE(record);
    if (record->key != "a" || record->links.depth == 0) continue;
    const std::size_t prev = jumps.size() - 1;
    const std::optional<std::size_t> jump = jumps[prev];
    const std::optional<std::size_t> second = jump ? jumps[*jump] : std::nullopt;
    jumps.push_back(second && prev - *jump == *jump - *second ? *second : prev);
    ASSERT_EQ(record->links.depth, jumps.size() - 1);
    ASSERT_EQ(record->links.jump_depth, *jumps.back()) << "of depth " << record->links.depth;
  }
  EXPECT_EQ(jumps.size(), 300u);
}

TEST_F(StoreJournal, ATornTailIsNoError) {
  const auto store = open();
  put(*store, "a", "1");
  put(*store, "a", std::string(2000, '2'));
  copy_files(directory_, left_behind_);
  std::string bytes = contents_of(left_behind_ / "journal.0");
  const std::size_t at = bytes.find(std::string(2000, '2'));
  ASSERT_NE(at, std::string::npos);
  // A sector of it did not arrive.
  const std::size_t sector = (at / 512 + 1) * 512;
  bytes.replace(sector, 512, 512, '\0');
  write_file(left_behind_ / "journal.0", bytes);
  const auto again = open_durable_store({.directory = left_behind_.path()});
  EXPECT_EQ(get(*again, "a"), "a=1 c2 m2 v1 l0\ncount 1 at 2");
  EXPECT_EQ(put(*again, "a", "3"), 3);
}

TEST_F(StoreJournal, ADamagedJournalIsDataLossAndTheMessageSaysWhatToDo) {
  const auto store = open();
  put(*store, "checkpointed", "1");
  ASSERT_TRUE(store->checkpoint().ok());
  put(*store, "a", std::string(64, 'Z'));
  put(*store, "b", "1");
  copy_files(directory_, left_behind_);
  std::string bytes = contents_of(left_behind_ / "journal.1");
  const std::size_t at = bytes.find(std::string(64, 'Z'));
  ASSERT_NE(at, std::string::npos);
  bytes[at + 9] = 'z';
  write_file(left_behind_ / "journal.1", bytes);
  const Status status = try_open(left_behind_);
  EXPECT_EQ(status.code(), StatusCode::kDataLoss);
  EXPECT_THAT(status.message(), HasSubstr("without journal.0 and journal.1 the database opens"));
  EXPECT_THAT(status.message(), HasSubstr("restore a snapshot"));
  std::filesystem::remove(left_behind_ / "journal.0");
  std::filesystem::remove(left_behind_ / "journal.1");
  const auto again = open_durable_store({.directory = left_behind_.path()});
  EXPECT_EQ(get(*again, "checkpointed"), "checkpointed=1 c2 m2 v1 l0\ncount 1 at 2");
  EXPECT_EQ(get(*again, "b"), "count 0 at 2");
}

TEST_F(StoreJournal, AnotherDatabasesJournalIsRefused) {
  const auto store = open();
  put(*store, "a", "1");
  copy_files(directory_, left_behind_);
  const TemporaryDirectory other(memory_path());
  {
    const auto theirs = Store::open({.directory = other.path(), .identity = {8, 9}});
    ASSERT_TRUE(theirs);
  }
  std::filesystem::copy_file(other / "data.mdb", left_behind_ / "data.mdb",
                             std::filesystem::copy_options::overwrite_existing);
  const Status status = try_open(left_behind_);
  EXPECT_EQ(status.code(), StatusCode::kFailedPrecondition);
  EXPECT_THAT(status.message(), HasSubstr("the journal is that of another database"));
}

TEST_F(StoreJournal, ACopyHasWhatWasCommittedWithoutAJournal) {
  std::filesystem::create_directory(directory_ / "copy");
  const auto store = open();
  put(*store, "a", "1");
  const Status status = store->snapshot_copy(directory_ / "copy/data.mdb");
  EXPECT_TRUE(status.ok()) << status.to_string();
  put(*store, "a", "2");
  const auto copy = open_durable_store({.directory = directory_ / "copy"});
  EXPECT_EQ(get(*copy, "a"), "a=1 c2 m2 v1 l0\ncount 1 at 2");
  EXPECT_EQ(put(*copy, "a", "3"), 3);
}

TEST_F(StoreJournal, AViewKeepsItsMomentThroughCheckpoints) {
  const auto store = open(10'000);
  put(*store, "a", "old");
  put(*store, "b", "old");
  const ReadView view = read(*store);
  for (int i = 0; i < 200; ++i) {
    put(*store, "a", std::string(300, 'n'));
    if (i % 3 == 0) erase(*store, "b");
    if (i % 3 == 1) put(*store, "b", "new");
    if (i % 50 == 0) compact(*store, read(*store).revision());
    EXPECT_EQ(describe(view.range({.keys = {"a", "c"}})),
              "a=old c2 m2 v1 l0\nb=old c3 m3 v1 l0\ncount 2 at 3");
  }
  EXPECT_EQ(describe(view.range({.keys = {"a", "c"}, .revision = 2})), "a=old c2 m2 v1 l0\ncount 1 at 3");
}

TEST_F(StoreJournal, TheQuotaRefusesPutsAndLetsRoomBeMade) {
  const auto store = open_durable_store(
      {.directory = directory_.path(), .quota_bytes = 1 << 20, .journal_size = kNeverFull});
  const std::string value(50'000, 'v');
  int puts = 0;
  for (Status status; status.ok() && puts < 100; ++puts) {
    WriteBatch batch = begin(*store);
    status = batch.put({.key = "k", .value = value}).status();
    if (!status.ok()) {
      EXPECT_EQ(status, errors::no_space());
    }
    ASSERT_TRUE(batch.commit().has_value());
  }
  EXPECT_GT(puts, 15);
  EXPECT_LT(puts, 22);
  EXPECT_TRUE(store->size()->full());
  compact(*store, read(*store).revision());
  // Nobody has to write for that to show.
  while (store->size()->full()) ::usleep(1000);
  EXPECT_LT(store->size()->in_use_bytes, 300'000u);
  put(*store, "k", value);
}

TEST_F(StoreJournal, FreePagesGoBackToTheDisk) {
  const auto store = open();
  for (int i = 0; i < 100; ++i) put(*store, "k", std::string(50'000, 'v'));
  ASSERT_TRUE(store->checkpoint().ok());
  const std::size_t before = store->size()->total_bytes;
  EXPECT_GT(before, 5'000'000u);
  compact(*store, 101);
  std::size_t freed = 0;
  for (int i = 0; i < 3; ++i) {
    put(*store, "a", "1");
    const Result<std::size_t> now = store->reclaim();
    ASSERT_TRUE(now) << now.error().to_string();
    freed += *now;
  }
  // Where the file system has no holes, nothing is given back.
  EXPECT_TRUE(freed == 0 || store->size()->total_bytes < before / 2) << freed;
  EXPECT_EQ(read(*store).range({.keys = {"k", {}}})->kvs.at(0).value.size(), 50'000u);
}

// In a process of its own, since the limit is one. True when all went well.
bool in_a_child(const std::function<bool()>& test) {
  const pid_t child = ::fork();
  if (child == 0) {
    std::signal(SIGXFSZ, SIG_IGN);
    ::_exit(test() && !testing::Test::HasFailure() ? 0 : 1);
  }
  int status = 0;
  EXPECT_EQ(::waitpid(child, &status, 0), child);
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

void limit_files(rlim_t size) {
  rlimit limit{};
  ::getrlimit(RLIMIT_FSIZE, &limit);
  limit.rlim_cur = std::min(size, limit.rlim_max);
  ::setrlimit(RLIMIT_FSIZE, &limit);
}

// Puts until one is refused; how many were not.
int fill(Store& store, std::size_t value_size, Status& refusal) {
  const std::string value(value_size, 'x');
  for (int puts = 0; puts < 1000; ++puts) {
    Result<WriteBatch> batch = store.begin();
    if (batch) (void)batch->put({.key = "k" + std::to_string(puts), .value = value});
    refusal = batch ? batch->commit().status() : batch.status();
    if (!refusal.ok()) return puts;
  }
  return 1000;
}

TEST_F(StoreJournal, AJournalThatCannotGrowRefusesWritesUntilItCan) {
  EXPECT_TRUE(in_a_child([&]() -> bool {
    const auto store = open();
    limit_files(1 << 20);
    Status refusal;
    const int puts = fill(*store, 100'000, refusal);
    EXPECT_EQ(refusal.code(), StatusCode::kResourceExhausted);
    EXPECT_GT(puts, 3);
    EXPECT_EQ(read(*store).revision(), 1 + puts) << "what was refused is not there";
    EXPECT_TRUE(store->health().ok());
    limit_files(RLIM_INFINITY);
    EXPECT_EQ(put(*store, "last", "1"), 2 + puts);
    copy_files(directory_, left_behind_);
    ::_exit(testing::Test::HasFailure() ? 1 : 0);  // as a crash
  }));
  const auto store = open();
  EXPECT_THAT(get(*store, "last"), HasSubstr("last=1"));
  EXPECT_GT(read(*store).range({.keys = {"k", "l"}})->count, 3);
}

TEST_F(StoreJournal, ADatabaseThatCannotGrowFillsTheJournalAndThenRefuses) {
  EXPECT_TRUE(in_a_child([&] {
    const auto store = open(200'000);
    limit_files(1 << 20);
    Status refusal;
    const int puts = fill(*store, 50'000, refusal);
    EXPECT_EQ(refusal.code(), StatusCode::kResourceExhausted) << refusal.to_string();
    // A mebibyte in the database, and two overlays that are twice as large as they should be.
    EXPECT_LT(puts, 20 + 4 * 4 + 4);
    EXPECT_EQ(store->checkpoint().code(), StatusCode::kResourceExhausted);
    EXPECT_TRUE(store->health().ok());
    EXPECT_EQ(read(*store).range({.keys = {"k", "l"}})->count, puts);
    limit_files(RLIM_INFINITY);
    EXPECT_EQ(put(*store, "last", "1"), 2 + puts);
    EXPECT_TRUE(store->checkpoint().ok());
    return true;
  }));
  const auto store = open();
  EXPECT_THAT(get(*store, "last"), HasSubstr("last=1"));
}

}  // namespace
}  // namespace minigrpc::store::test
