// HTTP/2 frames as bytes, for peers that a test plays itself (RFC 9113, section 4; RFC 7541 without compression).
//
// Thread rule: free functions without state.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace minigrpc::testing {

enum class FrameType : std::uint8_t {
  kData = 0,
  kHeaders = 1,
  kPriority = 2,
  kRstStream = 3,
  kSettings = 4,
  kPushPromise = 5,
  kPing = 6,
  kGoaway = 7,
  kWindowUpdate = 8,
  kContinuation = 9,
};
inline constexpr std::uint8_t kAck = 0x1;
inline constexpr std::uint8_t kEndStream = 0x1;
inline constexpr std::uint8_t kEndHeaders = 0x4;

inline constexpr std::string_view kPreface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

inline std::string number(std::uint32_t value) {
  return {static_cast<char>(value >> 24), static_cast<char>(value >> 16), static_cast<char>(value >> 8),
          static_cast<char>(value)};
}

inline std::string frame(FrameType type, std::uint8_t flags, std::uint32_t stream, std::string_view payload = {}) {
  std::string bytes = number(static_cast<std::uint32_t>(payload.size())).substr(1);
  bytes += static_cast<char>(type);
  bytes += static_cast<char>(flags);
  return bytes.append(number(stream)).append(payload);
}

inline std::string settings(std::initializer_list<std::pair<std::uint16_t, std::uint32_t>> entries = {}) {
  std::string payload;
  for (const auto& [name, value] : entries) payload.append(number(name).substr(2)).append(number(value));
  return frame(FrameType::kSettings, 0, 0, payload);
}

// A field that no table keeps; names and values of up to 126 bytes.
inline std::string field(std::string_view name, std::string_view value) {
  std::string bytes(1, '\0');
  bytes += static_cast<char>(name.size());
  bytes.append(name);
  bytes += static_cast<char>(value.size());
  return bytes.append(value);
}

inline std::string request_fields(std::string_view path) {
  return field(":method", "POST") + field(":scheme", "http") + field(":path", path) + field(":authority", "test") +
         field("te", "trailers") + field("content-type", "application/grpc");
}

// A whole unary request of a message.
inline std::string request(std::uint32_t stream, std::string_view path, std::string_view message) {
  const std::string prefix = std::string(1, '\0') + number(static_cast<std::uint32_t>(message.size()));
  return frame(FrameType::kHeaders, kEndHeaders, stream, request_fields(path)) +
         frame(FrameType::kData, kEndStream, stream, prefix + std::string(message));
}

struct Frame {
  FrameType type;
  std::uint8_t flags;
  std::uint32_t stream;
  std::string payload;
  // Of RST_STREAM and GOAWAY.
  std::uint32_t error_code() const {
    const std::size_t at = type == FrameType::kGoaway ? 4 : 0;
    std::uint32_t code = 0;
    for (std::size_t i = at; i < at + 4 && i < payload.size(); ++i)
      code = code << 8 | static_cast<std::uint8_t>(payload[i]);
    return code;
  }
};

// The whole frames at the front of `bytes`.
inline std::vector<Frame> parse_frames(std::string_view bytes) {
  std::vector<Frame> frames;
  const auto at = [&](std::size_t i) { return static_cast<std::uint32_t>(static_cast<std::uint8_t>(bytes[i])); };
  while (bytes.size() >= 9) {
    const std::size_t size = at(0) << 16 | at(1) << 8 | at(2);
    if (bytes.size() < 9 + size) break;
    frames.push_back({static_cast<FrameType>(at(3)), static_cast<std::uint8_t>(at(4)),
                      (at(5) << 24 | at(6) << 16 | at(7) << 8 | at(8)) & 0x7fffffffu, std::string(bytes.substr(9, size))});
    bytes.remove_prefix(9 + size);
  }
  return frames;
}

}  // namespace minigrpc::testing
