// SessionMemory: where the nghttp2 session of one connection has its memory.
//
// What comes and goes with streams comes from the thread's blocks, each behind its size. What lasts as long as the
// session is laid out so that the 16 KiB in which nghttp2 builds frames, of which small frames touch the first bytes
// only, begin at the end of a page: of an idle connection one page is touched instead of two.
//
//   page   0            1     2     3     4
//         |session … buf|fer                |
//
// Thread rule: the connection's.
#pragma once

#include <cstddef>

namespace minigrpc::h2 {

class SessionMemory {
 public:
  SessionMemory() = default;
  ~SessionMemory();
  SessionMemory(const SessionMemory&) = delete;
  SessionMemory& operator=(const SessionMemory&) = delete;

  // What nghttp2_mem asks for, with a SessionMemory as its user data. The session must be gone before that is.
  static void* allocate(std::size_t size, void* self);
  static void deallocate(void* memory, void* self);
  static void* allocate_zeroed(std::size_t count, std::size_t size, void* self);
  static void* reallocate(void* memory, std::size_t size, void* self);

 private:
  // Null: no place is left for it.
  void* place(std::size_t size);
  bool is_placed(const void* memory) const;

  std::byte* region_ = nullptr;  // null: not asked for yet
  std::size_t front_size_ = 0;   // of what was placed before the buffer
  bool buffer_placed_ = false;
};

}  // namespace minigrpc::h2
