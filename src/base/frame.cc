// The coroutine frames' free lists: one for each size class and thread.
#include <minigrpc/task.h>

#include <array>
#include <cstdlib>
#include <new>

#include "base/limits.h"

namespace minigrpc::detail {

namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kPooled = false;  // a reused frame would hide a use after its end
#else
constexpr bool kPooled = true;
#endif

constexpr std::size_t kClassSize = 64;
constexpr std::size_t kClassCount = 16;

struct FreeFrame {
  FreeFrame* next;
};

struct FrameLists {
  struct List {
    FreeFrame* head = nullptr;
    std::size_t count = 0;
  };
  std::array<List, kClassCount> lists;
  bool alive = true;
  ~FrameLists() {
    alive = false;
    for (List& list : lists) {
      while (list.head != nullptr) {
        FreeFrame* frame = list.head;
        list.head = frame->next;
        ::operator delete(frame);
      }
    }
  }
};
thread_local FrameLists t_frames;

std::size_t class_of(std::size_t size) { return (size - 1) / kClassSize; }

}  // namespace

void* allocate_frame(std::size_t size) {
  const std::size_t index = class_of(size);
  if (!kPooled || index >= kClassCount) return ::operator new(size);
  FrameLists::List& list = t_frames.lists[index];
  if (list.head == nullptr) return ::operator new((index + 1) * kClassSize);
  FreeFrame* frame = list.head;
  list.head = frame->next;
  --list.count;
  return frame;
}

void deallocate_frame(void* frame, std::size_t size) noexcept {
  const std::size_t index = class_of(size);
  FrameLists& frames = t_frames;
  if (!kPooled || index >= kClassCount || !frames.alive ||
      frames.lists[index].count >= limits::kFreeFramesPerClassMax) {
    ::operator delete(frame);
    return;
  }
  FrameLists::List& list = frames.lists[index];
  auto* free_frame = static_cast<FreeFrame*>(frame);
  free_frame->next = list.head;
  list.head = free_frame;
  ++list.count;
}

}  // namespace minigrpc::detail
