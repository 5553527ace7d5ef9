// An owned, contiguous run of bytes: one message, with room in front for gRPC's 5-byte prefix.
//
// Move-only. Thread rule: like std::unique_ptr.
#pragma once

#include <minigrpc/detail/memory.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
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
    if (this == &other) return *this;
    release();
    storage_ = std::exchange(other.storage_, nullptr);
    capacity_ = std::exchange(other.capacity_, 0);
    begin_ = std::exchange(other.begin_, 0);
    end_ = std::exchange(other.end_, 0);
    return *this;
  }

  ~Buffer() { release(); }

  // `size` uninitialised bytes, with kHeadroom in front.
  static Buffer allocate(std::size_t size) {
    Buffer buffer;
    buffer.capacity_ = size + kHeadroom;
    buffer.storage_ = static_cast<std::byte*>(detail::allocate_block(buffer.capacity_));
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

  std::byte* data() { return storage_ + begin_; }
  const std::byte* data() const { return storage_ + begin_; }
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
  // Drops n bytes, at most size(), at the end.
  void remove_suffix(std::size_t n) { end_ -= n; }

 private:
  void release() {
    if (storage_ != nullptr) detail::deallocate_block(storage_, capacity_);
  }

  std::byte* storage_ = nullptr;
  std::size_t capacity_ = 0;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
};

}  // namespace minigrpc
