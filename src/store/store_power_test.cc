// The process is killed and the power goes away after every step of every commit, and every step fails once:
// nothing that was acknowledged is lost, no batch is there by half, no revision runs backwards.
// MINIGRPC_TEST_SEED and MINIGRPC_TEST_SEEDS choose the workloads.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <fstream>
#include <random>

#include "store/store.h"
#include "store/test_disk.h"
#include "store/test_store.h"

namespace minigrpc::store::test {
namespace {

constexpr int kBatches = 25;

std::uint64_t from_environment(const char* name, std::uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 0);
}

Result<std::unique_ptr<Store>> open_durable(const std::string& directory) {
  return Store::open({.directory = directory, .identity = kIdentity, .fsync = true});
}

// All that can be asked of a store.
std::string everything(Store& store) {
  const KeyRange all{std::string_view("\0", 1), std::string_view("\0", 1)};
  const ReadView view = read(store);
  std::string text =
      describe(view.range({.keys = all})) + " compacted " + std::to_string(view.compact_revision());
  for (const LeaseId id : store.leases()) {
    text += "\nlease " + std::to_string(id);
    const auto keys = view.lease_keys(id);
    for (const std::string& key : *keys) text += " " + shorten(key);
  }
  const Result<HistoryResult> history =
      view.history({.from = {view.compact_revision() + 1, 0}, .prev_kv = true}, [&](const EventView& event) {
        text += "\n" + describe_event(event);
        return true;
      });
  if (!history) text += history.error().to_string();
  const auto records = view.records("");
  for (const Record& record : *records) text += "\nrecord " + record.name + " " + shorten(record.bytes);
  return text;
}

// The same batches for the same seed. Each changes something.
class Workload {
 public:
  explicit Workload(std::uint64_t seed) : random_(seed) {}

  Status batch(Store& store) {
    Result<WriteBatch> batch = store.begin();
    if (!batch) return batch.error();
    ++number_;
    (void)batch->put_record("number", std::to_string(number_));
    for (std::uint64_t i = random_() % 5; i > 0; --i) request(*batch);
    const Status status = batch->commit().status();
    if (status.ok() && random_() % 4 == 0) (void)store.reclaim();
    return status;
  }

