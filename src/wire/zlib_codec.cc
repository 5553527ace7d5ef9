#include "wire/zlib_codec.h"

#include <zlib.h>

#include <algorithm>
#include <limits>
#include <memory>
#include <new>

#include "base/limits.h"
#include "wire/inflation.h"

namespace minigrpc::wire {

namespace {

constexpr int kWindowBits = 15;  // RFC 1950's largest window, which is also what every peer can read
constexpr int kGzipBits = 16;    // zlib's way to say gzip
constexpr int kMemoryLevel = 8;  // zlib's default: 256 KiB of state

int window_bits(ZlibFormat format) {
  return format == ZlibFormat::kGzip ? kWindowBits + kGzipBits : kWindowBits;
}

struct EndDeflate {
  void operator()(z_stream* stream) const {
    deflateEnd(stream);
    delete stream;
  }
};
struct EndInflate {
  void operator()(z_stream* stream) const {
    inflateEnd(stream);
    delete stream;
  }
};
using Deflater = std::unique_ptr<z_stream, EndDeflate>;
using Inflater = std::unique_ptr<z_stream, EndInflate>;

// Setting one up costs as much as compressing some kilobytes; so a thread keeps its own, once it has
// compressed.
thread_local Deflater t_deflaters[2];
thread_local Inflater t_inflater;

z_stream& deflater(ZlibFormat format) {
  Deflater& kept = t_deflaters[format == ZlibFormat::kGzip ? 1 : 0];
  if (kept) {
    deflateReset(kept.get());
    return *kept;
  }
  auto stream = std::make_unique<z_stream>();
  if (deflateInit2(stream.get(), Z_DEFAULT_COMPRESSION, Z_DEFLATED, window_bits(format), kMemoryLevel,
                   Z_DEFAULT_STRATEGY) != Z_OK)
    throw std::bad_alloc();
  kept.reset(stream.release());
  return *kept;
}

z_stream& inflater(ZlibFormat format) {
  if (t_inflater) {
    inflateReset2(t_inflater.get(), window_bits(format));
    return *t_inflater;
  }
  auto stream = std::make_unique<z_stream>();
  if (inflateInit2(stream.get(), window_bits(format)) != Z_OK) throw std::bad_alloc();
  t_inflater.reset(stream.release());
  return *t_inflater;
}

Bytef* as_zlib(const std::byte* bytes) { return const_cast<Bytef*>(reinterpret_cast<const Bytef*>(bytes)); }

// A message is under 4 GiB, and so is what a call into zlib can count.
uInt as_count(std::size_t size) {
  return static_cast<uInt>(std::min<std::size_t>(size, std::numeric_limits<uInt>::max()));
}

Status malformed() {
  return Status(StatusCode::kInternal, "received a compressed message that is malformed");
}

}  // namespace

std::optional<Buffer> zlib_compress(ZlibFormat format, std::span<const std::byte> message) {
  if (message.size() <= 1) return std::nullopt;
  z_stream& stream = deflater(format);
  // Room for a result that is smaller, and for no other.
  Buffer output = Buffer::allocate(message.size() - 1);
  stream.next_in = as_zlib(message.data());
  stream.avail_in = as_count(message.size());
  stream.next_out = as_zlib(output.data());
  stream.avail_out = as_count(output.size());
  if (deflate(&stream, Z_FINISH) != Z_STREAM_END) return std::nullopt;
  output.remove_suffix(stream.avail_out);
  return output;
}

Result<Buffer> zlib_decompress(ZlibFormat format, std::span<const std::byte> bytes, std::size_t size_max) {
  z_stream& stream = inflater(format);
  stream.next_in = as_zlib(bytes.data());
  stream.avail_in = as_count(bytes.size());
  Inflation output(bytes.size() * limits::kExpectedInflation, size_max);
  for (;;) {
    const std::span<std::byte> room = output.room();
    const uInt room_size = as_count(room.size());
    stream.next_out = as_zlib(room.data());
    stream.avail_out = room_size;
    const int outcome = inflate(&stream, Z_NO_FLUSH);
    if (!output.filled(room_size - stream.avail_out)) return output.too_large();
    if (outcome == Z_STREAM_END) break;
    if (outcome == Z_MEM_ERROR) throw std::bad_alloc();
    // Z_BUF_ERROR, or input that is used up with room left: the stream is cut off.
    if (outcome != Z_OK || stream.avail_out != 0) return malformed();
  }
  if (stream.avail_in != 0) return malformed();
  return output.take();
}

}  // namespace minigrpc::wire
