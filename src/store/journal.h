// The journal in a data directory: two segments. One is appended to; what the other holds is on its way into
// LMDB, and then it is written over.
//
// Thread rule: one thread at a time; allocate_spare() may run beside append().
#pragma once

#include <minigrpc/result.h>

#include <array>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>
#include <utility>

#include "store/journal_format.h"

namespace minigrpc::store {

class Journal {
 public:
  // Makes the files if they are not there; their names are on the disk once the directory was synced.
  static Result<Journal> open(const std::string& directory);
  // Takes the files away, if there are any.
  static Status remove(const std::string& directory);
  Journal(Journal&& other) noexcept { *this = std::move(other); }
  Journal& operator=(Journal&& other) noexcept {
    std::swap(directory_, other.directory_);
    std::swap(segments_, other.segments_);
    std::swap(active_, other.active_);
    std::swap(offset_, other.offset_);
    std::swap(nonce_, other.nonce_);
    std::swap(buffer_, other.buffer_);
    return *this;
  }
  ~Journal();

  // The segments' bytes.
  Result<std::array<std::string, 2>> read() const;
  // Empties both; on disk when it returns.
  Status clear();

  // Brings a batch to the disk. RESOURCE_EXHAUSTED: there is no room, the batch is not there, and another may
  // be appended. UNAVAILABLE: the disk failed, the batch may be there or not, and no other may be appended.
  Status append(JournalBatch& batch, std::uint64_t sequence, const Identity& identity);
  // The next batch goes into the other segment, which LMDB needs no more.
  void rotate();
  // Makes that one as large, ahead of time: to allocate takes the file system a commit of its own, which may
  // wait for what others write, such as a checkpoint.
  Status allocate_spare(std::size_t size) { return allocate(segments_[1 - active_], size); }
  std::size_t spare_size() const { return segments_[1 - active_].allocated; }
  // Of the segment that is appended to.
  std::size_t size() const { return offset_; }

 private:
  struct FreeAligned {
    void operator()(char* bytes) const { std::free(bytes); }
  };
  struct AlignedBuffer {
    std::unique_ptr<char, FreeAligned> bytes;
    std::size_t size = 0;
  };
  struct Segment {
    int fd = -1;
    std::size_t allocated = 0;  // bytes that were written once: to write them again changes no metadata
  };

  Journal() = default;
  static std::string path_in(const std::string& directory, std::size_t segment);
  std::string path(std::size_t segment) const { return path_in(directory_, segment); }
  static AlignedBuffer make_buffer(std::size_t size);
  // Both are multiples of kJournalAlignment.
  Status write(std::size_t offset, std::string_view bytes);
  static Status allocate(Segment& segment, std::size_t size);

  std::string directory_;
  std::array<Segment, 2> segments_;
  std::size_t active_ = 0;
  std::size_t offset_ = 0;  // where the next batch goes; 0: the segment is begun with it
  std::uint64_t nonce_ = 0;
  // What is written past the page cache has to be aligned in memory, too.
  AlignedBuffer buffer_;
};

}  // namespace minigrpc::store
