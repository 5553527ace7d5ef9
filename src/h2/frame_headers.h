// FrameHeaders: finds the headers of the frames in a received stream of bytes (RFC 9113, 4.1), however it is cut.
//
//   Length (24) Type (8) Flags (8) Reserved (1) Stream Identifier (31) Payload (Length)
//
// Thread rule: the connection's.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>

namespace minigrpc::h2 {

class FrameHeaders {
 public:
  // `preface_size`: bytes in front of the first frame.
  explicit FrameHeaders(std::size_t preface_size) : skip_(preface_size) {}

  struct Header {
    std::uint32_t length;
    std::uint8_t type;
    std::uint8_t flags;
    std::int32_t stream_id;
  };

  // Calls visit(header) for each that is complete.
  template <class Visit>
  void feed(std::span<const std::byte> bytes, Visit visit) {
    while (!bytes.empty()) {
      if (skip_ > 0) {
        const std::size_t skipped = std::min(skip_, bytes.size());
        skip_ -= skipped;
        bytes = bytes.subspan(skipped);
        continue;
      }
      const std::size_t taken = std::min(kHeaderSize - size_, bytes.size());
      std::copy_n(bytes.begin(), taken, header_ + size_);
      size_ += taken;
      bytes = bytes.subspan(taken);
      if (size_ < kHeaderSize) return;
      size_ = 0;
      skip_ = number(0, 3);
      visit(Header{.length = number(0, 3),
                   .type = static_cast<std::uint8_t>(header_[3]),
                   .flags = static_cast<std::uint8_t>(header_[4]),
                   .stream_id = static_cast<std::int32_t>(number(5, 4) & 0x7fffffff)});
    }
  }

 private:
  static constexpr std::size_t kHeaderSize = 9;

  std::uint32_t number(std::size_t at, std::size_t size) const {
    std::uint32_t value = 0;
    for (std::size_t i = at; i < at + size; ++i) value = value << 8 | std::to_integer<std::uint32_t>(header_[i]);
    return value;
  }

  std::byte header_[kHeaderSize];
  std::size_t size_ = 0;  // of header_
  std::size_t skip_;
};

}  // namespace minigrpc::h2
