// From a store to a snapshot and back: nothing that can be asked differs. What etcd itself makes of the file is shown in
// tests/integration.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>

#include "bbolt/writer.h"
#include "etcd/api/mvcc.pb.h"
#include "snapshot/checksum.h"
#include "snapshot/etcd_schema.h"
#include "snapshot/restore.h"
#include "snapshot/save.h"
#include "store/journal_format.h"
#include "store/test_store.h"

namespace minigrpc::snapshot {
namespace {

using store::test::begin;
using store::test::compact;
using store::test::kIdentity;
using store::test::open_store;
using store::test::put;
using store::test::read;
using store::test::TemporaryDirectory;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr store::Identity kOther{0xC2, 0x3F};

std::string saved(store::Store& store, const TemporaryDirectory& directory, const std::string& name = "snapshot.db") {
  const std::string path = directory / name;
  const Status status = save(read(store), kIdentity, path);
  EXPECT_TRUE(status.ok()) << status.to_string();
  return path;
}

std::unique_ptr<store::Store> restored(const RestoreOptions& options) {
  const Result<Restored> done = restore(options);
  EXPECT_TRUE(done.has_value()) << done.status().to_string();
  return open_store({.directory = options.data_dir});
}

// Everything that can be asked of a store.
std::string ask_everything(store::Store& store) {
  const store::ReadView view = read(store);
  std::string text = "revision " + std::to_string(view.revision()) + " compacted " +
                     std::to_string(view.compact_revision()) + "\n";
  const std::string_view zero("\0", 1);
  for (std::int64_t at = std::max<std::int64_t>(1, view.compact_revision()); at <= view.revision(); ++at)
    text += store::test::describe(view.range({.keys = {zero, zero}, .revision = at})) + "\n";
  const store::HistoryRequest all{.from = {view.compact_revision(), 0}};
  const Result<store::HistoryResult> visited = view.history(all, [&](const store::EventView& event) {
    text += store::test::describe_event(event) + "\n";
    return true;
  });
  EXPECT_TRUE(visited.has_value());
  for (const store::LeaseId id : store.leases()) {
    text += "lease " + std::to_string(id) + " " + std::to_string(store.lease_info(id, 0)->granted_ttl_s);
    const Result<std::vector<std::string>> keys = view.lease_keys(id);
    for (const std::string& key : *keys) text += " " + key;
    text += "\n";
  }
  return text;
}

// The same steps for the same seed and revision, whatever the store.
void change_randomly(store::Store& store, std::mt19937& random, int steps) {
  const auto key = [&] { return "k" + std::to_string(random() % 12) + (random() % 8 == 0 ? std::string(600, 'x') : ""); };
  for (int step = 0; step < steps; ++step) {
    const std::string a = key();
    const std::string b = key();
    const std::string value(random() % 3 == 0 ? 2000 : random() % 40, static_cast<char>('a' + random() % 26));
    const store::LeaseId lease = 1 + static_cast<store::LeaseId>(random() % 3);
    store::WriteBatch batch = begin(store);
    switch (random() % 8) {
      case 0:
        (void)batch.delete_range({.keys = {a, random() % 4 == 0 ? b : ""}});
        break;
      case 1:
        (void)batch.lease_grant({.id = lease, .ttl_s = 60});
        break;
      case 2:
        (void)batch.lease_revoke(lease);
        break;
      case 3:
        if (random() % 4 == 0) (void)batch.compact(batch.revision() - static_cast<std::int64_t>(random() % 10));
        // Sometimes less than all, so that snapshots show a compaction that goes on.
        (void)batch.compact_step(1 + random() % 30);
        break;
      case 4: {
        store::TxnRequest txn;
        txn.success.emplace_back(store::PutRequest{.key = a, .value = value});
        if (a != b) txn.success.emplace_back(store::DeleteRangeRequest{.keys = {b, {}}});
        (void)batch.txn(txn);
        break;
      }
      default:
        (void)batch.put({.key = a, .value = value, .lease = random() % 2 == 0 ? lease : 0});
    }
    ASSERT_TRUE(batch.commit().has_value());
  }
}

TEST(Snapshot, NothingThatCanBeAskedDiffersAfterARestore) {
  for (unsigned seed = 1; seed <= 12; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    const TemporaryDirectory directory;
    const auto before = open_store();
    std::mt19937 random(seed);
    change_randomly(*before, random, 250);
    const auto after = restored({.snapshot = saved(*before, directory), .data_dir = directory / "data", .identity = kOther});
    ASSERT_EQ(ask_everything(*after), ask_everything(*before));
    EXPECT_EQ(after->identity(), kOther);

    // And it goes on in the same way, compaction included.
    std::mt19937 same = random;
    change_randomly(*before, random, 150);
    change_randomly(*after, same, 150);
    ASSERT_EQ(ask_everything(*after), ask_everything(*before));
  }
}

TEST(Snapshot, TheRevisionIsThatOfACompactionWhereNothingLaterIsLeft) {
  const TemporaryDirectory directory;
  const auto before = open_store();
  put(*before, "k", "1");
  store::test::erase(*before, "k");
  put(*before, "l", "1");
  store::test::erase(*before, "l");
  compact(*before, 5);
  const auto after = restored({.snapshot = saved(*before, directory), .data_dir = directory / "data", .identity = kOther});
  EXPECT_EQ(read(*after).revision(), 5);
  EXPECT_EQ(put(*after, "m", "1"), 6);
}

// Somebody took data.mdb away, and left the rest.
TEST(Snapshot, AJournalOfAnotherDatabaseIsNotReplayedOverARestoredOne) {
  const TemporaryDirectory directory;
  const auto before = open_store();
  put(*before, "k", "1");
  std::filesystem::create_directory(directory / "data");
  std::ofstream(directory / "data/journal.0", std::ios::binary)
      << store::encode_journal_header({.identity = {77, 88}, .nonce = 1, .first_sequence = 1});
  const auto after =
      restored({.snapshot = saved(*before, directory), .data_dir = directory / "data", .identity = kOther});
  EXPECT_EQ(read(*after).revision(), 2);
}

TEST(Snapshot, ABumpedRevisionHidesWhatWasBefore) {
  const TemporaryDirectory directory;
  const auto before = open_store();
  put(*before, "k", "1");
  put(*before, "k", "2");
  const auto after = restored(
      {.snapshot = saved(*before, directory), .data_dir = directory / "data", .identity = kOther, .bump_revision = 1000});
  EXPECT_EQ(read(*after).revision(), 1003);
  EXPECT_EQ(read(*after).range({.keys = {"k", {}}, .revision = 3}).status().message(),
            "etcdserver: mvcc: required revision has been compacted");
  EXPECT_EQ(store::test::describe(*read(*after).range({.keys = {"k", {}}})), "k=2 c2 m3 v2 l0\ncount 1 at 1003");
  EXPECT_EQ(put(*after, "k", "3"), 1004);
  // And once more, from where it is now.
  const auto again = restored({.snapshot = saved(*after, directory, "again.db"), .data_dir = directory / "again", .identity = kOther});
  EXPECT_EQ(read(*again).revision(), 1004);
}

std::string bytes_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

void write_bytes(const std::string& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary) << bytes;
}

TEST(Snapshot, TheChecksumIsLookedAtUnlessToldOtherwise) {
  const TemporaryDirectory directory;
  const auto store = open_store();
  put(*store, "key", "value");
  const std::string path = saved(*store, directory);
  const std::string whole = bytes_of(path);

  std::string changed = whole;
  changed[changed.find("value")] ^= 1;
  write_bytes(path, changed);
  EXPECT_THAT(SnapshotFile::open(path, HashCheck::kRequire).status().message(), HasSubstr("expected sha256"));
  EXPECT_TRUE(SnapshotFile::open(path, HashCheck::kSkip).has_value());

  // As a file that was copied from a data directory.
  write_bytes(path, whole.substr(0, whole.size() - kSha256Size));
  const RestoreOptions options{.snapshot = path, .data_dir = directory / "data", .identity = kOther};
  EXPECT_THAT(restore(options).status().message(), HasSubstr("snapshot missing hash but --skip-hash-check=false"));
  EXPECT_FALSE(std::filesystem::exists(directory / "data")) << "a refused restore leaves nothing behind";
  RestoreOptions skipping = options;
  skipping.hash_check = HashCheck::kSkip;
  EXPECT_TRUE(restore(skipping).has_value());
}

TEST(Snapshot, DataIsNeverOverwritten) {
  const TemporaryDirectory directory;
  const auto store = open_store();
  put(*store, "key", "value");
  const RestoreOptions options{.snapshot = saved(*store, directory), .data_dir = directory / "data", .identity = kOther};
  ASSERT_TRUE(restore(options).has_value());
  EXPECT_EQ(restore(options).status().code(), StatusCode::kAlreadyExists);
}

// A snapshot of these records, with its checksum.
std::string crafted(const TemporaryDirectory& directory, const std::vector<std::pair<std::string, std::string>>& records,
                    bool with_auth) {
  std::string pages;
  bbolt::Writer writer([&](std::string_view bytes) -> Status {
    pages += bytes;
    return {};
  });
  EXPECT_TRUE(writer.begin_bucket(buckets::kAuth).ok());
  if (with_auth) {
    EXPECT_TRUE(writer.put("authEnabled", "\1").ok());
  }
  EXPECT_TRUE(writer.begin_bucket(buckets::kKey).ok());
  for (const auto& [key, value] : records) EXPECT_TRUE(writer.put(key, value).ok());
  EXPECT_TRUE(writer.begin_bucket(buckets::kLease).ok());
  EXPECT_TRUE(writer.begin_bucket(buckets::kMeta).ok());
  std::string file = *writer.finish() + pages;
  Sha256 sha256;
  sha256.add(file);
  write_bytes(directory / "crafted.db", file + sha256.digest());
  return directory / "crafted.db";
}

std::string version(std::int64_t create, std::int64_t mod, std::int64_t count) {
  mvccpb::KeyValue kv;
  kv.set_key("k");
  kv.set_create_revision(create);
  kv.set_mod_revision(mod);
  kv.set_version(count);
  return kv.SerializeAsString();
}

TEST(Snapshot, RecordsThatMakeNoSenseAreRefused) {
  const TemporaryDirectory directory;
  const auto attempt = [&](const std::string& key, const std::string& value) {
    const RestoreOptions options{
        .snapshot = crafted(directory, {{key, value}}, false), .data_dir = directory / "data", .identity = kOther};
    const Status status = restore(options).status();
    std::filesystem::remove_all(directory / "data");
    return status.code();
  };
  const std::string two = revision_key({{2, 0}, false});
  EXPECT_EQ(attempt(two, version(2, 2, 1)), StatusCode::kOk);
  EXPECT_EQ(attempt("two", version(2, 2, 1)), StatusCode::kDataLoss);
  EXPECT_EQ(attempt(two, "\xff"), StatusCode::kDataLoss);
  EXPECT_EQ(attempt(two, version(2, 3, 1)), StatusCode::kDataLoss);
  EXPECT_EQ(attempt(two, version(3, 2, 1)), StatusCode::kDataLoss);
  EXPECT_EQ(attempt(two, version(2, 2, 0)), StatusCode::kDataLoss);
}

TEST(Snapshot, KeysBehindAPasswordAreNotOpenedToEverybody) {
  const TemporaryDirectory directory;
  const RestoreOptions options{.snapshot = crafted(directory, {}, true), .data_dir = directory / "data", .identity = kOther};
  ASSERT_TRUE(restore(options).has_value());
  const auto store = open_store({.directory = directory / "data"});
  EXPECT_THAT(*read(*store).records("auth/"), ElementsAre(store::Record{"auth/authEnabled", "\1"}));
}

TEST(Snapshot, UsersAndRolesComeThrough) {
  const TemporaryDirectory directory;
  const std::vector<store::Record> records{{"auth/authEnabled", "\1"},
                                           {"auth/authRevision", std::string(7, '\0') + "\5"},
                                           {"authRoles/reader", "role"},
                                           {"authUsers/alice", "user"},
                                           {"authUsers/root", "other"}};
  const auto store = open_store();
  store::WriteBatch batch = begin(*store);
  for (const store::Record& record : records) EXPECT_TRUE(batch.put_record(record.name, record.bytes).ok());
  EXPECT_TRUE(batch.put_record("alarms", "ours alone").ok());
  ASSERT_TRUE(batch.commit().has_value());
  const RestoreOptions options{.snapshot = saved(*store, directory), .data_dir = directory / "data", .identity = kOther};
  ASSERT_TRUE(restore(options).has_value());
  const auto again = open_store({.directory = directory / "data"});
  EXPECT_EQ(*read(*again).records(""), records);
}

TEST(Snapshot, StatusCountsWhatIsInIt) {
  const TemporaryDirectory directory;
  const auto store = open_store();
  put(*store, "a", "1");
  put(*store, "b", "2");
  const Result<SnapshotFile> file = SnapshotFile::open(saved(*store, directory), HashCheck::kRequire);
  ASSERT_TRUE(file.has_value());
  const Result<FileStatus> status = file->status();
  ASSERT_TRUE(status.has_value());
  EXPECT_EQ(status->revision, 3);
  EXPECT_EQ(status->total_key, 2 + 3);  // two versions; confState, consistent_index and term
  EXPECT_EQ(static_cast<std::size_t>(status->total_size) + kSha256Size,
            std::filesystem::file_size(directory / "snapshot.db"));
}

TEST(Snapshot, AFullDiskLeavesNoFile) {
  const TemporaryDirectory directory;
  const auto store = open_store();
  put(*store, "a", "1");
  const int full = ::open("/dev/full", O_RDWR | O_CLOEXEC);
  ASSERT_GE(full, 0);
  EXPECT_EQ(save(read(*store), kIdentity, full).code(), StatusCode::kResourceExhausted);
  ::close(full);
  EXPECT_EQ(save(read(*store), kIdentity, directory / "no/such/place.db").code(), StatusCode::kUnavailable);
  EXPECT_TRUE(std::filesystem::is_empty(directory.path()));
}

}  // namespace
}  // namespace minigrpc::snapshot
