// Length-Prefixed-Message: how gRPC cuts the bytes of a stream into messages (grpc: doc/PROTOCOL-HTTP2.md,
// Requests).
//
// Thread rule: one thread at a time per reader.
//
//   Length-Prefixed-Message → Compressed-Flag Message-Length Message
//   Compressed-Flag         → 0 | 1, one byte
//   Message-Length          → four bytes, most significant first
//
// Reading one DATA frame; a message that lies whole in it, as nearly all unary ones do, is parsed where it
// is:
//
//   std::span<const std::byte> input = frame;
//   while (std::optional<MessageView> view = reader.take_whole(input)) parse(view->bytes);
//   Result<std::optional<Message>> message = reader.next(input);   // for the rest, until it gives nothing
#pragma once

#include <minigrpc/buffer.h>
#include <minigrpc/result.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

namespace minigrpc::wire {

inline constexpr std::size_t kMessagePrefixSize = 5;
static_assert(Buffer::kHeadroom >= kMessagePrefixSize);

struct MessagePrefix {
  bool compressed = false;
  std::uint32_t size = 0;
  friend bool operator==(const MessagePrefix&, const MessagePrefix&) = default;
};

// Writes the prefix to the kMessagePrefixSize bytes at `out`.
void encode_message_prefix(MessagePrefix prefix, std::byte* out);

// The prefix in the kMessagePrefixSize bytes at `in`; nothing if its flag is neither 0 nor 1.
std::optional<MessagePrefix> decode_message_prefix(const std::byte* in);

// Turns a message into a Length-Prefixed-Message in place, in the headroom that Buffer::allocate() leaves.
// `message` must hold at most 4 GiB - 1 byte (asserted) and have its headroom still.
void prepend_message_prefix(Buffer& message);
void prepend_compressed_message_prefix(Buffer& message);

struct Message {
  Buffer bytes;
  bool compressed = false;
};

// A message that stays where it was received. Borrows the input that it was taken from.
struct MessageView {
  std::span<const std::byte> bytes;
  bool compressed = false;
};

class MessageReader {
 public:
  struct Options {
    // Of one message as it is on the wire, without its prefix. Bounds what a peer can make this side hold.
    std::size_t message_size_max = 4 << 20;
  };

  MessageReader() = default;
  explicit MessageReader(Options options) : options_(options) {}

  // A message that begins and ends in `input`, and is cut off its front. Nothing, with `input` unchanged, if
  // the message at hand is split over several inputs, is too large or malformed, or `input` is empty: next()
  // knows.
  std::optional<MessageView> take_whole(std::span<const std::byte>& input) const;

  // The next message; what was used is cut off the front of `input`, all of it if there is no complete
  // message yet. RESOURCE_EXHAUSTED for a message over message_size_max, INTERNAL for a flag that gRPC does
  // not define; both as soon as the prefix is there, before anything is allocated. An error is final: every
  // later call repeats it.
  Result<std::optional<Message>> next(std::span<const std::byte>& input);

  // To be asked at the end of the stream: INTERNAL if it cuts a message off, else OK.
  Status finish() const { return prefix_received_ == 0 ? Status() : truncated(); }

 private:
  // A prefix is believed up to this size, or that of the stream's last message; for more, memory grows with
  // what has arrived, lest five bytes on each of many streams make this side allocate megabytes.
  static constexpr std::size_t kTrustedSize = (64 << 10) - Buffer::kHeadroom;
  static constexpr std::size_t kGrowthFactor = 4;

  Status truncated() const;
  // Makes bytes_ hold `arriving` more bytes of a message of `size`.
  void make_room(std::size_t size, std::size_t arriving);

  Options options_;
  std::array<std::byte, kMessagePrefixSize> prefix_{};
  std::uint8_t prefix_received_ =
      0;          // bytes of prefix_; kMessagePrefixSize once the message itself is awaited
  Buffer bytes_;  // holds `received_` bytes of the message, and room for more
  std::size_t received_ = 0;
  std::size_t last_size_ = 0;  // of the message before
};

}  // namespace minigrpc::wire
