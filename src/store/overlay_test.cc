// The overlay by itself, and over LMDB, beside a std::map that keeps every version.
#include "store/overlay.h"

#include <gtest/gtest.h>

#include <atomic>
#include <map>
#include <random>
#include <thread>

#include "store/table_txn.h"
#include "store/test_store.h"

namespace minigrpc::store::test {
namespace {

constexpr MDB_dbi kTable = 5;

std::string text(const Overlay::Entry* entry) {
  if (entry == nullptr) return "-";
  return std::string(entry->key()) + (entry->erased() ? "!" : "=" + std::string(entry->value()));
}

std::string walk(const Overlay& overlay, std::uint64_t sequence) {
  std::string all;
  for (const Overlay::Entry* entry = overlay.seek(kTable, "", sequence); entry != nullptr;
       entry = overlay.next(entry, sequence))
    all += text(entry) + " ";
  return all;
}

TEST(Overlay, EachSequenceSeesItsOwnMoment) {
  Overlay overlay;
  EXPECT_TRUE(overlay.empty());
  overlay.write(kTable, "b", "1", 1);
  overlay.write(kTable, "d", "1", 1);
  overlay.write(kTable + 1, "a", "other", 1);
  overlay.keep();
  overlay.write(kTable, "a", "2", 2);
  overlay.write(kTable, "b", std::nullopt, 2);
  overlay.keep();
  overlay.write(kTable, "b", "3", 3);
  overlay.write(kTable, "b", "3 again", 3);
  EXPECT_EQ(walk(overlay, 0), "");
  EXPECT_EQ(walk(overlay, 1), "b=1 d=1 ");
  EXPECT_EQ(walk(overlay, 2), "a=2 b! d=1 ");
  EXPECT_EQ(walk(overlay, 3), "a=2 b=3 again d=1 ");
  EXPECT_EQ(text(overlay.find(kTable, "b", 1)), "b=1");
  EXPECT_EQ(text(overlay.find(kTable, "c", 3)), "-");
  EXPECT_EQ(text(overlay.seek(kTable, "c", 3)), "d=1");
  EXPECT_EQ(overlay.last_key(kTable), "d");
  EXPECT_EQ(overlay.last_key(kTable + 2), std::nullopt);
  overlay.roll_back();
  EXPECT_EQ(walk(overlay, 3), "a=2 b! d=1 ");
  EXPECT_EQ(overlay.data_size(), 2u + 1u + 2u + 6u);  // "b" was erased
  overlay.write(kTable, "b", "4", 3);
  overlay.keep();
  EXPECT_EQ(walk(overlay, 3), "a=2 b=4 d=1 ");
}

TEST(Overlay, AWalkStepsOverManyVersionsOfOneKey) {
  Overlay overlay;
  for (std::uint64_t sequence = 1; sequence <= 1000; ++sequence) {
    overlay.write(kTable, "a", std::to_string(sequence), sequence);
    overlay.write(kTable, "b" + std::to_string(sequence % 3), std::string(70'000, 'b'), sequence);
    overlay.keep();
  }
  EXPECT_EQ(walk(overlay, 500).substr(0, 9), "a=500 b0=");
  std::string latest;
  for (const Overlay::Entry* entry = overlay.first(); entry != nullptr; entry = overlay.next_key(entry))
    latest += std::string(entry->key()) + "@" + std::to_string(entry->sequence()) + " ";
  EXPECT_EQ(latest, "a@1000 b0@999 b1@1000 b2@998 ");
  for (std::uint64_t sequence = 1; sequence <= 1000; ++sequence)
    ASSERT_EQ(text(overlay.find(kTable, "a", sequence)), "a=" + std::to_string(sequence));
}

TEST(Overlay, AKeyThatWasRolledBackIsNotThere) {
  Overlay overlay;
  overlay.write(kTable, "b", "1", 1);
  overlay.write(kTable, "a", "1", 1);
  overlay.roll_back();
  EXPECT_TRUE(overlay.empty());
  EXPECT_EQ(overlay.data_size(), 0u);
  EXPECT_EQ(walk(overlay, 1), "");
  EXPECT_EQ(text(overlay.find(kTable, "a", 1)), "-");
  overlay.write(kTable, "c", "1", 1);
  overlay.write(kTable, "a", "1 again", 1);
  overlay.keep();
  EXPECT_EQ(walk(overlay, 1), "a=1 again c=1 ");
  EXPECT_EQ(overlay.next_key(overlay.first())->key(), "c");
}

TEST(Overlay, ManyKeysAreFoundAndInOrder) {
  Overlay overlay;
  std::map<std::string, std::string> expected;
  std::mt19937_64 random(3);
  for (int i = 0; i < 20'000; ++i) {
    const std::string key = std::to_string(random() % 1'000'000);
    expected[key] = std::to_string(i);
    overlay.write(kTable + static_cast<MDB_dbi>(i % 2), key, expected[key], 1);
    overlay.write(kTable + static_cast<MDB_dbi>(1 - i % 2), key, expected[key], 1);
  }
  for (const MDB_dbi table : {kTable, kTable + 1}) {
    const Overlay::Entry* entry = overlay.seek(table, "", 1);
    for (const auto& [key, value] : expected) {
      ASSERT_EQ(text(entry), key + "=" + value);
      ASSERT_EQ(overlay.find(table, key, 1), entry);
      entry = overlay.next(entry, 1);
    }
    ASSERT_EQ(entry, nullptr);
    ASSERT_EQ(overlay.last_key(table), expected.rbegin()->first);
  }
}

// Readers walk while the writer writes and rolls back: each sees whole batches, those until its sequence.
TEST(Overlay, ReadersAreNotDisturbed) {
  Overlay overlay;
  std::atomic<std::uint64_t> kept{0};
  std::atomic<bool> stop{false};
  std::atomic<int> walks{0};
  std::vector<std::thread> readers;
  for (int i = 0; i < 2; ++i)
    readers.emplace_back([&] {
      while (!stop) {
        const std::uint64_t sequence = kept.load(std::memory_order_acquire);
        if (sequence == 0) continue;
        const std::string expected = std::to_string(sequence);
        for (const std::string key : {"first", "last"}) {
          const Overlay::Entry* entry = overlay.find(kTable, key, sequence);
          ASSERT_TRUE(entry != nullptr && entry->value() == expected);
        }
        for (const Overlay::Entry* entry = overlay.seek(kTable, "k", sequence);
             entry != nullptr && entry->key()[0] == 'k'; entry = overlay.next(entry, sequence))
          ASSERT_LE(entry->sequence(), sequence);
        ++walks;
      }
    });
  std::mt19937_64 random(1);
  for (std::uint64_t sequence = 1; sequence < 3000 || walks < 200;) {
    overlay.write(kTable, "first", std::to_string(sequence), sequence);
    for (int i = 0; i < 5; ++i) overlay.write(kTable, "k" + std::to_string(random() % 200), "v", sequence);
    overlay.write(kTable, "last", std::to_string(sequence), sequence);
    if (random() % 4 == 0) {
      overlay.roll_back();
      continue;
    }
    overlay.keep();
    kept.store(sequence++, std::memory_order_release);
  }
  stop = true;
  for (std::thread& reader : readers) reader.join();
}

using Model = std::map<std::string, std::string>;

// LMDB with a table, and layers over it, written at random; what a transaction reads is what a map says.
class LayeredTables : public testing::Test {
 protected:
  void SetUp() override {
    Result<lmdb::Env> opened =
        lmdb::Env::open({.directory = directory_.path(), .map_size = 1 << 24, .fsync = false});
    ASSERT_TRUE(opened);
    env_ = std::move(*opened);
    Result<lmdb::Txn> txn = env_.begin_write();
    table_ = *txn->open_table("table", true);
    ASSERT_TRUE(txn->commit().ok());
    layers_.active = std::make_shared<Overlay>();
  }
  std::string key() { return std::string(1 + random_() % 2, static_cast<char>('a' + random_() % 6)); }

  void write_batch() {
    JournalBatch batch;
    TableTxn txn(std::move(*env_.begin_read()), layers_, &batch, nullptr);
    Model model = model_;
    for (std::uint64_t i = random_() % 6; i > 0; --i) {
      const std::string one = key();
      if (random_() % 3 == 0) {
        ASSERT_EQ(*txn.erase(table_, one), model.erase(one) == 1);
      } else {
        model[one] = std::to_string(random_() % 1000);
        ASSERT_TRUE(txn.put(table_, one, model[one]).ok());
      }
    }
    check(txn, model);
    if (random_() % 4 == 0) return;
    txn.keep();
    ++layers_.sequence;
    model_ = model;
  }

  void apply_frozen() {
    if (layers_.frozen == nullptr) return;
    lmdb::Txn txn = std::move(*env_.begin_write());
    for (const Overlay::Entry* entry = layers_.frozen->first(); entry != nullptr;
         entry = layers_.frozen->next_key(entry))
      ASSERT_TRUE(entry->erased() ? txn.erase(table_, entry->key()).has_value()
                                  : txn.put(table_, entry->key(), entry->value()).ok());
    ASSERT_TRUE(txn.commit().ok());
  }

  void check(const TableTxn& txn, const Model& model) {
    TableCursor cursor(txn, table_);
    const std::string from = random_() % 2 == 0 ? key() : "";
    auto expected = model.lower_bound(from);
    for (cursor.seek(from); cursor.valid(); cursor.next(), ++expected) {
      ASSERT_NE(expected, model.end()) << cursor.key();
      ASSERT_EQ(cursor.key(), expected->first);
      ASSERT_EQ(cursor.value(), expected->second);
    }
    ASSERT_TRUE(cursor.status().ok());
    ASSERT_EQ(expected, model.end());
    const std::string one = key();
    const auto found = *txn.get(table_, one);
    ASSERT_EQ(found.has_value(), model.contains(one));
    if (found) {
      ASSERT_EQ(*found, model.at(one));
    }
    const auto last = *txn.last_key(table_);
    if (!model.empty()) {
      ASSERT_GE(*last, model.rbegin()->first);
    }
  }

  TemporaryDirectory directory_;
  lmdb::Env env_;
  MDB_dbi table_ = 0;
  Layers layers_;
  Model model_;
  std::mt19937_64 random_{7};
};

TEST_F(LayeredTables, ReadAsOneTable) {
  struct Old {
    TableTxn txn;
    Model model;
  };
  std::vector<Old> old;
  for (int step = 0; step < 3000 && !HasFatalFailure(); ++step) {
    write_batch();
    if (step % 7 == 0) {
      if (old.size() > 5) old.erase(old.begin());
      old.push_back({TableTxn(std::move(*env_.begin_read()), layers_), model_});
    }
    // A frozen overlay stays over the LMDB that has it already for a while.
    if (step % 40 == 0) apply_frozen();
    if (step % 40 == 10) {
      layers_.frozen = std::move(layers_.active);
      layers_.active = std::make_shared<Overlay>();
    }
    for (const Old& one : old) check(one.txn, one.model);
  }
}

}  // namespace
}  // namespace minigrpc::store::test
