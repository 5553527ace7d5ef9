#include <minigrpc/detail/memory.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
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

// Small blocks: in steps, each what malloc has room for beside its own word.
constexpr std::size_t kSmallStep = 16;
constexpr std::size_t kSmallFirst = 8;
constexpr std::size_t kSmallCount = 65;
constexpr std::size_t kSmallSizeMax = kSmallFirst + (kSmallCount - 1) * kSmallStep;
// Large blocks: four steps from each power of two to the next. They are kept, lest malloc give their pages back to the
// kernel after each message, and have them zeroed again for the next.
constexpr unsigned kLargeFirstBits = 10;
constexpr unsigned kLargeLastBits = 23;
constexpr std::size_t kLargeStepsEach = 4;
constexpr std::size_t kLargeCount = (kLargeLastBits - kLargeFirstBits) * kLargeStepsEach;
constexpr std::size_t kLargeSizeMax = std::size_t{1} << kLargeLastBits;

// The list that a small block is on; its blocks have kSmallFirst + index * kSmallStep bytes.
std::size_t small_index(std::size_t size) { return (size + kSmallStep - kSmallFirst - 1) / kSmallStep; }

// Which list a large block of a size is on, and how many bytes all blocks of that list have.
struct LargeClass {
  std::size_t index;
  std::size_t capacity;
};

// `size` is more than kSmallSizeMax and at most kLargeSizeMax.
LargeClass large_class(std::size_t size) {
  const auto bits = static_cast<unsigned>(std::bit_width((size - 1) >> kLargeFirstBits));
  const std::size_t base = std::size_t{1} << (kLargeFirstBits + std::max(bits, 1u) - 1);
  const std::size_t step = base / kLargeStepsEach;
  const std::size_t steps = size <= base ? 1 : (size - base + step - 1) / step;
  return {(std::max(bits, 1u) - 1) * kLargeStepsEach + steps - 1, base + steps * step};
}

struct FreeBlock {
  FreeBlock* next;
};

struct SmallList {
  FreeBlock* head = nullptr;
  std::size_t count = 0;
  std::size_t count_max = 0;  // none before the thread's Cleanup is there, nor after it has run
};
struct LargeLists {
  std::array<FreeBlock*, kLargeCount> heads{};
  std::size_t size = 0;      // of all that is in them
  std::size_t size_max = 0;  // as above
};
// Neither constructed nor destroyed, so that reaching them costs no check.
constinit thread_local std::array<SmallList, kSmallCount> t_small{};
constinit thread_local LargeLists t_large{};

void free_all(FreeBlock*& head) {
  while (head != nullptr) {
    FreeBlock* const block = head;
    head = block->next;
    ::operator delete(block);
  }
}

// Gives the thread's blocks back at its end.
struct Cleanup {
  Cleanup() {
    for (SmallList& list : t_small) list.count_max = limits::kFreeBlocksPerClassMax;
    t_large.size_max = limits::kFreeLargeBlocksSizeMax;
  }
  ~Cleanup() {
    for (SmallList& list : t_small) {
      list.count_max = 0;
      free_all(list.head);
    }
    t_large.size_max = 0;
    for (FreeBlock*& head : t_large.heads) free_all(head);
  }
  void begin() {}
};
thread_local Cleanup t_cleanup;

void* allocate_large(std::size_t size) {
  const LargeClass of = large_class(size);
  FreeBlock*& head = t_large.heads[of.index];
  if (head == nullptr) {
    t_cleanup.begin();
    return ::operator new(of.capacity);
  }
  t_large.size -= of.capacity;
  FreeBlock* const block = head;
  head = block->next;
  return block;
}

void deallocate_large(void* block, std::size_t size) noexcept {
  const LargeClass of = large_class(size);
  if (t_large.size + of.capacity > t_large.size_max) return ::operator delete(block);
  t_large.size += of.capacity;
  auto* free_block = static_cast<FreeBlock*>(block);
  free_block->next = t_large.heads[of.index];
  t_large.heads[of.index] = free_block;
}

}  // namespace

void* allocate_block(std::size_t size) {
  if (!kPooled || size > kSmallSizeMax) [[unlikely]]
    return kPooled && size <= kLargeSizeMax ? allocate_large(size) : ::operator new(size);
  const std::size_t index = small_index(size);
  SmallList& list = t_small[index];
  if (list.head == nullptr) [[unlikely]] {
    t_cleanup.begin();
    return ::operator new(kSmallFirst + index * kSmallStep);
  }
  FreeBlock* const block = list.head;
  list.head = block->next;
  --list.count;
  return block;
}

void deallocate_block(void* block, std::size_t size) noexcept {
  if (!kPooled || size > kSmallSizeMax) [[unlikely]]
    return kPooled && size <= kLargeSizeMax ? deallocate_large(block, size) : ::operator delete(block);
  SmallList& list = t_small[small_index(size)];
  if (list.count >= list.count_max) return ::operator delete(block);
  auto* free_block = static_cast<FreeBlock*>(block);
  free_block->next = list.head;
  list.head = free_block;
  ++list.count;
}

}  // namespace minigrpc::detail
