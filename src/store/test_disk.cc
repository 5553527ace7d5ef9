#include "store/test_disk.h"

#include <fcntl.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <utility>

namespace minigrpc::store::test {

namespace {

// What a disk writes whole or not at all.
constexpr std::size_t kSectorSize = 512;

Disk* current_disk = nullptr;

std::string path_of(int fd) {
  std::array<char, 4096> path{};
  const ssize_t size = ::readlink(("/proc/self/fd/" + std::to_string(fd)).c_str(), path.data(), path.size());
  return {path.data(), size > 0 ? static_cast<std::size_t>(size) : 0};
}

Disk::File* file_of(const std::string& path) {
  return current_disk == nullptr ? nullptr : current_disk->file(path);
}
Disk::File* file_of(int fd) { return current_disk == nullptr ? nullptr : file_of(path_of(fd)); }

}  // namespace

Disk* Disk::current() { return current_disk; }

Disk::Disk(std::string directory) : directory_(std::move(directory)) {
  if (current_disk != nullptr) std::abort();
  current_disk = this;
}

Disk::~Disk() { current_disk = nullptr; }

Disk::File* Disk::file(const std::string& path) {
  const std::lock_guard lock(mutex_);
  const std::size_t slash = path.rfind('/');
  if (slash == std::string::npos || path.substr(0, slash) != directory_) return nullptr;
  const std::string name = path.substr(slash + 1);
  if (name.starts_with("lock")) return nullptr;
  return &files_.try_emplace(name, *this).first->second;
}

void Disk::fail_step(std::size_t number, Fault fault) {
  const std::lock_guard lock(mutex_);
  failing_ = true;
  failing_step_ = number;
  fault_ = fault;
}

bool Disk::next_step_fails() { return steps_++ == failing_step_ && failing_; }

void Disk::after_step() const {
  if (after_each_step_) after_each_step_();
}

Disk::Image Disk::after_power_failure(std::mt19937_64& random) const {
  const std::lock_guard lock(mutex_);
  Image image;
  for (const auto& [name, file] : files_) image[name] = file.after_power_failure(random);
  return image;
}

Disk::Image Disk::after_kill() const {
  const std::lock_guard lock(mutex_);
  Image image;
  for (const auto& [name, file] : files_) image[name] = file.after_kill();
  return image;
}

Disk::Image Disk::safe() const {
  const std::lock_guard lock(mutex_);
  Image image;
  for (const auto& [name, file] : files_) image[name] = file.safe_;
  return image;
}

void Disk::File::apply(const Change& change, std::string& image) {
  if (change.resize_to >= 0) {
    image.resize(static_cast<std::size_t>(change.resize_to), '\0');
    return;
  }
  const auto offset = static_cast<std::size_t>(change.offset);
  if (image.size() < offset + change.bytes.size()) image.resize(offset + change.bytes.size(), '\0');
  image.replace(offset, change.bytes.size(), change.bytes);
}

void Disk::File::note(Change change, bool durable) {
  if (durable)
    apply(change, safe_);
  else
    waiting_.push_back(std::move(change));
}

std::string Disk::File::after_power_failure(std::mt19937_64& random) const {
  std::string image = safe_;
  // From nothing to nearly everything.
  const std::uint64_t kept_of_100 = random() % 101;
  const auto kept = [&] { return random() % 100 < kept_of_100; };
  for (const Change& change : waiting_) {
    if (change.resize_to >= 0) {
      if (kept()) apply(change, image);
      continue;
    }
    for (std::size_t begin = 0; begin < change.bytes.size();) {
      const std::size_t at = static_cast<std::size_t>(change.offset) + begin;
      const std::size_t size = std::min(kSectorSize - at % kSectorSize, change.bytes.size() - begin);
      if (kept()) apply({static_cast<std::int64_t>(at), change.bytes.substr(begin, size)}, image);
      begin += size;
    }
  }
  return image;
}

std::string Disk::File::after_kill() const {
  std::string image = safe_;
  for (const Change& change : waiting_) apply(change, image);
  return image;
}

long Disk::File::on_write(int fd, std::int64_t offset, const std::string& bytes,
                          const std::function<long(std::size_t)>& write) {
  const std::lock_guard lock(disk_.mutex_);
  std::size_t size = bytes.size();
  if (disk_.next_step_fails()) {
    if (disk_.fault_.harm != Harm::kShort) {
      errno = disk_.fault_.error;
      return -1;
    }
    size /= 2;
  }
  const long written = write(size);
  if (written > 0)
    note({offset, bytes.substr(0, static_cast<std::size_t>(written))}, (::fcntl(fd, F_GETFL) & O_DSYNC) != 0);
  disk_.after_step();
  return written;
}

int Disk::File::on_sync(int fd) {
  const std::lock_guard lock(disk_.mutex_);
  if (disk_.next_step_fails()) {
    ++errors_;
    last_error_ = disk_.fault_.error;
    if (disk_.fault_.harm == Harm::kLosesPages) waiting_.clear();
  }
  int result = 0;
  if (std::exchange(errors_seen_[fd], errors_) != errors_) {
    errno = last_error_;
    result = -1;
  } else {
    for (const Change& change : waiting_) apply(change, safe_);
    waiting_.clear();
  }
  disk_.after_step();
  return result;
}

int Disk::File::on_hole(std::int64_t offset, std::int64_t size, const std::function<int()>& punch) {
  const std::lock_guard lock(disk_.mutex_);
  if (disk_.next_step_fails()) {
    errno = disk_.fault_.error;
    return -1;
  }
  const int result = punch();
  if (result == 0) note({offset, std::string(static_cast<std::size_t>(size), '\0')}, false);
  disk_.after_step();
  return result;
}

int Disk::File::on_resize(std::int64_t size, const std::function<int()>& resize) {
  const std::lock_guard lock(disk_.mutex_);
  if (disk_.next_step_fails()) {
    errno = disk_.fault_.error;
    return -1;
  }
  const int result = resize();
  if (result == 0) note({0, {}, size}, false);
  disk_.after_step();
  return result;
}

}  // namespace minigrpc::store::test

