// Memory from the system itself, which goes back to it at once when the chunk ends: what malloc gets back it may
// keep. Large chunks are in large pages, where the system has them.
//
// Thread rule: one thread at a time.
#pragma once

#include <cstddef>
#include <utility>

namespace minigrpc::store {

class MemoryChunk {
 public:
  // Chunks of a multiple of this are in large pages.
  static constexpr std::size_t kLargePage = std::size_t{2} << 20;

  // All zeros. std::bad_alloc where there is none.
  explicit MemoryChunk(std::size_t size);
  MemoryChunk(MemoryChunk&& other) noexcept
      : bytes_(std::exchange(other.bytes_, nullptr)), size_(std::exchange(other.size_, 0)) {}
  MemoryChunk& operator=(MemoryChunk&& other) noexcept {
    std::swap(bytes_, other.bytes_);
    std::swap(size_, other.size_);
    return *this;
  }
  ~MemoryChunk();

  char* bytes() const { return bytes_; }
  std::size_t size() const { return size_; }

 private:
  char* bytes_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace minigrpc::store
