#include "store/journal_format.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "store/record.h"

namespace minigrpc::store::test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr Identity kOurs{1, 2};
constexpr std::uint64_t kNonce = 0xABCDEF;

std::string batch(std::uint64_t sequence, std::size_t size = 10, std::uint64_t nonce = kNonce) {
  JournalBatch batch;
  batch.put(4, "key", std::string(size, 'v'));
  return std::string(batch.seal(sequence, nonce));
}

std::string segment(std::uint64_t first, std::uint64_t count, std::uint64_t nonce = kNonce) {
  std::string bytes = encode_journal_header({kOurs, nonce, first});
  for (std::uint64_t i = 0; i < count; ++i) bytes += batch(first + i, 10 + i * 7, nonce);
  return bytes;
}

// The sequences that are found, or the error.
std::string found(std::uint64_t applied, const std::vector<std::string_view>& segments) {
  const Result<std::vector<JournalEntry>> entries = journal_entries_after(applied, kOurs, segments);
  if (!entries) return entries.error().message();
  std::string text;
  for (const JournalEntry& entry : *entries) text += std::to_string(entry.sequence) + " ";
  return text;
}

TEST(JournalFormat, ABodyIsItsChanges) {
  JournalBatch batch;
  EXPECT_TRUE(batch.empty());
  const std::string large(300, 'x');
  batch.put(3, "a", large);
  batch.erase(4, large);
  batch.put(9, "b", "");
  EXPECT_FALSE(batch.empty());
  const std::string bytes = encode_journal_header({kOurs, kNonce, 7}) + std::string(batch.seal(7, kNonce));
  EXPECT_EQ(bytes.size() % kJournalAlignment, 0u);
  const std::string_view one = bytes;
  const auto entries = journal_entries_after(6, kOurs, {&one, 1});
  ASSERT_TRUE(entries);
  ASSERT_EQ(entries->size(), 1u);
  const auto changes = decode_journal_body(entries->front().body);
  ASSERT_TRUE(changes);
  ASSERT_EQ(changes->size(), 3u);
  EXPECT_EQ((*changes)[0].table, 3u);
  EXPECT_EQ((*changes)[0].key, "a");
  EXPECT_EQ((*changes)[0].value, large);
  EXPECT_EQ((*changes)[1].key, large);
  EXPECT_FALSE((*changes)[1].value.has_value());
  EXPECT_EQ((*changes)[2].value, "");
}

TEST(JournalFormat, ACutBodyDoesNotDecode) {
  JournalBatch batch;
  batch.put(3, "a", "value");
  batch.erase(4, "key");
  const std::string body(batch.seal(1, 1).substr(kJournalBatchHeaderSize, 16));
  ASSERT_TRUE(decode_journal_body(body));
  for (std::size_t size = 1; size < body.size(); ++size) {
    EXPECT_EQ(decode_journal_body(body.substr(0, size)).has_value(), size == 10) << size;
  }
  EXPECT_FALSE(decode_journal_body("\x03\x04\x01k"));
}

