#include "store/memory_chunk.h"

#include <sys/mman.h>

#include <cstdint>
#include <new>

namespace minigrpc::store {

MemoryChunk::MemoryChunk(std::size_t size) : size_(size) {
  const bool large = size % kLargePage == 0;
  // A large page begins at a multiple of its size: more is asked for, and the ends are given back.
  const std::size_t asked = large ? size + kLargePage : size;
  void* mapped = ::mmap(nullptr, asked, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (mapped == MAP_FAILED) throw std::bad_alloc();
  bytes_ = static_cast<char*>(mapped);
  if (!large) return;
  const std::size_t before = -reinterpret_cast<std::uintptr_t>(bytes_) % kLargePage;
  const std::size_t behind = kLargePage - before;
  if (before > 0) ::munmap(bytes_, before);
  bytes_ += before;
  if (behind > 0) ::munmap(bytes_ + size, behind);
  // Without it there are small pages.
  (void)::madvise(bytes_, size, MADV_HUGEPAGE);
}

MemoryChunk::~MemoryChunk() {
  if (bytes_ != nullptr) ::munmap(bytes_, size_);
}

}  // namespace minigrpc::store
