// An owned, contiguous run of bytes: one message, with room in front for gRPC's 5-byte prefix.
//
// Move-only. Thread rule: like std::unique_ptr.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <string_view>
#include <utility>

namespace minigrpc {

class Buffer {
 public:
  // Bytes that allocate() keeps free before data(), so that a serialized message becomes a
  // Length-Prefixed-Message (gRPC over HTTP/2, "Requests") without a copy.
  static constexpr std::size_t kHeadroom = 5;

  Buffer() = default;
  Buffer(Buffer&& other) noexcept { *this = std::move(other); }
  Buffer& operator=(Buffer&& other) noexcept {
    storage_ = std::move(other.storage_);
    begin_ = std::exchange(other.begin_, 0);
    end_ = std::exchange(other.end_, 0);
    return *this;
  }

  // `size` uninitialised bytes, with kHeadroom in front.
  static Buffer allocate(std::size_t size) {
    Buffer buffer;
    buffer.storage_ = std::make_unique_for_overwrite<std::byte[]>(size + kHeadroom);
    buffer.begin_ = kHeadroom;
    buffer.end_ = kHeadroom + size;
    return buffer;
  }
  static Buffer copy_of(std::span<const std::byte> bytes) {
    Buffer buffer = allocate(bytes.size());
    if (!bytes.empty()) std::memcpy(buffer.data(), bytes.data(), bytes.size());
    return buffer;
  }
  static Buffer copy_of(std::string_view text) { return copy_of(std::as_bytes(std::span(text))); }

  std::byte* data() { return storage_.get() + begin_; }
  const std::byte* data() const { return storage_.get() + begin_; }
  std::size_t size() const { return end_ - begin_; }
  bool empty() const { return begin_ == end_; }
  std::span<const std::byte> bytes() const { return {data(), size()}; }
  std::string_view text() const { return {reinterpret_cast<const char*>(data()), size()}; }

  // Grows the run to the front by n bytes, n at most what is free there (kHeadroom once), and
  // returns its new beginning.
  std::byte* prepend(std::size_t n) {
    begin_ -= n;
    return data();
  }
  // Drops n bytes, at most size(), at the front.
  void remove_prefix(std::size_t n) { begin_ += n; }

 private:
  std::unique_ptr<std::byte[]> storage_;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
};

}  // namespace minigrpc
