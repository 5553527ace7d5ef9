#include <minigrpc/detail/memory.h>

#include <array>
#include <cstdlib>
#include <new>

#include "base/limits.h"

namespace minigrpc::detail {

namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kPooled = false;  // a reused block would hide a use after its end
#else
constexpr bool kPooled = true;
#endif

constexpr std::size_t kClassSize = 16;
constexpr std::size_t kClassCount = 64;

struct FreeBlock {
  FreeBlock* next;
};

struct BlockList {
  FreeBlock* head = nullptr;
  std::size_t count = 0;
  std::size_t count_max = 0;  // none before the thread's Cleanup is there, nor after it has run
};
// Neither constructed nor destroyed, so that reaching them costs no check.
constinit thread_local std::array<BlockList, kClassCount> t_lists{};

// Gives the thread's blocks back at its end.
struct Cleanup {
  Cleanup() {
    for (BlockList& list : t_lists) list.count_max = limits::kFreeBlocksPerClassMax;
  }
  ~Cleanup() {
    for (BlockList& list : t_lists) {
      list.count_max = 0;
      while (list.head != nullptr) {
        FreeBlock* block = list.head;
        list.head = block->next;
        ::operator delete(block);
      }
    }
  }
  void begin() {}
};
thread_local Cleanup t_cleanup;

std::size_t class_of(std::size_t size) { return (size - 1) / kClassSize; }

}  // namespace

void* allocate_block(std::size_t size) {
  const std::size_t index = class_of(size);
  if (!kPooled || index >= kClassCount) return ::operator new(size);
  BlockList& list = t_lists[index];
  if (list.head == nullptr) {
    t_cleanup.begin();
    return ::operator new((index + 1) * kClassSize);
  }
  FreeBlock* block = list.head;
  list.head = block->next;
  --list.count;
  return block;
}

void deallocate_block(void* block, std::size_t size) noexcept {
  const std::size_t index = class_of(size);
  if (!kPooled || index >= kClassCount || t_lists[index].count >= t_lists[index].count_max)
    return ::operator delete(block);
  BlockList& list = t_lists[index];
  auto* free_block = static_cast<FreeBlock*>(block);
  free_block->next = list.head;
  list.head = free_block;
  ++list.count;
}

}  // namespace minigrpc::detail
