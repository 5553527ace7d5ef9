// The codecs of "deflate" (the zlib format, RFC 1950: so gRPC means it) and "gzip" (RFC 1952), over zlib.
//
// Thread rule: any thread; each has its own state.
#pragma once

#include <minigrpc/buffer.h>
#include <minigrpc/result.h>

#include <optional>
#include <span>

namespace minigrpc::wire {

enum class ZlibFormat : std::uint8_t { kZlib, kGzip };

// As compress() and decompress() in wire/compression.h.
std::optional<Buffer> zlib_compress(ZlibFormat format, std::span<const std::byte> message);
Result<Buffer> zlib_decompress(ZlibFormat format, std::span<const std::byte> bytes, std::size_t size_max);

}  // namespace minigrpc::wire
