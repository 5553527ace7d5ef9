#include "wire/compression.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <zlib.h>
#include <zstd.h>

#include <string>
#include <vector>

#include "wire/message.h"

namespace minigrpc::wire {
namespace {

using testing::HasSubstr;

constexpr Compression kCompressions[] = {Compression::kDeflate, Compression::kGzip, Compression::kZstd};

std::span<const std::byte> bytes_of(std::string_view text) { return std::as_bytes(std::span(text)); }

std::string compressed(Compression compression, std::string_view text) {
  const std::optional<Buffer> buffer = compress(compression, bytes_of(text));
  EXPECT_TRUE(buffer.has_value()) << compression_name(compression);
  return buffer ? std::string(buffer->text()) : std::string();
}

Status decompress_status(Compression compression, std::string_view bytes, std::size_t size_max) {
  return decompress(compression, bytes_of(bytes), size_max).status();
}

TEST(CompressionNames, AreGrpcs) {
  EXPECT_EQ(compression_name(Compression::kGzip), "gzip");
  EXPECT_EQ(compression_from_name("deflate"), Compression::kDeflate);
  EXPECT_EQ(compression_from_name("identity"), Compression::kIdentity);
  EXPECT_EQ(compression_from_name("zstd"), Compression::kZstd);
  EXPECT_EQ(compression_from_name("GZIP"), std::nullopt);
  EXPECT_EQ(compression_from_name("snappy"), std::nullopt);
  EXPECT_EQ(compression_from_name(""), std::nullopt);
}

TEST(CompressionSetTest, ReadsAList) {
  struct Row {
    std::string_view list;
    bool deflate, gzip, zstd;
  };
  for (const Row& row : {Row{kAcceptEncoding, true, true, true}, Row{"", false, false, false},
                         Row{"gzip", false, true, false}, Row{"identity, deflate, gzip", true, true, false},
                         Row{",, zstd ,snappy,", false, false, true}, Row{"gzipx", false, false, false}}) {
    const CompressionSet set = CompressionSet::parse(row.list);
    EXPECT_TRUE(set.contains(Compression::kIdentity)) << row.list;
    EXPECT_EQ(set.contains(Compression::kDeflate), row.deflate) << row.list;
    EXPECT_EQ(set.contains(Compression::kGzip), row.gzip) << row.list;
    EXPECT_EQ(set.contains(Compression::kZstd), row.zstd) << row.list;
  }
}

TEST(CompressTest, WhatIsCompressedComesBack) {
  std::string mixed;
  for (int i = 0; i < 20'000; ++i) mixed += "item " + std::to_string(i * 7919 % 1000) + ";";
  for (const Compression compression : kCompressions) {
    for (const std::string& text : {std::string(300'000, 'a'), mixed, std::string(100, 'x')}) {
      const std::string small = compressed(compression, text);
      EXPECT_LT(small.size(), text.size());
      // Exactly as many bytes as are allowed.
      const Result<Buffer> back = decompress(compression, bytes_of(small), text.size());
      ASSERT_TRUE(back) << compression_name(compression) << ": " << back.status().to_string();
      EXPECT_EQ(back->text(), text) << compression_name(compression);
    }
  }
}

TEST(CompressTest, WhatDoesNotGetSmallerIsNotCompressed) {
  for (const Compression compression : kCompressions)
    for (std::string_view text : {"", "a", "q8vbz"})
      EXPECT_EQ(compress(compression, bytes_of(text)), std::nullopt) << text;
  EXPECT_EQ(compress(Compression::kIdentity, bytes_of(std::string(100, 'a'))), std::nullopt);
}

TEST(CompressTest, FormatsAreTheirSpecifications) {
  const std::string text(1000, 'a');
  EXPECT_EQ(compressed(Compression::kGzip, text).substr(0, 3), "\x1f\x8b\x08");
  EXPECT_EQ(compressed(Compression::kDeflate, text).substr(0, 1), "\x78");
  EXPECT_EQ(compressed(Compression::kZstd, text).substr(0, 4), "\x28\xb5\x2f\xfd");
}

TEST(DecompressTest, AnEmptyMessageMayBeCompressed) {
  uLongf size = 64;
  std::string zlib(size, '\0');
  ASSERT_EQ(compress2(reinterpret_cast<Bytef*>(zlib.data()), &size, nullptr, 0, 9), Z_OK);
  zlib.resize(size);
  const Result<Buffer> back = decompress(Compression::kDeflate, bytes_of(zlib), 0);
  ASSERT_TRUE(back);
  EXPECT_TRUE(back->empty());
}

TEST(DecompressTest, OneByteTooManyIsRefused) {
  for (const Compression compression : kCompressions) {
    for (const std::size_t size : {std::size_t{100}, std::size_t{70'000}, std::size_t{5'000'000}}) {
      const Status status =
          decompress_status(compression, compressed(compression, std::string(size, 'a')), size - 1);
      EXPECT_EQ(status.code(), StatusCode::kResourceExhausted) << compression_name(compression) << size;
      EXPECT_THAT(status.message(), HasSubstr(std::to_string(size - 1)));
    }
  }
}

TEST(DecompressTest, ABombIsNotInflated) {
  // 100 MiB of zeros; a message may be of 1 MiB. What it allocates is bounded by Inflation, see there.
  const std::string zeros(100 << 20, '\0');
  for (const Compression compression : kCompressions) {
    const std::string bomb = compressed(compression, zeros);
    EXPECT_LT(bomb.size(), 200'000u);
    EXPECT_EQ(decompress_status(compression, bomb, 1 << 20).code(), StatusCode::kResourceExhausted);
  }
}

// The streaming form, without its content's size in front.
std::string zstd_stream(std::string_view text, int window_log) {
  ZSTD_CCtx* context = ZSTD_createCCtx();
  ZSTD_CCtx_setParameter(context, ZSTD_c_windowLog, window_log);
  std::string out(ZSTD_compressBound(text.size()) + 64, '\0');
  ZSTD_inBuffer input{text.data(), text.size(), 0};
  ZSTD_outBuffer output{out.data(), out.size(), 0};
  ZSTD_compressStream2(context, &output, &input, ZSTD_e_continue);
  ZSTD_compressStream2(context, &output, &input, ZSTD_e_end);
  ZSTD_freeCCtx(context);
  out.resize(output.pos);
  return out;
}

TEST(DecompressTest, ZstdWithoutAnAnnouncedSize) {
  const std::string text(3'000'000, 'a');
  const std::string stream = zstd_stream(text, 20);
  ASSERT_EQ(ZSTD_getFrameContentSize(stream.data(), stream.size()), ZSTD_CONTENTSIZE_UNKNOWN);
  const Result<Buffer> back = decompress(Compression::kZstd, bytes_of(stream), text.size());
  ASSERT_TRUE(back) << back.status().to_string();
  EXPECT_EQ(back->text(), text);
  EXPECT_EQ(decompress_status(Compression::kZstd, stream, text.size() - 1).code(),
            StatusCode::kResourceExhausted);
}

// A frame of version 0.6 of the format, which libzstd reads where it was built so, and says of it what depends on the room.
TEST(DecompressTest, ZstdFromBeforeItsRfcIsRefused) {
  const std::string old = "\x26\xb5\x2f\xfd\x58\xff\xff\x02\xff";
  EXPECT_EQ(decompress_status(Compression::kZstd, old, 1 << 20).code(), StatusCode::kInternal);
  EXPECT_EQ(decompress_status(Compression::kZstd, "\x28\xb5\x2f", 1 << 20).code(), StatusCode::kInternal);
}

TEST(DecompressTest, ZstdWithAHugeWindowIsRefused) {
  EXPECT_EQ(decompress_status(Compression::kZstd, zstd_stream(std::string(100, 'a'), 27), 1000).code(),
            StatusCode::kInternal);
}

TEST(DecompressTest, EveryBeginningIsMalformed) {
  for (const Compression compression : kCompressions) {
    const std::string whole = compressed(compression, std::string(5000, 'a') + "b" + std::string(5000, 'c'));
    for (std::size_t size = 0; size < whole.size(); ++size)
      EXPECT_EQ(decompress_status(compression, whole.substr(0, size), 1 << 20).code(), StatusCode::kInternal)
          << compression_name(compression) << " " << size;
    EXPECT_EQ(decompress_status(compression, whole + "x", 1 << 20).code(), StatusCode::kInternal);
  }
}

TEST(DecompressTest, OtherBytesAreMalformed) {
  for (const Compression compression : kCompressions)
    EXPECT_EQ(decompress_status(compression, "this is not compressed at all", 1 << 20).code(),
              StatusCode::kInternal);
  EXPECT_EQ(decompress_status(Compression::kIdentity, "x", 10).code(), StatusCode::kInternal);
  // One format is not taken for another one.
  const std::string gzip = compressed(Compression::kGzip, std::string(1000, 'a'));
  EXPECT_EQ(decompress_status(Compression::kDeflate, gzip, 1 << 20).code(), StatusCode::kInternal);
}

TEST(DecompressTest, AFailureLeavesNothingBehind) {
  for (const Compression compression : kCompressions) {
    const std::string text(10'000, 'z');
    const std::string whole = compressed(compression, text);
    EXPECT_FALSE(
        decompress(compression, bytes_of(std::string_view(whole).substr(0, whole.size() / 2)), 1 << 20));
    EXPECT_EQ(decompress(compression, bytes_of(whole), 1 << 20)->text(), text);
  }
}

TEST(EncodeMessage, SetsTheFlagWhereItCompressed) {
  Buffer large = Buffer::copy_of(std::string(1000, 'a'));
  encode_message(large, Compression::kGzip);
  EXPECT_EQ(large.data()[0], std::byte{1});
  EXPECT_LT(large.size(), 100u);
  Buffer plain = Buffer::copy_of(std::string(1000, 'a'));
  encode_message(plain, Compression::kIdentity);
  EXPECT_EQ(plain.data()[0], std::byte{0});
  EXPECT_EQ(plain.size(), 1005u);
  Buffer tiny = Buffer::copy_of("ab");
  encode_message(tiny, Compression::kGzip);
  EXPECT_EQ(tiny.data()[0], std::byte{0});
}

}  // namespace
}  // namespace minigrpc::wire
