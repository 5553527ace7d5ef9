// Inbox: the received messages of one call, and how much of its flow-control window they hold.
//
// The window stays closed for complete messages that wait for their reader: that is what stops a fast sender. The bytes
// of a message still incomplete are given back, and bounded by the message size instead. Thread rule: the call's loop.
#pragma once

#include <minigrpc/buffer.h>
#include <minigrpc/status.h>

#include <algorithm>
#include <span>
#include <utility>
#include <vector>

#include "wire/compression.h"
#include "wire/message.h"

namespace minigrpc::rpc {

class Inbox {
 public:
  explicit Inbox(std::size_t message_size_max)
      : message_size_max_(message_size_max), reader_({.message_size_max = message_size_max}) {}

  // Before anything has arrived.
  void lower_message_size_max(std::size_t size_max) {
    message_size_max_ = std::min(message_size_max_, size_max);
    reader_ = wire::MessageReader({.message_size_max = message_size_max_});
  }
  // What the peer's grpc-encoding says.
  void set_encoding(Compression encoding) { encoding_ = encoding; }

  // A message that is alone in `bytes` and ends there, where nothing came before it. Empty span with null data: it is
  // not so simple.
  std::span<const std::byte> take_only(std::span<const std::byte> bytes);
  // Takes what has arrived. Each complete message is offered to `sink(wire::MessageView)`, which returns
  // whether it took it; otherwise, and while others wait, it is kept. A failure ends the call.
  template <class Sink>
  Status feed(std::span<const std::byte> bytes, Sink sink);
  // At the end of the stream: INTERNAL where a message was cut off.
  Status finish() const { return reader_.finish(); }

  std::size_t count() const { return messages_.size() - begin_; }
  // The oldest message; there must be one. It is kept as it came: inflated ones would make the window's bound
  // no bound.
  wire::Message pop();
  // A compressed message, inflated. RESOURCE_EXHAUSTED where that exceeds the largest message; INTERNAL for
  // garbage.
  Result<Buffer> inflate(std::span<const std::byte> message) const {
    return wire::decompress(encoding_, message, message_size_max_);
  }
  // Drops the messages that wait.
  void discard() {
    while (count() > 0) pop();
  }
  // From now on what is fed is dropped.
  void close() { closed_ = true; }
  bool closed() const { return closed_; }

  // Received bytes whose window is to be given back now; each is reported once.
  std::size_t release_window();
  // Complete messages that feed() has found; each is reported once.
  std::uint32_t take_arrived() { return std::exchange(arrived_, 0u); }

 private:
  void keep(wire::Message message) {
    messages_size_ += message.bytes.size() + wire::kMessagePrefixSize;
    messages_.push_back(std::move(message));
  }

  std::size_t message_size_max_;
  wire::MessageReader reader_;
  std::vector<wire::Message> messages_;  // from begin_
  std::size_t begin_ = 0;
  std::size_t messages_size_ = 0;  // with their prefixes
  std::size_t window_held_ = 0;
  bool closed_ = false;
  Compression encoding_ = Compression::kIdentity;
  std::uint32_t arrived_ = 0;
};

template <class Sink>
Status Inbox::feed(std::span<const std::byte> bytes, Sink sink) {
  window_held_ += bytes.size();
  while (!closed_) {
    if (count() == 0) {
      if (const auto whole = reader_.take_whole(bytes)) {
        ++arrived_;
        if (!sink(*whole)) keep({.bytes = Buffer::copy_of(whole->bytes), .compressed = whole->compressed});
        continue;
      }
    }
    Result<std::optional<wire::Message>> next = reader_.next(bytes);
    if (!next) return std::move(next).error();
    if (!*next) return Status();
    ++arrived_;
    wire::Message& message = **next;
    if (count() == 0 && sink({.bytes = message.bytes.bytes(), .compressed = message.compressed})) continue;
    keep(std::move(message));
  }
  return Status();
}

}  // namespace minigrpc::rpc
