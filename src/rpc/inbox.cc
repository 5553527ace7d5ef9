#include "rpc/inbox.h"

namespace minigrpc::rpc {

std::span<const std::byte> Inbox::take_only(std::span<const std::byte> bytes) {
  if (count() != 0 || window_held_ != 0) return {};
  std::span<const std::byte> rest = bytes;
  const auto whole = reader_.take_whole(rest);
  if (!whole || whole->compressed || !rest.empty()) return {};
  return whole->bytes;
}

wire::Message Inbox::pop() {
  wire::Message message = std::move(messages_[begin_++]);
  messages_size_ -= message.bytes.size() + wire::kMessagePrefixSize;
  if (begin_ == messages_.size()) {
    messages_.clear();
    begin_ = 0;
  }
  return message;
}

std::size_t Inbox::release_window() {
  if (window_held_ <= messages_size_) return 0;
  const std::size_t held = std::exchange(window_held_, messages_size_);
  return held - messages_size_;
}

}  // namespace minigrpc::rpc
