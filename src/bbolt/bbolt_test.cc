// What the writer writes, the reader reads; what is damaged, it refuses. That bbolt itself reads it, too, is shown by
// etcdctl in tests/integration.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <string>

#include "bbolt/reader.h"
#include "bbolt/writer.h"

namespace minigrpc::bbolt {
namespace {

using ::testing::HasSubstr;

using Records = std::map<std::string, std::string>;
using Contents = std::map<std::string, Records>;

std::string write(const Contents& contents) {
  std::string pages;
  Writer writer([&](std::string_view bytes) -> Status {
    pages += bytes;
    return {};
  });
  for (const auto& [bucket, records] : contents) {
    EXPECT_TRUE(writer.begin_bucket(bucket).ok());
    for (const auto& [key, value] : records) EXPECT_TRUE(writer.put(key, value).ok());
  }
  Result<std::string> front = writer.finish();
  EXPECT_TRUE(front.has_value());
  return *front + pages;
}

Result<Contents> read(std::string_view file) {
  Result<Reader> reader = Reader::open(file);
  if (!reader) return reader.error();
  Contents contents;
  const Status status = reader->walk(reader->root(), [&](const Entry& bucket) -> Status {
    if (!bucket.bucket) return {StatusCode::kDataLoss, "a record beside the buckets"};
    Records& records = contents[std::string(bucket.key)];
    return reader->walk(*bucket.bucket, [&](const Entry& entry) -> Status {
      records.emplace(entry.key, entry.value);
      return {};
    });
  });
  if (!status.ok()) return status;
  return contents;
}

Records numbered(int count, std::size_t value_size) {
  Records records;
  for (int i = 0; i < count; ++i) {
    std::string key = std::to_string(i);
    key.insert(0, 8 - key.size(), '0');
    records.emplace(key, std::string(value_size, static_cast<char>('a' + i % 26)));
  }
  return records;
}

TEST(Bbolt, WhatIsWrittenIsRead) {
  const Contents tables[] = {
      {},
      {{"empty", {}}},
      {{"inline", {{"k", "v"}}}, {"other", {{"k", ""}}}},
      {{"one page", numbered(40, 60)}},
      {{"branches", numbered(20'000, 100)}, {"small", {{"k", "v"}}}},
      {{"overflow", {{"big", std::string(3'000'000, 'x')}, {"c", "small"}, {"huge", std::string(9000, 'y')}}}},
      {{"exact", {{"k", std::string(kPageSize - 2 * 16 - 1, 'z')}, {"l", std::string(kPageSize - 2 * 16, 'z')}}}},
  };
  for (const Contents& contents : tables) {
    const std::string file = write(contents);
    EXPECT_EQ(file.size() % kPageSize, 0u);
    Result<Contents> found = read(file);
    ASSERT_TRUE(found.has_value()) << found.error().to_string();
    EXPECT_EQ(*found, contents);
  }
}

TEST(Bbolt, FindsABucketByName) {
  const std::string file = write({{"a", {{"k", "1"}}}, {"b", numbered(100, 100)}});
  Result<Reader> reader = Reader::open(file);
  ASSERT_TRUE(reader.has_value());
  Result<std::optional<Bucket>> b = reader->find_bucket("b");
  ASSERT_TRUE(b.has_value() && b->has_value());
  EXPECT_NE((*b)->root, 0u);
  EXPECT_EQ((*reader->find_bucket("c")), std::nullopt);
}

TEST(Bbolt, OneMetaPageIsEnough) {
  const Contents contents{{"b", {{"k", "v"}}}};
  for (const std::size_t page : {0, 1}) {
    std::string file = write(contents);
    file[page * kPageSize + kPageHeaderSize + 20] ^= 1;
    Result<Contents> found = read(file);
    ASSERT_TRUE(found.has_value()) << found.error().to_string();
    EXPECT_EQ(*found, contents);
  }
}

TEST(Bbolt, RefusesWhatIsNoDatabase) {
  for (const std::string& file : {std::string(), std::string("no"), std::string(100'000, '\0')})
    EXPECT_EQ(read(file).status().code(), StatusCode::kDataLoss);
  std::string cut = write({{"b", numbered(1000, 100)}});
  cut.resize(cut.size() - 1);
  EXPECT_THAT(read(cut).status().message(), HasSubstr("ends after"));
}

TEST(Bbolt, NoByteThatIsWrongDoesHarm) {
  // Bytes of a small file in turn: what is read is right, wrong in a key or value, or refused; never a crash.
  const std::string file = write({{"b", numbered(80, 60)}, {"i", {{"k", "v"}}}});
  int refused = 0;
  for (std::size_t at = 2 * kPageSize; at < file.size(); at += 5) {
    std::string damaged = file;
    damaged[at] = static_cast<char>(~damaged[at]);
    const Result<Contents> found = read(damaged);
    if (!found) ++refused;
  }
  EXPECT_GT(refused, 20);
}

TEST(Bbolt, APageThatLeadsToItselfIsRefused) {
  std::string file = write({{"b", numbered(1000, 100)}});
  const Result<Reader> reader = Reader::open(file);
  const std::uint64_t root = (*reader->find_bucket("b"))->root;
  std::string itself;
  append_little_endian(root, 8, itself);
  file.replace(root * kPageSize + kPageHeaderSize + 8, 8, itself);
  EXPECT_THAT(read(file).status().message(), HasSubstr("circle"));
}

TEST(Bbolt, AFullDiskEndsTheWriting) {
  int pages = 0;
  Writer writer([&](std::string_view) -> Status {
    return ++pages < 3 ? Status() : Status(StatusCode::kResourceExhausted, "full");
  });
  ASSERT_TRUE(writer.begin_bucket("b").ok());
  Status status;
  for (const auto& [key, value] : numbered(1000, 100))
    if (status = writer.put(key, value); !status.ok()) break;
  EXPECT_EQ(status.message(), "full");
  EXPECT_EQ(writer.finish().status().message(), "full");
}

}  // namespace
}  // namespace minigrpc::bbolt
