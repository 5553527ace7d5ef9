// The codec of "zstd" (RFC 8878), over libzstd.
//
// Thread rule: any thread; each has its own state.
#pragma once

#include <minigrpc/buffer.h>
#include <minigrpc/result.h>

#include <optional>
#include <span>

namespace minigrpc::wire {

// As compress() and decompress() in wire/compression.h. A frame that wants a larger window than
// limits::kZstdWindowLogMax says is malformed to us.
std::optional<Buffer> zstd_compress(std::span<const std::byte> message);
Result<Buffer> zstd_decompress(std::span<const std::byte> bytes, std::size_t size_max);

}  // namespace minigrpc::wire
