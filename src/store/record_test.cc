#include "store/record.h"

#include <gtest/gtest.h>

#include <limits>
#include <random>

namespace minigrpc::store {
namespace {

constexpr std::int64_t kMax = std::numeric_limits<std::int64_t>::max();
constexpr std::uint32_t kSubMax = std::numeric_limits<std::uint32_t>::max();

std::string live_bytes() {
  std::string bytes;
  encode(LiveRecord{300, {kMax, kSubMax}, 7, -5, false, "value"}, "key", bytes);
  return bytes;
}

std::string log_bytes() {
  std::string bytes;
  const Links links{12, {9, 1}, {3, 0}, 7};
  encode(LogRecord{EventType::kPut, 3, 4, kMax, links, std::string_view("k\0y", 3), "value"}, "at", bytes);
  return bytes;
}

TEST(Record, LiveComesBack) {
  const std::string bytes = live_bytes();
  const std::optional<LiveRecord> record = decode_live("key", bytes);
  ASSERT_TRUE(record.has_value());
  EXPECT_EQ(record->create_revision, 300);
  EXPECT_EQ(record->mod, (Revision{kMax, kSubMax}));
  EXPECT_EQ(record->version, 7);
  EXPECT_EQ(record->lease, -5);
  EXPECT_FALSE(record->value_in_log);
  EXPECT_EQ(record->value, "value");
}

TEST(Record, LiveComesBackWithItsAncestry) {
  std::string bytes;
  encode(
      LiveRecord{.version = 1, .value_in_log = true, .ancestry = Ancestry{200, {9, 1}, 100, {5, kSubMax}, 7}},
      "key", bytes);
  const std::optional<LiveRecord> record = decode_live("key", bytes);
  ASSERT_TRUE(record && record->ancestry);
  EXPECT_TRUE(record->value_in_log);
  EXPECT_EQ(record->ancestry->depth, 200u);
  EXPECT_EQ(record->ancestry->jump, (Revision{9, 1}));
  EXPECT_EQ(record->ancestry->jump_depth, 100u);
  EXPECT_EQ(record->ancestry->second, (Revision{5, kSubMax}));
  EXPECT_EQ(record->ancestry->second_depth, 7u);
}

TEST(Record, LogComesBack) {
  const std::string bytes = log_bytes();
  const std::optional<LogRecord> record = decode_log("at", bytes);
  ASSERT_TRUE(record.has_value());
  EXPECT_EQ(record->type, EventType::kPut);
  EXPECT_EQ(record->create_revision, 3);
  EXPECT_EQ(record->version, 4);
  EXPECT_EQ(record->lease, kMax);
  EXPECT_EQ(record->links.depth, 12u);
  EXPECT_EQ(record->links.prev, (Revision{9, 1}));
  EXPECT_EQ(record->links.jump, (Revision{3, 0}));
  EXPECT_EQ(record->links.jump_depth, 7u);
  EXPECT_EQ(record->key, std::string_view("k\0y", 3));
  EXPECT_EQ(record->value, "value");
}

TEST(Record, TheSmallOnesComeBack) {
  std::string bytes;
  encode(DeadRecord{{17, 2}}, "key", bytes);
  EXPECT_EQ(decode_dead("key", bytes)->tombstone, (Revision{17, 2}));
  encode(State{9, 4, {3, 1}}, kStateKey, bytes);
  EXPECT_EQ(decode_state(kStateKey, bytes)->revision, 9);
  EXPECT_EQ(decode_state(kStateKey, bytes)->compact_revision, 4);
  EXPECT_EQ(decode_state(kStateKey, bytes)->compact_cursor, (Revision{3, 1}));
  encode(LeaseRecord{60}, "id", bytes);
  EXPECT_EQ(decode_lease("id", bytes)->ttl_s, 60);
}

TEST(Record, EveryTruncationShows) {
  for (std::size_t size = 0; size < live_bytes().size(); ++size)
    EXPECT_FALSE(decode_live("key", live_bytes().substr(0, size)).has_value()) << size;
  for (std::size_t size = 0; size < log_bytes().size(); ++size)
    EXPECT_FALSE(decode_log("at", log_bytes().substr(0, size)).has_value()) << size;
}

TEST(Record, EveryFlippedBitShows) {
  for (std::size_t bit = 0; bit < log_bytes().size() * 8; ++bit) {
    std::string bytes = log_bytes();
    bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ (1 << (bit % 8)));
    EXPECT_FALSE(decode_log("at", bytes).has_value()) << bit;
  }
}

TEST(Record, AnotherKeysRecordShows) {
  EXPECT_FALSE(decode_live("kez", live_bytes()).has_value());
  EXPECT_FALSE(decode_log("as", log_bytes()).has_value());
}

// With a right checksum, so that the fields themselves are what does not decode.
TEST(Record, FieldsAreCheckedBehindARightChecksum) {
  std::string sealed;
  encode(LeaseRecord{-1}, "id", sealed);
  EXPECT_FALSE(decode_lease("id", sealed).has_value()) << "a negative TTL";
  encode(DeadRecord{{-1, 0}}, "id", sealed);
  EXPECT_FALSE(decode_dead("id", sealed).has_value()) << "a negative revision";
  encode(State{9, 4, {3, 1}}, "id", sealed);
  EXPECT_FALSE(decode_lease("id", sealed).has_value()) << "bytes left over";
  EXPECT_FALSE(decode_log("id", sealed).has_value()) << "bytes missing";
}

TEST(Record, RandomBytesAreNoRecord) {
  std::mt19937_64 random(1);
  for (int i = 0; i < 20'000; ++i) {
    std::string bytes(random() % 64, '\0');
    for (char& byte : bytes) byte = static_cast<char>(random());
    EXPECT_FALSE(decode_live("k", bytes).has_value());
    EXPECT_FALSE(decode_log("k", bytes).has_value());
    EXPECT_FALSE(decode_state("k", bytes).has_value());
  }
}

TEST(Record, KeysOfRevisionsSortAsRevisions) {
  const Revision ascending[] = {{0, 0}, {1, 0},   {1, 1},   {1, 255},       {1, 256},
                                {2, 0}, {255, 9}, {256, 0}, {kMax, kSubMax}};
  std::string before;
  for (const Revision revision : ascending) {
    const std::string key = log_key(revision);
    EXPECT_LT(before, key);
    EXPECT_EQ(decode_log_key(key), revision);
    before = key;
  }
  EXPECT_EQ(decode_log_key("short"), std::nullopt);
  EXPECT_EQ(decode_lease_key(lease_key(-7)), -7);
}

}  // namespace
}  // namespace minigrpc::store
