#include "wire/zstd_codec.h"

#include <zstd.h>

#include <cstdint>
#include <cstring>
#include <memory>
#include <new>

#include "base/limits.h"
#include "wire/inflation.h"

namespace minigrpc::wire {

namespace {

struct FreeCompressor {
  void operator()(ZSTD_CCtx* context) const { ZSTD_freeCCtx(context); }
};
struct FreeDecompressor {
  void operator()(ZSTD_DCtx* context) const { ZSTD_freeDCtx(context); }
};

// As in zlib_codec.cc: kept once a thread has had a use for it.
thread_local std::unique_ptr<ZSTD_CCtx, FreeCompressor> t_compressor;
thread_local std::unique_ptr<ZSTD_DCtx, FreeDecompressor> t_decompressor;

ZSTD_CCtx* compressor() {
  if (!t_compressor) t_compressor.reset(ZSTD_createCCtx());
  if (!t_compressor) throw std::bad_alloc();
  return t_compressor.get();
}

ZSTD_DCtx* decompressor() {
  if (!t_decompressor) {
    t_decompressor.reset(ZSTD_createDCtx());
    if (!t_decompressor) throw std::bad_alloc();
    ZSTD_DCtx_setParameter(t_decompressor.get(), ZSTD_d_windowLogMax, limits::kZstdWindowLogMax);
  }
  ZSTD_DCtx_reset(t_decompressor.get(), ZSTD_reset_session_only);
  return t_decompressor.get();
}

// By RFC 8878, section 3.1.1. libzstd may also read what came before that, with decoders that nobody looks after: not
// for peers.
bool is_frame(std::span<const std::byte> bytes) {
  constexpr std::uint8_t kMagic[] = {0x28, 0xB5, 0x2F, 0xFD};
  return bytes.size() >= sizeof kMagic && std::memcmp(bytes.data(), kMagic, sizeof kMagic) == 0;
}

Status malformed() {
  return Status(StatusCode::kInternal, "received a compressed message that is malformed");
}

}  // namespace

std::optional<Buffer> zstd_compress(std::span<const std::byte> message) {
  if (message.size() <= 1) return std::nullopt;
  Buffer output = Buffer::allocate(message.size() - 1);
  const std::size_t size = ZSTD_compressCCtx(compressor(), output.data(), output.size(), message.data(),
                                             message.size(), ZSTD_CLEVEL_DEFAULT);
  if (ZSTD_isError(size) != 0) return std::nullopt;  // no room for it: not smaller
  output.remove_suffix(output.size() - size);
  return output;
}

Result<Buffer> zstd_decompress(std::span<const std::byte> bytes, std::size_t size_max) {
  if (!is_frame(bytes)) return malformed();
  const unsigned long long announced = ZSTD_getFrameContentSize(bytes.data(), bytes.size());
  if (announced == ZSTD_CONTENTSIZE_ERROR) return malformed();
  const bool known = announced != ZSTD_CONTENTSIZE_UNKNOWN;
  // With room for the whole message libzstd needs no window of its own.
  Inflation output(known ? std::min<std::size_t>(announced, limits::kAnnouncedSizeBelievedMax)
                         : bytes.size() * limits::kExpectedInflation,
                   size_max);
  if (known && announced > size_max) return output.too_large();
  ZSTD_DCtx* context = decompressor();
  ZSTD_inBuffer input{bytes.data(), bytes.size(), 0};
  for (;;) {
    const std::span<std::byte> room = output.room();
    ZSTD_outBuffer out{room.data(), room.size(), 0};
    const std::size_t left = ZSTD_decompressStream(context, &out, &input);
    if (ZSTD_isError(left) != 0) return malformed();
    if (!output.filled(out.pos)) return output.too_large();
    if (left == 0) break;
    if (input.pos == input.size && out.pos < out.size) return malformed();  // cut off
  }
  if (input.pos != input.size) return malformed();
  return output.take();
}

}  // namespace minigrpc::wire
