#include "store/key_table.h"

#include <gtest/gtest.h>

#include <map>
#include <random>

#include "store/test_store.h"

namespace minigrpc::store {
namespace {

class KeyTableTest : public testing::Test {
 protected:
  void SetUp() override {
    Result<lmdb::Env> env =
        lmdb::Env::open({.directory = directory_.path(), .map_size = 256 << 20, .fsync = false});
    ASSERT_TRUE(env.has_value()) << env.error().to_string();
    env_ = std::move(*env);
    Result<lmdb::Txn> txn = env_.begin_write();
    ASSERT_TRUE(txn.has_value());
    table_.root = *txn->open_table("root", true);
    table_.tails = *txn->open_table("tails", true);
    txn_ = TableTxn(std::move(*txn));
  }

  void put(const std::string& key, const std::string& value) {
    const Status status = table_.put(txn_, key, value);
    ASSERT_TRUE(status.ok()) << status.to_string();
  }
  std::optional<std::string> get(const std::string& key) {
    Result<std::optional<std::string_view>> value = table_.get(txn_, key);
    EXPECT_TRUE(value.has_value());
    if (!value || !value->has_value()) return std::nullopt;
    return std::string(**value);
  }
  std::vector<std::string> keys_from(const std::string& from) {
    std::vector<std::string> keys;
    KeyCursor cursor(txn_, table_);
    for (cursor.seek(from); cursor.valid(); cursor.next()) keys.emplace_back(cursor.key());
    EXPECT_TRUE(cursor.status().ok()) << cursor.status().to_string();
    return keys;
  }

  test::TemporaryDirectory directory_;
  lmdb::Env env_;
  TableTxn txn_;
  KeyTable table_;
};

TEST_F(KeyTableTest, AKeyOfOneAndAHalfMebibytesIsAKey) {
  const std::string key(1536 * 1024, 'x');
  put(key, "long");
  put(key + "y", "longer");
  EXPECT_EQ(get(key), "long");
  EXPECT_EQ(get(key + "y"), "longer");
  EXPECT_EQ(get(key.substr(1)), std::nullopt);
  EXPECT_EQ(keys_from("x"), (std::vector{key, key + "y"}));
}

TEST_F(KeyTableTest, ErasingTheLastKeyOfAPathErasesThePath) {
  const std::string shared(960, 'x');
  put(shared + std::string(500, 'a'), "a");
  put(shared + std::string(500, 'b'), "b");
  EXPECT_EQ(*table_.erase(txn_, shared + std::string(500, 'a')), true);
  EXPECT_EQ(*table_.erase(txn_, shared + std::string(500, 'a')), false);
  EXPECT_EQ(get(shared + std::string(500, 'b')), "b");
  EXPECT_EQ(*table_.erase(txn_, shared + std::string(500, 'b')), true);
  EXPECT_EQ(txn_.base().entries(table_.root), 0u);
  EXPECT_EQ(txn_.base().entries(table_.tails), 0u);
}

// Lengths around the cuts, and bytes that sort at both ends.
TEST_F(KeyTableTest, RandomKeysKeepByteOrder) {
  std::mt19937_64 random(7);
  const auto random_key = [&] {
    std::string key;
    for (std::uint64_t runs = random() % 4; runs > 0; --runs)
      key.append(480, random() % 3 == 0 ? '\0' : '\xff');
    const std::size_t sizes[] = {1, 2, 479, 480, 481};
    key.append(sizes[random() % 5], "\0a\xff"[random() % 3]);
    return key;
  };
  std::map<std::string, std::string> model;
  for (int i = 0; i < 3000; ++i) {
    const std::string key = random_key();
    if (random() % 3 == 0) {
      Result<bool> erased = table_.erase(txn_, key);
      ASSERT_TRUE(erased.has_value());
      EXPECT_EQ(*erased, model.erase(key) == 1);
    } else {
      put(key, std::to_string(i));
      model[key] = std::to_string(i);
    }
    if (i % 10 != 0) continue;
    const std::string from = random_key();
    std::vector<std::string> expected;
    for (auto it = model.lower_bound(from); it != model.end(); ++it) expected.push_back(it->first);
    ASSERT_EQ(keys_from(from), expected);
    EXPECT_EQ(get(from), model.contains(from) ? std::optional(model[from]) : std::nullopt);
  }
  for (const auto& [key, value] : model) EXPECT_TRUE(*table_.erase(txn_, key));
  EXPECT_EQ(txn_.base().entries(table_.tails), 0u);
}

TEST_F(KeyTableTest, LinksThatMakeNoSenseAreDataLoss) {
  const std::string key(500, 'x');
  put(key, "value");
  ASSERT_TRUE(txn_.put(table_.root, key.substr(0, 480) + '\0', "not an id").ok());
  EXPECT_EQ(table_.get(txn_, key).status().code(), StatusCode::kDataLoss);
  KeyCursor cursor(txn_, table_);
  cursor.seek("a");
  EXPECT_FALSE(cursor.valid());
  EXPECT_EQ(cursor.status().code(), StatusCode::kDataLoss);
}

TEST_F(KeyTableTest, LinksThatGoInACircleAreDataLoss) {
  const std::string run(480, 'x');
  put(run + run + "x", "value");
  // Node 1 links to itself under the same run.
  const std::string node_1("\0\0\0\0\0\0\0\1", 8);
  ASSERT_TRUE(txn_.put(table_.tails, node_1 + run + '\0', node_1).ok());
  KeyCursor cursor(txn_, table_);
  cursor.seek("a");
  EXPECT_FALSE(cursor.valid());
  EXPECT_EQ(cursor.status().code(), StatusCode::kDataLoss);
}

}  // namespace
}  // namespace minigrpc::store
