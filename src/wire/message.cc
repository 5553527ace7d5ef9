#include "wire/message.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <string>

namespace minigrpc::wire {

namespace {

void prepend(Buffer& message, bool compressed) {
  detail::require(message.size() <= std::numeric_limits<std::uint32_t>::max(),
                  "a gRPC message is under 4 GiB");
  const MessagePrefix prefix{.compressed = compressed, .size = static_cast<std::uint32_t>(message.size())};
  encode_message_prefix(prefix, message.prepend(kMessagePrefixSize));
}

std::uint32_t size_in(const std::byte* in) {
  return std::to_integer<std::uint32_t>(in[1]) << 24 | std::to_integer<std::uint32_t>(in[2]) << 16 |
         std::to_integer<std::uint32_t>(in[3]) << 8 | std::to_integer<std::uint32_t>(in[4]);
}

Status undefined_flag(std::byte flag) {
  return Status(StatusCode::kInternal, "received a message with the undefined compressed-flag " +
                                           std::to_string(std::to_integer<unsigned>(flag)));
}

Status too_large(std::size_t size, std::size_t size_max) {
  return Status(StatusCode::kResourceExhausted, "received a message of " + std::to_string(size) +
                                                    " bytes, where at most " + std::to_string(size_max) +
                                                    " are allowed");
}

}  // namespace

void encode_message_prefix(MessagePrefix prefix, std::byte* out) {
  out[0] = static_cast<std::byte>(prefix.compressed ? 1 : 0);
  out[1] = static_cast<std::byte>(prefix.size >> 24);
  out[2] = static_cast<std::byte>(prefix.size >> 16);
  out[3] = static_cast<std::byte>(prefix.size >> 8);
  out[4] = static_cast<std::byte>(prefix.size);
}

std::optional<MessagePrefix> decode_message_prefix(const std::byte* in) {
  if (in[0] > std::byte{1}) return std::nullopt;
  return MessagePrefix{.compressed = in[0] == std::byte{1}, .size = size_in(in)};
}

void prepend_message_prefix(Buffer& message) { prepend(message, false); }
void prepend_compressed_message_prefix(Buffer& message) { prepend(message, true); }

std::optional<MessageView> MessageReader::take_whole(std::span<const std::byte>& input) const {
  if (prefix_received_ != 0 || input.size() < kMessagePrefixSize) return std::nullopt;
  const std::optional<MessagePrefix> prefix = decode_message_prefix(input.data());
  if (!prefix || prefix->size > options_.message_size_max) return std::nullopt;
  if (prefix->size > input.size() - kMessagePrefixSize) return std::nullopt;
  const MessageView view{.bytes = input.subspan(kMessagePrefixSize, prefix->size),
                         .compressed = prefix->compressed};
  input = input.subspan(kMessagePrefixSize + prefix->size);
  return view;
}

void MessageReader::make_room(std::size_t size, std::size_t arriving) {
  const std::size_t needed = received_ + arriving;
  if (received_ != 0 && needed <= bytes_.size()) return;
  Buffer larger =
      Buffer::allocate(std::min(size, std::max({kTrustedSize, last_size_, needed * kGrowthFactor})));
  if (received_ != 0) std::memcpy(larger.data(), bytes_.data(), received_);
  bytes_ = std::move(larger);
}

Result<std::optional<Message>> MessageReader::next(std::span<const std::byte>& input) {
  if (prefix_received_ < kMessagePrefixSize) {
    const std::size_t used = std::min(kMessagePrefixSize - prefix_received_, input.size());
    std::copy_n(input.begin(), used, prefix_.begin() + prefix_received_);
    prefix_received_ = static_cast<std::uint8_t>(prefix_received_ + used);
    input = input.subspan(used);
    if (prefix_received_ < kMessagePrefixSize) return std::optional<Message>();
  }
  const std::optional<MessagePrefix> prefix = decode_message_prefix(prefix_.data());
  if (!prefix) return undefined_flag(prefix_[0]);
  if (prefix->size > options_.message_size_max) return too_large(prefix->size, options_.message_size_max);

  const std::size_t arriving = std::min(prefix->size - received_, input.size());
  if (arriving == 0 && prefix->size != 0) return std::optional<Message>();
  make_room(prefix->size, arriving);
  std::copy_n(input.begin(), arriving, bytes_.data() + received_);
  received_ += arriving;
  input = input.subspan(arriving);
  if (received_ < prefix->size) return std::optional<Message>();

  prefix_received_ = 0;
  received_ = 0;
  last_size_ = prefix->size;
  return std::optional<Message>(Message{.bytes = std::move(bytes_), .compressed = prefix->compressed});
}

Status MessageReader::truncated() const {
  if (prefix_received_ < kMessagePrefixSize) {
    return Status(StatusCode::kInternal, "the stream ended inside a message's prefix");
  }
  return Status(StatusCode::kInternal, "the stream ended inside a message, after " +
                                           std::to_string(received_) + " of " +
                                           std::to_string(size_in(prefix_.data())) + " bytes");
}

}  // namespace minigrpc::wire