TEST(JournalFormat, WhatLMDBHasIsNotReadAgain) {
  const std::string one = segment(5, 4);
  EXPECT_EQ(found(4, {one}), "5 6 7 8 ");
  EXPECT_EQ(found(6, {one}), "7 8 ");
  EXPECT_EQ(found(8, {one}), "");
  EXPECT_EQ(found(100, {one}), "");
  EXPECT_EQ(found(3, {one}), "the journal is damaged (batch 4 is missing)");
  EXPECT_EQ(found(0, {}), "");
  EXPECT_EQ(found(0, {"", std::string(100'000, '\0')}), "");
}

TEST(JournalFormat, SegmentsAreReadInOrderOfTheirBatches) {
  const std::string one = segment(5, 3);
  const std::string two = segment(8, 2, 77);
  EXPECT_EQ(found(4, {two, one}), "5 6 7 8 9 ");
  EXPECT_EQ(found(7, {one, two}), "8 9 ");
  EXPECT_EQ(found(4, {two}), "the journal is damaged (batch 5 is missing)");
}

TEST(JournalFormat, EveryTornTailIsNone) {
  const std::string whole = segment(1, 3);
  const std::string last = batch(3, 24);
  for (std::size_t kept = 0; kept < last.size(); ++kept) {
    SCOPED_TRACE(kept);
    const std::size_t size = whole.size() - last.size() + kept;
    // The padding need not have arrived.
    const std::string expected =
        last.substr(kept).find_first_not_of('\0') == std::string::npos ? "1 2 3 " : "1 2 ";
    EXPECT_EQ(found(0, {whole.substr(0, size)}), expected);
    std::string zeros = whole;
    std::fill(zeros.begin() + static_cast<std::ptrdiff_t>(size), zeros.end(), '\0');
    EXPECT_EQ(found(0, {zeros}), expected);
  }
}

TEST(JournalFormat, DamageBeforeTheLastBatchIsNoTornTail) {
  const std::string whole = segment(1, 4);
  for (std::size_t at = kJournalBatchesOffset; at < whole.size() - batch(4, 31).size();
       at += at % 512 < 100 ? 1 : 50) {
    std::string damaged = whole;
    damaged[at] = static_cast<char>(damaged[at] ^ 1);
    const std::string text = found(0, {damaged});
    // A byte of padding carries nothing.
    if (text != "1 2 3 4 ") {
      EXPECT_THAT(text, HasSubstr("the journal is damaged (batch"));
    }
    EXPECT_EQ(found(4, {damaged}), "") << "LMDB has it";
  }
}

TEST(JournalFormat, OneDamagedHeaderIsEnough) {
  std::string bytes = segment(1, 2);
  bytes[3] = 'x';
  EXPECT_EQ(found(0, {bytes}), "1 2 ");
  bytes = segment(1, 2);
  bytes[kJournalHeaderCopyOffset + 20] = 'x';
  EXPECT_EQ(found(0, {bytes}), "1 2 ");
}

// A segment that is used again: whatever of the new use has arrived, the old one's batches are known to LMDB.
TEST(JournalFormat, WhatIsLeftOfAnEarlierUseIsNothing) {
  const std::string old = segment(1, 20, 11);
  const std::string fresh = segment(21, 1, 12);
  EXPECT_EQ(found(20, {old}), "");
  std::string mixed = fresh + old.substr(fresh.size());
  EXPECT_EQ(found(20, {mixed}), "21 ");
  // Header, copy, batch: any of the three may have stayed old.
  for (int arrived = 0; arrived < 8; ++arrived) {
    mixed = old;
    const auto bring = [&](std::size_t begin, std::size_t size) {
      mixed.replace(begin, size, fresh, begin, size);
    };
    if (arrived & 1) bring(0, 512);
    if (arrived & 2) bring(kJournalHeaderCopyOffset, 512);
    if (arrived & 4) bring(kJournalBatchesOffset, fresh.size() - kJournalBatchesOffset);
    EXPECT_EQ(found(20, {mixed}), (arrived & 4) && (arrived & 3) ? "21 " : "") << arrived;
  }
}

TEST(JournalFormat, AValueThatLooksLikeABatchIsNone) {
  // As a client would make it, who does not know the nonce.
  std::string bytes = encode_journal_header({kOurs, kNonce, 1});
  JournalBatch outer;
  outer.put(4, "12345", batch(3, 10, kNonce + 1));
  bytes += outer.seal(1, kNonce);
  bytes[kJournalBatchesOffset + 25] ^= 1;  // torn
  EXPECT_EQ(found(0, {bytes}), "");
}

TEST(JournalFormat, AnotherDatabasesJournalIsRefused) {
  const std::string theirs = encode_journal_header({{8, 9}, kNonce, 1}) + batch(1);
  const std::string_view one = theirs;
  const auto entries = journal_entries_after(0, kOurs, {&one, 1});
  EXPECT_EQ(entries.status().code(), StatusCode::kFailedPrecondition);
}

}  // namespace
}  // namespace minigrpc::store::test
