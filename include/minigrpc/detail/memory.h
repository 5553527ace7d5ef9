// Memory that comes and goes with every call: coroutine frames, small messages, the state of a call.
//
// Free lists of the calling thread, one for each size class: a block costs a few nanoseconds where malloc, whose own
// cache holds seven of a size, costs 20 to 60 once a hundred calls are under way. Thread rule: any thread; a block may be
// freed on another one than it came from.
#pragma once

#include <cstddef>

namespace minigrpc::detail {

// `size` uninitialised bytes, aligned for any standard type; never null.
void* allocate_block(std::size_t size);
// `size` is what was asked for.
void deallocate_block(void* block, std::size_t size) noexcept;

// The same for the standard containers.
template <class T>
struct BlockAllocator {
  using value_type = T;
  BlockAllocator() = default;
  template <class U>
  BlockAllocator(const BlockAllocator<U>&) {}
  T* allocate(std::size_t count) { return static_cast<T*>(allocate_block(count * sizeof(T))); }
  void deallocate(T* block, std::size_t count) noexcept { deallocate_block(block, count * sizeof(T)); }
  friend bool operator==(const BlockAllocator&, const BlockAllocator&) { return true; }
};

}  // namespace minigrpc::detail