// ---- in the place of libc's ----

using minigrpc::store::test::Disk;
using minigrpc::store::test::file_of;

extern "C" {

ssize_t pwrite(int fd, const void* bytes, size_t size, off_t offset) {
  const auto write = [&](std::size_t n) { return ::syscall(SYS_pwrite64, fd, bytes, n, offset); };
  Disk::File* file = file_of(fd);
  if (file == nullptr) return write(size);
  return file->on_write(fd, offset, {static_cast<const char*>(bytes), size}, write);
}

ssize_t writev(int fd, const iovec* parts, int count) {
  Disk::File* file = file_of(fd);
  if (file == nullptr) return ::syscall(SYS_writev, fd, parts, count);
  std::string bytes;
  for (int i = 0; i < count; ++i) bytes.append(static_cast<const char*>(parts[i].iov_base), parts[i].iov_len);
  const off_t offset = ::lseek(fd, 0, SEEK_CUR);
  return file->on_write(fd, offset, bytes,
                        [&](std::size_t n) { return ::syscall(SYS_write, fd, bytes.data(), n); });
}

int fdatasync(int fd) {
  if (Disk::File* file = file_of(fd)) return file->on_sync(fd);
  if (Disk::current() != nullptr) Disk::current()->on_sync_of_other(minigrpc::store::test::path_of(fd));
  return static_cast<int>(::syscall(SYS_fdatasync, fd));
}

int fsync(int fd) {
  if (Disk::File* file = file_of(fd)) return file->on_sync(fd);
  if (Disk::current() != nullptr) Disk::current()->on_sync_of_other(minigrpc::store::test::path_of(fd));
  return static_cast<int>(::syscall(SYS_fsync, fd));
}

int fallocate(int fd, int mode, off_t offset, off_t size) {
  const auto punch = [&] { return static_cast<int>(::syscall(SYS_fallocate, fd, mode, offset, size)); };
  Disk::File* file = file_of(fd);
  return file == nullptr ? punch() : file->on_hole(offset, size, punch);
}

int ftruncate(int fd, off_t size) noexcept {
  const auto resize = [&] { return static_cast<int>(::syscall(SYS_ftruncate, fd, size)); };
  Disk::File* file = file_of(fd);
  return file == nullptr ? resize() : file->on_resize(size, resize);
}

int truncate(const char* path, off_t size) noexcept {
  const auto resize = [&] { return static_cast<int>(::syscall(SYS_truncate, path, size)); };
  Disk::File* file = file_of(std::string(path));
  return file == nullptr ? resize() : file->on_resize(size, resize);
}
}
