#include "store/journal.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <random>
#include <system_error>

#include "store/lmdb.h"

namespace minigrpc::store {

namespace {

// Segments grow by so much: each time the disk has to note a new length, which costs as much as another sync.
constexpr std::size_t kGrowthSize = std::size_t{1} << 20;

constexpr std::size_t kBufferAlignment = 4096;
constexpr std::size_t kBufferStep = std::size_t{64} << 10;

// Past the page cache: a sync then has nothing to look for there.
int open_direct(const std::string& path) {
  constexpr int kFlags = O_RDWR | O_CREAT | O_CLOEXEC;
  const int fd = ::open(path.c_str(), kFlags | O_DIRECT, 0600);
  return fd < 0 && errno == EINVAL ? ::open(path.c_str(), kFlags, 0600) : fd;
}
// false: it was not direct.
bool leave_direct(int fd) {
  const int flags = ::fcntl(fd, F_GETFL);
  return flags >= 0 && (flags & O_DIRECT) != 0 && ::fcntl(fd, F_SETFL, flags & ~O_DIRECT) == 0;
}

std::uint64_t random_number() {
  std::random_device random;
  return std::uint64_t{random()} << 32 | random();
}

Status journal_error(int error, const std::string& doing) {
  const Status status = lmdb::to_status(error, doing);
  if (status.code() == StatusCode::kResourceExhausted)
    return {status.code(), status.message() + ": make room on the disk that holds it"};
  return {StatusCode::kUnavailable, status.message()};
}

Status read_all(int fd, std::size_t size, std::string& bytes) {
  bytes.resize(size);
  for (std::size_t done = 0; done < bytes.size();) {
    const ssize_t read = ::pread(fd, bytes.data() + done, bytes.size() - done, static_cast<off_t>(done));
    if (read < 0 && errno == EINTR) continue;
    if (read < 0) return lmdb::to_status(errno, "reading");
    if (read == 0) bytes.resize(done);
    done += static_cast<std::size_t>(read);
  }
  return {};
}

Status write_aligned(int fd, std::size_t offset, std::string_view bytes) {
  for (std::size_t done = 0; done < bytes.size();) {
    const ssize_t size =
        ::pwrite(fd, bytes.data() + done, bytes.size() - done, static_cast<off_t>(offset + done));
    if (size < 0 && errno == EINTR) continue;
    // A disk of larger blocks, or bytes that were written in part: the page cache takes them as they are.
    if (size < 0 && errno == EINVAL && leave_direct(fd)) continue;
    if (size <= 0) return journal_error(size == 0 ? ENOSPC : errno, "writing the journal");
    done += static_cast<std::size_t>(size);
  }
  return {};
}

}  // namespace

std::string Journal::path_in(const std::string& directory, std::size_t segment) {
  return directory + "/journal." + std::to_string(segment);
}

Status Journal::remove(const std::string& directory) {
  for (std::size_t i = 0; i < std::tuple_size_v<decltype(segments_)>; ++i)
    if (::unlink(path_in(directory, i).c_str()) != 0 && errno != ENOENT)
      return journal_error(errno, "removing " + path_in(directory, i));
  return {};
}

Result<Journal> Journal::open(const std::string& directory) {
  Journal journal;
  journal.directory_ = directory;
  for (std::size_t i = 0; i < journal.segments_.size(); ++i) {
    const std::string path = journal.path(i);
    const int fd = open_direct(path);
    if (fd < 0) return lmdb::to_status(errno, "opening " + path);
    journal.segments_[i].fd = fd;
    struct stat info {};
    if (::fstat(fd, &info) != 0) return lmdb::to_status(errno, "opening " + path);
    journal.segments_[i].allocated = static_cast<std::size_t>(info.st_size);
  }
  return journal;
}

Journal::~Journal() {
  for (const Segment& segment : segments_)
    if (segment.fd >= 0) ::close(segment.fd);
}

Result<std::array<std::string, 2>> Journal::read() const {
  std::array<std::string, 2> contents;
  for (std::size_t i = 0; i < segments_.size(); ++i) {
    const int fd = ::open(path(i).c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0) return lmdb::to_status(errno, "opening " + path(i));
    Status status = read_all(fd, segments_[i].allocated, contents[i]);
    ::close(fd);
    if (!status.ok()) return Status(status.code(), path(i) + ": " + status.message());
  }
  return contents;
}

Status Journal::clear() {
  for (std::size_t i = 0; i < segments_.size(); ++i) {
    Segment& segment = segments_[i];
    if (segment.allocated == 0) continue;
    if (::ftruncate(segment.fd, 0) != 0) return journal_error(errno, "emptying " + path(i));
    segment.allocated = 0;
    if (::fsync(segment.fd) != 0) return journal_error(EIO, "emptying " + path(i));
  }
  offset_ = 0;
  return {};
}

Status Journal::write(std::size_t offset, std::string_view bytes) {
  if (buffer_.size < bytes.size()) {
    buffer_ = make_buffer((bytes.size() + kBufferStep - 1) / kBufferStep * kBufferStep);
    if (buffer_.bytes == nullptr) return journal_error(ENOMEM, "writing the journal");
  }
  std::memcpy(buffer_.bytes.get(), bytes.data(), bytes.size());
  return write_aligned(segments_[active_].fd, offset, {buffer_.bytes.get(), bytes.size()});
}

Journal::AlignedBuffer Journal::make_buffer(std::size_t size) {
  AlignedBuffer buffer;
  buffer.bytes.reset(static_cast<char*>(std::aligned_alloc(kBufferAlignment, size)));
  if (buffer.bytes != nullptr) buffer.size = size;
  return buffer;
}

Status Journal::allocate(Segment& segment, std::size_t size) {
  if (segment.allocated >= size) return {};
  const AlignedBuffer zeros = make_buffer(kGrowthSize);
  if (zeros.bytes == nullptr) return journal_error(ENOMEM, "writing the journal");
  std::memset(zeros.bytes.get(), 0, kGrowthSize);
  while (segment.allocated < size) {
    const std::size_t grown = segment.allocated / kGrowthSize * kGrowthSize + kGrowthSize;
    const std::string_view bytes(zeros.bytes.get(), grown - segment.allocated);
    if (Status status = write_aligned(segment.fd, segment.allocated, bytes); !status.ok()) return status;
    segment.allocated = grown;
  }
  return {};
}

Status Journal::append(JournalBatch& batch, std::uint64_t sequence, const Identity& identity) {
  std::size_t offset = offset_;
  std::string header;
  if (offset == 0) {
    nonce_ = random_number();
    header = encode_journal_header({identity, nonce_, sequence});
    offset = header.size();
  }
  const std::string_view bytes = batch.seal(sequence, nonce_);
  if (Status status = allocate(segments_[active_], offset + bytes.size()); !status.ok()) return status;
  if (Status status = write(0, header); !status.ok()) return status;
  if (Status status = write(offset, bytes); !status.ok()) return status;
  if (::fdatasync(segments_[active_].fd) != 0)
    return {StatusCode::kUnavailable,
            "writing the journal: the disk failed: " + std::generic_category().message(errno)};
  offset_ = offset + bytes.size();
  return {};
}

void Journal::rotate() {
  active_ = 1 - active_;
  offset_ = 0;
}

}  // namespace minigrpc::store
