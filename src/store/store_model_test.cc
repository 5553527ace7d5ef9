// Random operations on a store and on the naive model: the same answers, through commits, rollbacks,
// compactions and restarts. A failure prints its seed; MINIGRPC_TEST_SEED runs that one alone.
#include <gtest/gtest.h>

#include <cstdlib>
#include <random>

#include "store/test_model.h"
#include "store/test_store.h"

namespace minigrpc::store::test {
namespace {

// Binary keys, keys around the length at which LMDB's end, and long ones that share their beginning.
std::vector<std::string> make_keys() {
  std::vector<std::string> keys;
  for (int i = 0; i < 20; ++i) keys.push_back("k/" + std::to_string(i));
  for (const char byte : {'\0', '\1', 'k', '\xfe', '\xff'}) {
    keys.push_back(std::string(1, byte));
    keys.push_back(std::string("k/1") + byte);
    keys.push_back(std::string(3, byte));
  }
  const std::string run(480, 'L');
  for (const std::size_t size : {479, 480, 481, 511, 512, 959, 960, 961, 1440, 1441, 5000}) {
    keys.push_back(std::string(size, 'L'));
    keys.push_back(std::string(size - 1, 'L') + '\0');
    keys.push_back(std::string(size - 1, 'L') + '\xff');
  }
  keys.push_back(run + "a" + run);
  keys.push_back(run + std::string(1, '\0') + run);
  keys.push_back(run + std::string(481, '\0'));
  keys.push_back("M" + run);
  keys.push_back(std::string(100'000, 'N'));
  return keys;
}

enum class Durability : std::uint8_t {
  kNone,         // commits go to LMDB itself
  kCheckpoints,  // they go to the journal, and into LMDB behind the test's back
  kCrashes,      // they go to the journal, and stay there until a crash or a compaction
};

class Comparison {
 public:
  Comparison(std::uint64_t seed, Durability durability)
      : durability_(durability), random_(seed), keys_(make_keys()) {
    reopen();
  }

  void step() {
    const std::uint64_t kind = pick(100);
    if (kind < 3) return reopen();
    if (kind < 5) return compact_all();
    if (kind < 50) return check_reads();
    write_batch();
  }

  void finish() {
    reopen();
    check_reads();
    check_all_history();
    compact_all();
    check_all_history();
  }

 private:
  std::uint64_t pick(std::uint64_t n) { return random_() % n; }
  const std::string& key() { return keys_[pick(keys_.size())]; }
  std::string value() {
    if (pick(20) == 0) return std::string(400 + pick(20'000), static_cast<char>('a' + pick(26)));
    return "v" + std::to_string(pick(1000));
  }
  LeaseId lease() {
    if (model_.leases.empty() || pick(2) == 0) return 0;
    return std::next(model_.leases.begin(), static_cast<std::ptrdiff_t>(pick(model_.leases.size())))->first;
  }
  // The strings are kept until the next step.
  KeyRange range() {
    const std::string& from = key();
    const std::uint64_t kind = pick(10);
    if (kind < 3) return {from, {}};
    if (kind < 5) return {from, std::string_view("\0", 1)};
    return {from, key()};
  }

  void reopen() {
    if (durability_ == Durability::kCrashes && store_ != nullptr) crash();
    store_.reset();
    store_ = open(directory_->path());
    EXPECT_EQ(store_->identity(), kIdentity);
    std::vector<LeaseId> ids;
    for (const auto& [id, ttl_s] : model_.leases) ids.push_back(id);
    EXPECT_EQ(store_->leases(), ids);
  }

  std::unique_ptr<Store> open(const std::string& path) {
    if (durability_ == Durability::kNone) return open_store({.directory = path});
    const std::size_t journal_size =
        durability_ == Durability::kCheckpoints ? std::size_t{32} << 10 : std::size_t{1} << 30;
    return open_durable_store({.directory = path, .journal_size = journal_size});
  }

  // Goes on with the files as they are now.
  void crash() {
    auto copy = std::make_unique<TemporaryDirectory>(memory_path());
    for (const char* name : {"data.mdb", "journal.0", "journal.1"})
      std::filesystem::copy_file(*directory_ / name, *copy / name);
    store_.reset();
    directory_ = std::move(copy);
  }

  void write_batch() {
    const std::int64_t revision_before = model_.revision;
    const std::int64_t compact_revision_before = model_.compact_revision;
    const std::map<LeaseId, std::int64_t> leases_before = model_.leases;
    const std::size_t events_before = model_.events.size();
    const std::size_t events_removed_before = events_removed_;
    WriteBatch batch = begin(*store_);
    for (std::uint64_t i = 1 + pick(6); i > 0; --i) request(batch);
    EXPECT_EQ(batch.revision(), model_.revision);
    if (pick(8) == 0) {
      model_.forget_events_after(events_before);
      model_.revision = revision_before;
      model_.compact_revision = compact_revision_before;
      model_.leases = leases_before;
      events_removed_ = events_removed_before;
      return;
    }
    Result<Committed> committed = batch.commit();
    ASSERT_TRUE(committed.has_value()) << committed.error().to_string();
    EXPECT_EQ(committed->revision, model_.revision);
    ASSERT_EQ(committed->events.size(), model_.events.size() - events_before);
    for (std::size_t i = 0; i < committed->events.size(); ++i)
      EXPECT_EQ(describe_event(committed->events[i]), describe_event(model_.events[events_before + i]));
  }

  void request(WriteBatch& batch) {
    const std::uint64_t kind = pick(100);
    if (kind < 45) return request_put(batch);
    if (kind < 60) return request_delete(batch);
    if (kind < 75) return request_txn(batch);
    if (kind < 85) return request_lease(batch);
    if (kind < 95) return check_range([&](const RangeRequest& request) { return batch.range(request); });
    request_compaction(batch);
  }

  void request_put(WriteBatch& batch) {
    const std::string k = key();
    const std::string v = value();
    PutRequest request{.key = k, .value = v, .lease = lease(), .prev_kv = true};
    const std::optional<KeyValue> prev = model_.at(k, INT64_MAX);
    if (pick(10) == 0) request.ignore_value = true, request.value = {};
    if (pick(10) == 0) request.ignore_lease = true, request.lease = 0;
    if (!request.ignore_lease && pick(30) == 0) request.lease = 999'999;
    Result<PutResult> result = batch.put(request);
    if (request.lease == 999'999) {
      EXPECT_EQ(result.status(), errors::lease_not_found());
      return;
    }
    if ((request.ignore_value || request.ignore_lease) && !prev) {
      EXPECT_EQ(result.status(), errors::key_not_found());
      return;
    }
    model_.open_revision();
    model_.put(k, request.ignore_value ? prev->value : v, request.ignore_lease ? prev->lease : request.lease);
    model_.close_revision();
    ASSERT_TRUE(result.has_value()) << result.error().to_string();
    EXPECT_EQ(result->revision, model_.revision);
    EXPECT_EQ(result->prev_kv, prev);
  }

  void request_delete(WriteBatch& batch) {
    KeyRange keys = range();
    if (pick(4) != 0) keys.range_end = {};
    const std::vector<KeyValue> prev = model_.range(keys, INT64_MAX);
    Result<DeleteRangeResult> result = batch.delete_range({.keys = keys, .prev_kv = true});
    model_.open_revision();
    const std::int64_t deleted = model_.erase(keys);
    model_.close_revision();
    ASSERT_TRUE(result.has_value()) << result.error().to_string();
    EXPECT_EQ(result->deleted, deleted);
    EXPECT_EQ(result->revision, model_.revision);
    EXPECT_EQ(result->prev_kvs, prev);
  }

  // If the version of one key is as guessed: a put, a deletion and a range that sees both; else two puts.
  void request_txn(WriteBatch& batch) {
    const std::string a = key();
    const std::string b = key();
    const std::string c = key();
    const std::string v = value();
    TxnRequest request;
    const auto guess = static_cast<std::int64_t>(pick(3));
    request.compare.push_back({.keys = {a, {}}, .target = CompareTarget::kVersion, .number = guess});
    request.success.emplace_back(PutRequest{.key = b, .value = v});
    request.success.emplace_back(DeleteRangeRequest{.keys = {c, {}}});
    request.success.emplace_back(RangeRequest{.keys = {"k/", "k0"}});
    request.failure.emplace_back(PutRequest{.key = a, .value = v});
    request.failure.emplace_back(PutRequest{.key = b, .value = v});
    Result<TxnResult> result = batch.txn(request);
    if (b == c || a == b) {
      EXPECT_EQ(result.status(), errors::duplicate_key());
      return;
    }
    ASSERT_TRUE(result.has_value()) << result.error().to_string();
    const std::optional<KeyValue> current = model_.at(a, INT64_MAX);
    EXPECT_EQ(result->succeeded, (current ? current->version : 0) == guess);
    model_.open_revision();
    if (result->succeeded) {
      model_.put(b, v, 0);
      model_.erase({c, {}});
    } else {
      model_.put(a, v, 0);
      model_.put(b, v, 0);
    }
    model_.close_revision();
    EXPECT_EQ(result->revision, model_.revision);
    if (!result->succeeded) return;
    const RangeRequest range{.keys = {"k/", "k0"}};
    EXPECT_EQ(describe(std::get<RangeResult>(result->responses[2])), model_.describe_range(range));
  }

  void request_lease(WriteBatch& batch) {
    const LeaseId id = pick(2) == 0 ? static_cast<LeaseId>(1 + pick(6)) : static_cast<LeaseId>(random_() | 1);
    if (pick(2) == 0) {
      Result<LeaseInfo> granted = batch.lease_grant({.id = id, .ttl_s = 60});
      EXPECT_EQ(granted.status(), model_.leases.contains(id) ? errors::lease_exists() : Status());
      model_.leases[id] = 60;
      return;
    }
    const LeaseId victim = pick(4) == 0 ? id : lease();
    Result<std::int64_t> revoked = batch.lease_revoke(victim);
    if (!model_.leases.contains(victim)) {
      EXPECT_EQ(revoked.status(), errors::lease_not_found());
      return;
    }
    model_.open_revision();
    for (const std::string& k : model_.lease_keys(victim)) model_.erase({k, {}});
    model_.close_revision();
    model_.leases.erase(victim);
    ASSERT_TRUE(revoked.has_value()) << revoked.error().to_string();
    EXPECT_EQ(*revoked, model_.revision);
  }

  void request_compaction(WriteBatch& batch) {
    if (pick(3) != 0) {
      Result<CompactStep> step = batch.compact_step(1 + pick(40));
      ASSERT_TRUE(step.has_value()) << step.error().to_string();
      events_removed_ += step->removed;
      return;
    }
    const std::int64_t revision = old_revision();
    const Status status = batch.compact(revision);
    if (revision <= model_.compact_revision) {
      EXPECT_EQ(status, errors::compacted());
    } else if (revision > model_.revision) {
      EXPECT_EQ(status, errors::future_revision());
    } else {
      EXPECT_TRUE(status.ok()) << status.to_string();
      model_.compact_revision = revision;
    }
  }

  // Mostly not long ago, sometimes compacted, sometimes in the future.
  std::int64_t old_revision() {
    const auto back = static_cast<std::int64_t>(pick(pick(3) == 0 ? 400 : 30));
    return std::max<std::int64_t>(1, model_.revision + 2 - back);
  }

  // What is removed, and nothing else.
  void compact_all() {
    WriteBatch batch = begin(*store_);
    for (;;) {
      Result<CompactStep> step = batch.compact_step(50);
      ASSERT_TRUE(step.has_value()) << step.error().to_string();
      events_removed_ += step->removed;
      if (step->done) break;
    }
    ASSERT_TRUE(batch.commit().has_value());
    if (pick(2) == 0) {
      ASSERT_TRUE(store_->checkpoint().ok());
    }
    EXPECT_EQ(model_.events.size() - events_removed_, model_.events_after_compaction());
  }

  template <class Ask>
  void check_range(const Ask& ask) {
    RangeRequest request{.keys = range()};
    if (pick(2) == 0) request.revision = old_revision();
    if (pick(3) == 0) request.limit = static_cast<std::int64_t>(1 + pick(10));
    if (pick(3) == 0) request.sort_target = static_cast<SortTarget>(pick(5));
    if (pick(3) == 0) request.sort_order = static_cast<SortOrder>(pick(3));
    if (pick(6) == 0) request.min_mod_revision = old_revision();
    if (pick(6) == 0) request.max_create_revision = old_revision();
    if (pick(6) == 0) request.keys_only = true;
    if (pick(6) == 0) request.count_only = true;
    EXPECT_EQ(describe(ask(request)), model_.describe_range(request))
        << "key " << shorten(request.keys.key) << " end " << shorten(request.keys.range_end) << " revision "
        << request.revision << " compacted " << model_.compact_revision;
  }

  void check_reads() {
    const ReadView view = read(*store_);
    EXPECT_EQ(view.revision(), model_.revision);
    EXPECT_EQ(view.compact_revision(), model_.compact_revision);
    for (int i = 0; i < 4; ++i) check_range([&](const RangeRequest& request) { return view.range(request); });
    const LeaseId id = lease();
    Result<std::vector<std::string>> keys = view.lease_keys(id);
    if (id != 0) {
      EXPECT_TRUE(keys.has_value() && *keys == model_.lease_keys(id));
    }
    check_history(view, pick(3) == 0 ? std::max<std::int64_t>(1, model_.compact_revision) : old_revision());
  }

  void check_history(const ReadView& view, std::int64_t from) {
    std::vector<std::string> seen;
    Result<HistoryResult> result =
        view.history({.from = {from, 0}, .prev_kv = true}, [&](const EventView& event) {
          seen.push_back(describe_event(event));
          return true;
        });
    if (from < model_.compact_revision) {
      EXPECT_EQ(result.status(), errors::compacted());
      return;
    }
    ASSERT_TRUE(result.has_value()) << result.error().to_string();
    EXPECT_TRUE(result->done);
    std::size_t i = 0;
    for (const Event& expected : model_.events) {
      if (expected.revision.main < from) continue;
      ASSERT_LT(i, seen.size());
      // At the compact revision itself the version before may be gone already.
      Event without = expected;
      without.prev_kv.reset();
      if (expected.revision.main != model_.compact_revision || seen[i] != describe_event(without)) {
        EXPECT_EQ(seen[i], describe_event(expected));
      }
      ++i;
    }
    EXPECT_EQ(i, seen.size());
  }

  void check_all_history() {
    const ReadView view = read(*store_);
    check_history(view, model_.compact_revision);
    for (std::int64_t at = std::max<std::int64_t>(1, model_.compact_revision); at <= model_.revision; ++at) {
      const RangeRequest all{.keys = {std::string_view("\0", 1), std::string_view("\0", 1)}, .revision = at};
      ASSERT_EQ(describe(view.range(all)), model_.describe_range(all)) << "at " << at;
    }
  }

  const Durability durability_;
  std::mt19937_64 random_;
  std::vector<std::string> keys_;
  Model model_;
  std::size_t events_removed_ = 0;
  std::unique_ptr<TemporaryDirectory> directory_ = std::make_unique<TemporaryDirectory>(memory_path());
  std::unique_ptr<Store> store_;
};

class StoreModel : public testing::TestWithParam<std::tuple<std::uint64_t, Durability>> {};

TEST_P(StoreModel, RandomOperationsGiveTheModelsAnswers) {
  const char* only = std::getenv("MINIGRPC_TEST_SEED");
  const std::uint64_t seed = only != nullptr ? std::strtoull(only, nullptr, 0) : std::get<0>(GetParam());
  SCOPED_TRACE("MINIGRPC_TEST_SEED=" + std::to_string(seed));
  Comparison run(seed, std::get<1>(GetParam()));
  for (int step = 0; step < 1000 && !HasFailure(); ++step) run.step();
  if (!HasFailure()) run.finish();
}

INSTANTIATE_TEST_SUITE_P(Seeds, StoreModel,
                         testing::Combine(testing::Range<std::uint64_t>(1, 4),
                                          testing::Values(Durability::kNone, Durability::kCheckpoints,
                                                          Durability::kCrashes)));

}  // namespace
}  // namespace minigrpc::store::test
