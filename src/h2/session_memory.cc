#include "h2/session_memory.h"

#include <minigrpc/buffer.h>

#include <algorithm>
#include <cstring>
#include <functional>
#include <new>

namespace minigrpc::h2 {

namespace {

// nghttp2 says no sizes when it frees.
struct alignas(std::max_align_t) BlockHeader {
  std::size_t size;
};

constexpr std::size_t kPageSize = 4096;
constexpr std::size_t kRegionSize = 5 * kPageSize;
constexpr std::size_t kBufferBegin = kPageSize - 512;  // small frames touch no more of it than this
constexpr std::size_t kBufferSizeMin = 16'000;
constexpr std::size_t kPlacedSizeMin = 2'000;  // the session itself

std::size_t whole_size(std::size_t size) { return sizeof(BlockHeader) + size; }
BlockHeader* header_of(void* memory) { return static_cast<BlockHeader*>(memory) - 1; }

}  // namespace

SessionMemory::~SessionMemory() {
  if (region_ != nullptr) ::operator delete(region_, std::align_val_t(kPageSize));
}

void* SessionMemory::place(std::size_t size) {
  const std::size_t whole = whole_size(size);
  if (size < kPlacedSizeMin || whole > kRegionSize - kBufferBegin) return nullptr;
  const bool buffer = size >= kBufferSizeMin;
  if (buffer ? buffer_placed_ : front_size_ + whole > kBufferBegin) return nullptr;
  if (region_ == nullptr)
    region_ = static_cast<std::byte*>(::operator new(kRegionSize, std::align_val_t(kPageSize)));
  std::byte* const at = region_ + (buffer ? kBufferBegin : front_size_);
  if (buffer)
    buffer_placed_ = true;
  else
    front_size_ += (whole + sizeof(BlockHeader) - 1) / sizeof(BlockHeader) * sizeof(BlockHeader);
  return at;
}

bool SessionMemory::is_placed(const void* memory) const {
  const auto* at = static_cast<const std::byte*>(memory);
  return region_ != nullptr && !std::less<>()(at, region_) && std::less<>()(at, region_ + kRegionSize);
}

void* SessionMemory::allocate(std::size_t size, void* self) {
  void* at = static_cast<SessionMemory*>(self)->place(size);
  if (at == nullptr) at = detail::allocate_block(whole_size(size));
  auto* header = static_cast<BlockHeader*>(at);
  header->size = size;
  return header + 1;
}

// What was placed stays until the end: a session frees it then, or seldom before.
void SessionMemory::deallocate(void* memory, void* self) {
  if (memory == nullptr || static_cast<SessionMemory*>(self)->is_placed(memory)) return;
  BlockHeader* const header = header_of(memory);
  detail::deallocate_block(header, whole_size(header->size));
}

void* SessionMemory::allocate_zeroed(std::size_t count, std::size_t size, void* self) {
  const std::size_t wanted = count * size;  // nghttp2 passes sizes of its own types: no overflow
  void* const memory = allocate(wanted, self);
  std::memset(memory, 0, wanted);
  return memory;
}

void* SessionMemory::reallocate(void* memory, std::size_t size, void* self) {
  void* const larger = allocate(size, self);
  if (memory != nullptr) std::memcpy(larger, memory, std::min(size, header_of(memory)->size));
  deallocate(memory, self);
  return larger;
}

}  // namespace minigrpc::h2
