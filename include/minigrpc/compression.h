// Compression: what a call's messages are compressed with on the wire (grpc: doc/compression.md).
//
//   Channel channel(runtime, target, {.compression = Compression::kGzip});       // every call's requests
//   client.Put(request, {.compression = Compression::kZstd});                    // this call's
//   co_await stream.write(message, {.compress = false});                         // but this message not
//
// Each direction is compressed, or not, by its sender alone; what arrives compressed is inflated without
// being asked. A message that compression does not make smaller goes out as it is. Thread rule: constants.
#pragma once

#include <cstdint>

namespace minigrpc {

// kZstd is no encoding of gRPC's own: both sides must know it, as minigrpc does.
enum class Compression : std::uint8_t { kIdentity, kDeflate, kGzip, kZstd };

// Of one message of a stream.
struct WriteOptions {
  // False: uncompressed, in a call that compresses. Compression would tell an observer how a secret's length
  // changes with what an attacker puts beside it (CRIME).
  bool compress = true;
};

}  // namespace minigrpc
