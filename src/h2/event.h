// Event: what has happened on an HTTP/2 connection.
//
// Thread rule: like a struct.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace minigrpc::h2 {

class Stream;

enum class EventKind : std::uint8_t {
  kHeaders,   // stream, headers(event), end_stream: a request, a response, or trailers
  kData,      // stream, data, end_stream
  kWritable,  // stream: its queue has shrunk below the size asked for
  kClosed,    // stream, error_code: both directions are over; nothing follows
  kGoaway,    // last_stream_id, error_code
  kSettings,  // the peer's SETTINGS have arrived
  kPing,      // the peer's; it has been answered
  kPingAck,   // ping_data
};

struct Event {
  EventKind kind;
  bool end_stream = false;
  Stream* stream = nullptr;
  std::uint32_t error_code = 0;
  std::int32_t last_stream_id = 0;
  std::uint32_t headers_begin = 0;
  std::uint32_t headers_count = 0;
  std::uint64_t ping_data = 0;
  std::span<const std::byte> data{};  // borrowed from the bytes given to receive()
};

}  // namespace minigrpc::h2
