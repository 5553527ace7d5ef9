// How a typed message meets its bytes: the only place that knows protobuf's member functions, by name alone, so that no
// header of ours includes protobuf.
//
// Thread rule: like the message.
#pragma once

#include <minigrpc/buffer.h>
#include <minigrpc/result.h>

#include <cstdint>
#include <limits>

namespace minigrpc::detail {

// The type-erased place that a received message is parsed into.
struct MessageTarget {
  void* message;
  bool (*parse)(void* message, std::span<const std::byte> bytes);
};

template <class Message>
bool parse_message(void* message, std::span<const std::byte> bytes) {
  return static_cast<Message*>(message)->ParseFromArray(bytes.data(), static_cast<int>(bytes.size()));
}
template <class Message>
MessageTarget target_of(Message& message) {
  return {&message, &parse_message<Message>};
}

// The serialized message with its headroom free; an empty result with a status where it exceeds protobuf's 2 GiB.
template <class Message>
Result<Buffer> serialize_message(const Message& message) {
  const std::size_t size = message.ByteSizeLong();
  if (size > static_cast<std::size_t>(std::numeric_limits<std::int32_t>::max()))
    return Status(StatusCode::kInternal, "message is larger than protobuf's limit of 2 GiB");
  Buffer buffer = Buffer::allocate(size);
  message.SerializeWithCachedSizesToArray(reinterpret_cast<std::uint8_t*>(buffer.data()));
  return buffer;
}

}  // namespace minigrpc::detail
