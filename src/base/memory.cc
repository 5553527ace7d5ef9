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

constexpr std::size_t kClassSize = 64;
constexpr std::size_t kClassCount = 16;

struct FreeBlock {
  FreeBlock* next;
};

struct BlockLists {
  struct List {
    FreeBlock* head = nullptr;
    std::size_t count = 0;
  };
  std::array<List, kClassCount> lists;
  bool alive = true;
  ~BlockLists() {
    alive = false;
    for (List& list : lists) {
      while (list.head != nullptr) {
        FreeBlock* block = list.head;
        list.head = block->next;
        ::operator delete(block);
      }
    }
  }
};
thread_local BlockLists t_blocks;

std::size_t class_of(std::size_t size) { return (size - 1) / kClassSize; }

}  // namespace

void* allocate_block(std::size_t size) {
  const std::size_t index = class_of(size);
  if (!kPooled || index >= kClassCount) return ::operator new(size);
  BlockLists::List& list = t_blocks.lists[index];
  if (list.head == nullptr) return ::operator new((index + 1) * kClassSize);
  FreeBlock* block = list.head;
  list.head = block->next;
  --list.count;
  return block;
}

void deallocate_block(void* block, std::size_t size) noexcept {
  const std::size_t index = class_of(size);
  BlockLists& blocks = t_blocks;
  if (!kPooled || index >= kClassCount || !blocks.alive ||
      blocks.lists[index].count >= limits::kFreeBlocksPerClassMax) {
    ::operator delete(block);
    return;
  }
  BlockLists::List& list = blocks.lists[index];
  auto* free_block = static_cast<FreeBlock*>(block);
  free_block->next = list.head;
  list.head = free_block;
  ++list.count;
}

}  // namespace minigrpc::detail