 private:
  std::string key() {
    return "k" + std::to_string(random_() % 12) + (random_() % 6 == 0 ? std::string(700, 'L') : "");
  }
  std::string value() {
    return std::string(random_() % 3 == 0 ? random_() % 30'000 : 8, static_cast<char>('a' + random_() % 26));
  }
  void request(WriteBatch& batch) {
    const std::string one = key();
    const std::string two = key();
    const std::string bytes = value();
    switch (random_() % 8) {
      case 0:
        (void)batch.delete_range({.keys = {one, two}});
        return;
      case 1:
        (void)batch.lease_grant({.id = static_cast<LeaseId>(1 + random_() % 3), .ttl_s = 60});
        return;
      case 2:
        (void)batch.lease_revoke(static_cast<LeaseId>(1 + random_() % 3));
        return;
      case 3:
        (void)batch.compact(std::max<std::int64_t>(1, batch.revision() - 5));
        (void)batch.compact_step(8);
        return;
      case 4: {
        const std::string twin = one + "/twin";
        TxnRequest txn;
        txn.success.emplace_back(PutRequest{.key = one, .value = bytes});
        txn.success.emplace_back(PutRequest{.key = twin, .value = bytes});
        (void)batch.txn(txn);
        return;
      }
      default:
        (void)batch.put({.key = one, .value = bytes, .lease = static_cast<LeaseId>(random_() % 4)});
    }
  }
  std::mt19937_64 random_;
  int number_ = 0;
};

// What the store holds after each batch, the new store first.
std::vector<std::string> states_of(std::uint64_t seed) {
  const auto store = open_store();
  Workload workload(seed);
  std::vector<std::string> states{everything(*store)};
  for (int i = 0; i < kBatches; ++i) {
    EXPECT_TRUE(workload.batch(*store).ok());
    states.push_back(everything(*store));
  }
  return states;
}

// Which of `states` a data directory holds when it is opened; -1 for one in which no store was made yet.
int state_in(const Disk::Image& image, const std::vector<std::string>& states) {
  const TemporaryDirectory directory;
  for (const auto& [name, bytes] : image) std::ofstream(directory / name, std::ios::binary) << bytes;
  const Result<std::unique_ptr<Store>> store =
      Store::open({.directory = directory.path(), .identity = kIdentity, .fsync = false});
  if (!store) return -1;
  const auto found = std::find(states.begin(), states.end(), everything(**store));
  if (found == states.end()) ADD_FAILURE() << "a state that never was:\n" << everything(**store);
  return static_cast<int>(found - states.begin());
}

class StorePower : public testing::TestWithParam<std::uint64_t> {};
const std::uint64_t first_seed = from_environment("MINIGRPC_TEST_SEED", 1);
INSTANTIATE_TEST_SUITE_P(Seeds, StorePower,
                         testing::Range(first_seed, first_seed + from_environment("MINIGRPC_TEST_SEEDS", 1)));

TEST_P(StorePower, LossAfterAnyStepKeepsWhatWasAcknowledged) {
  const std::vector<std::string> states = states_of(GetParam());
  const TemporaryDirectory directory;
  Disk disk(directory.path());
  std::mt19937_64 random(GetParam());
  int acknowledged = -1;
  int cuts = 0;
  disk.after_each_step([&] {
    for (const Disk::Image& image : {disk.after_kill(), disk.safe(), disk.after_power_failure(random)}) {
      const int found = state_in(image, states);
      ++cuts;
      ASSERT_GE(found, acknowledged) << "lost";
      ASSERT_LE(found, acknowledged + 1);
    }
  });
  Result<std::unique_ptr<Store>> store = open_durable(directory.path());
  ASSERT_TRUE(store.has_value()) << store.error().to_string();
  acknowledged = 0;
  Workload workload(GetParam());
  for (int i = 0; i < kBatches && !HasFatalFailure(); ++i) {
    ASSERT_TRUE(workload.batch(**store).ok());
    ++acknowledged;
    ASSERT_EQ(state_in(disk.safe(), states), acknowledged);
  }
  RecordProperty("power_failures", cuts);
  EXPECT_GT(cuts, kBatches * 6);
}

// Each step of one batch fails, in each way; then the power goes. What did not fail is there, what failed is
// there whole or not at all, and a store that goes on taking writes keeps those, too.
TEST_P(StorePower, FaultAtAnyStepKeepsWhatWasAcknowledged) {
  using Harm = Disk::Harm;
  const std::vector<std::string> states = states_of(GetParam());
  std::mt19937_64 random(GetParam());
  int faults = 0;
  for (const Disk::Fault fault :
       {Disk::Fault{EIO, Harm::kNothingHappens}, Disk::Fault{ENOSPC, Harm::kNothingHappens},
        Disk::Fault{EIO, Harm::kShort}, Disk::Fault{EIO, Harm::kLosesPages},
        Disk::Fault{ENOSPC, Harm::kLosesPages}}) {
    for (std::size_t step = 0;; ++step) {
      SCOPED_TRACE("step " + std::to_string(step) + ", errno " + std::to_string(fault.error) + ", harm " +
                   std::to_string(static_cast<int>(fault.harm)));
      const TemporaryDirectory directory;
      Disk disk(directory.path());
      Result<std::unique_ptr<Store>> store = open_durable(directory.path());
      ASSERT_TRUE(store.has_value()) << store.error().to_string();
      Workload workload(GetParam());
      constexpr int kBefore = 8;
      for (int i = 0; i < kBefore; ++i) ASSERT_TRUE(workload.batch(**store).ok());
      const std::size_t begin = disk.steps();
      disk.fail_step(begin + step, fault);
      const Status failed = workload.batch(**store);
      const bool reached = disk.steps() > begin + step;
      const int found = state_in(disk.after_power_failure(random), states);
      if (failed.ok()) {
        // Past the last step, or in what is no part of the commit.
        ASSERT_EQ(found, kBefore + 1);
      } else {
        ++faults;
        EXPECT_THAT(failed.message(), testing::ContainsRegex("disk|No space left on device"));
        ASSERT_GE(found, kBefore) << "lost";
        ASSERT_LE(found, kBefore + 1);
        // After a failure in the last step LMDB lets nobody read, either.
        if (const Result<ReadView> view = (*store)->read(); view) {
          const int after_kill = state_in(disk.after_kill(), states);
          ASSERT_TRUE(after_kill == kBefore || after_kill == kBefore + 1) << after_kill;
          ASSERT_EQ(everything(**store), states[kBefore]) << "what was refused is not served";
        } else {
          EXPECT_THAT(view.error().message(), testing::HasSubstr("check the disk, then start again"));
          EXPECT_FALSE((*store)->health().ok());
        }
        const Status next = Workload(GetParam() + 1).batch(**store);
        EXPECT_EQ(next.ok(), (*store)->health().ok()) << next.to_string();
        if (next.ok()) {
          const std::string served = everything(**store);
          ASSERT_EQ(state_in(disk.after_power_failure(random), {served}), 0) << "lost after the fault";
        }
      }
      if (!reached) break;
    }
  }
  // A commit writes and syncs.
  EXPECT_GT(faults, 8);
}

// Each step of a checkpoint fails, in each way. What was committed stays where it is, the journal; where
// writes go on so do checkpoints.
TEST_P(StorePower, FaultAtAnyStepOfACheckpointLosesNothing) {
  using Harm = Disk::Harm;
  const std::vector<std::string> states = states_of(GetParam());
  std::mt19937_64 random(GetParam());
  constexpr int kBatchesBefore = 6;
  for (const Disk::Fault fault :
       {Disk::Fault{EIO, Harm::kNothingHappens}, Disk::Fault{ENOSPC, Harm::kNothingHappens},
        Disk::Fault{EIO, Harm::kShort}, Disk::Fault{EIO, Harm::kLosesPages}}) {
    int failures = 0;
    for (std::size_t step = 0;; ++step) {
      SCOPED_TRACE("step " + std::to_string(step) + ", errno " + std::to_string(fault.error) + ", harm " +
                   std::to_string(static_cast<int>(fault.harm)));
      const TemporaryDirectory directory;
      Disk disk(directory.path());
      Result<std::unique_ptr<Store>> store = open_durable(directory.path());
      ASSERT_TRUE(store.has_value()) << store.error().to_string();
      Workload workload(GetParam());
      for (int i = 0; i < kBatchesBefore; ++i) ASSERT_TRUE(workload.batch(**store).ok());
      // A workload may end in a checkpoint of its own.
      ASSERT_TRUE(workload.batch(**store).ok());
      WriteBatch last = begin(**store);
      ASSERT_TRUE(last.put_record("last", "1").ok());
      ASSERT_TRUE(last.commit().has_value());
      const std::string expected = everything(**store);
      const std::size_t begun = disk.steps();
      disk.fail_step(begun + step, fault);
      const Status failed = (*store)->checkpoint();
      const bool reached = disk.steps() > begun + step;
      disk.fail_nothing();
      failures += failed.ok() ? 0 : 1;
      for (const Disk::Image& image : {disk.after_kill(), disk.safe(), disk.after_power_failure(random)})
        ASSERT_EQ(state_in(image, {expected}), 0) << "lost; the checkpoint said: " << failed.to_string();
      if ((*store)->health().ok()) {
        ASSERT_TRUE((*store)->checkpoint().ok());
        ASSERT_TRUE(workload.batch(**store).ok());
        ASSERT_EQ(state_in(disk.after_power_failure(random), {everything(**store)}), 0)
            << "lost after the fault";
      } else {
        ASSERT_EQ((*store)->begin().status(), (*store)->health());
      }
      store->reset();
      if (!reached) break;
    }
    EXPECT_GT(failures, 1);
  }
}

TEST(StorePower, AnEndedProcessLeavesAnEmptyJournal) {
  const TemporaryDirectory directory;
  Disk disk(directory.path());
  {
    Result<std::unique_ptr<Store>> store = open_durable(directory.path());
    ASSERT_TRUE(store.has_value());
    put(**store, "a", "1");
    EXPECT_GT(disk.safe()["journal.0"].size(), 0u);
  }
  Disk::Image image = disk.safe();
  EXPECT_EQ(image["journal.0"], "");
  EXPECT_EQ(image["journal.1"], "");
  const TemporaryDirectory copy;
  std::ofstream(copy / "data.mdb", std::ios::binary) << image["data.mdb"];
  EXPECT_EQ(read(*open_store({.directory = copy.path()})).revision(), 2);
}

TEST(StorePower, ANewDirectoryIsOnTheDiskItself) {
  const TemporaryDirectory parent;
  Disk disk(parent / "data");
  ASSERT_TRUE(open_durable(parent / "data").has_value());
  EXPECT_THAT(disk.synced_paths(), testing::IsSupersetOf({parent.path(), parent / "data"}));
}

}  // namespace
}  // namespace minigrpc::store::test
