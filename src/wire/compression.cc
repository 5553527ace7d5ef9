#include "wire/compression.h"

#include <array>

#include "wire/message.h"
#include "wire/zlib_codec.h"
#include "wire/zstd_codec.h"

namespace minigrpc::wire {

namespace {
// By number. kAcceptEncoding lists the same.
constexpr std::array<std::string_view, 4> kNames = {"identity", "deflate", "gzip", "zstd"};
}  // namespace

std::string_view compression_name(Compression compression) {
  return kNames[static_cast<std::size_t>(compression)];
}

std::optional<Compression> compression_from_name(std::string_view name) {
  for (std::size_t i = 0; i < kNames.size(); ++i)
    if (kNames[i] == name) return static_cast<Compression>(i);
  return std::nullopt;
}

CompressionSet CompressionSet::parse(std::string_view accept_encoding) {
  CompressionSet set;
  while (!accept_encoding.empty()) {
    std::string_view name = accept_encoding.substr(0, accept_encoding.find(','));
    accept_encoding.remove_prefix(std::min(name.size() + 1, accept_encoding.size()));
    while (name.starts_with(' ')) name.remove_prefix(1);
    while (name.ends_with(' ')) name.remove_suffix(1);
    if (const auto known = compression_from_name(name)) set.insert(*known);
  }
  return set;
}

std::optional<Buffer> compress(Compression compression, std::span<const std::byte> message) {
  switch (compression) {
    case Compression::kIdentity:
      return std::nullopt;
    case Compression::kDeflate:
      return zlib_compress(ZlibFormat::kZlib, message);
    case Compression::kGzip:
      return zlib_compress(ZlibFormat::kGzip, message);
    case Compression::kZstd:
      return zstd_compress(message);
  }
  detail::contract_violation("an undefined Compression");
}

Result<Buffer> decompress(Compression compression, std::span<const std::byte> bytes, std::size_t size_max) {
  switch (compression) {
    case Compression::kIdentity:
      return Status(StatusCode::kInternal, "received a compressed message in a call without grpc-encoding");
    case Compression::kDeflate:
      return zlib_decompress(ZlibFormat::kZlib, bytes, size_max);
    case Compression::kGzip:
      return zlib_decompress(ZlibFormat::kGzip, bytes, size_max);
    case Compression::kZstd:
      return zstd_decompress(bytes, size_max);
  }
  detail::contract_violation("an undefined Compression");
}

void encode_message(Buffer& message, Compression compression) {
  if (compression != Compression::kIdentity) {
    if (std::optional<Buffer> smaller = compress(compression, message.bytes())) {
      message = *std::move(smaller);
      return prepend_compressed_message_prefix(message);
    }
  }
  prepend_message_prefix(message);
}

}  // namespace minigrpc::wire
