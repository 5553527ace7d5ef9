// Message-Encoding: the names of gRPC's compressions, and messages through them (grpc: doc/compression.md).
//
// Thread rule: any thread; what a thread's codecs need is kept from message to message, and is that thread's
// own.
#pragma once

#include <minigrpc/buffer.h>
#include <minigrpc/compression.h>
#include <minigrpc/result.h>

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace minigrpc::wire {

// "gzip" for kGzip: the value of grpc-encoding.
std::string_view compression_name(Compression compression);
// Nothing for a name that this side does not know. Names are case-sensitive, as gRPC's are.
std::optional<Compression> compression_from_name(std::string_view name);

// What this side accepts: the value of grpc-accept-encoding.
inline constexpr std::string_view kAcceptEncoding = "identity,deflate,gzip,zstd";

// What a peer accepts. Identity is always in.
class CompressionSet {
 public:
  // The value of grpc-accept-encoding; names that this side does not know are skipped.
  static CompressionSet parse(std::string_view accept_encoding);
  bool contains(Compression compression) const {
    return (bits_ >> static_cast<unsigned>(compression) & 1u) != 0;
  }
  void insert(Compression compression) {
    bits_ = static_cast<std::uint8_t>(bits_ | 1u << static_cast<unsigned>(compression));
  }

 private:
  std::uint8_t bits_ = 1;
};

// `message` compressed; nothing for kIdentity, or where the result would not be smaller.
std::optional<Buffer> compress(Compression compression, std::span<const std::byte> message);

// The message that was compressed. INTERNAL for bytes that are not one whole stream of that format.
// RESOURCE_EXHAUSTED for a message of more than `size_max` bytes, as soon as that is certain: never more than
// one byte beyond is inflated (zip bombs).
Result<Buffer> decompress(Compression compression, std::span<const std::byte> bytes, std::size_t size_max);

// Turns a message into a Length-Prefixed-Message, compressed where that makes it smaller.
void encode_message(Buffer& message, Compression compression);

}  // namespace minigrpc::wire
