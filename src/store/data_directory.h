// A data directory: made if needed, and held by one process at a time.
//
// Thread rule: none of its own.
#pragma once

#include <minigrpc/result.h>

#include <string>
#include <utility>

namespace minigrpc::store {

// Holds an flock on DIRECTORY/lock, which carries the holder's pid; the kernel lets go of it however the
// process ends.
class DataDirectory {
 public:
  // Makes the directory if it is not there, but not its parents. FAILED_PRECONDITION when another process
  // holds it or when it is etcd's, NOT_FOUND, PERMISSION_DENIED or UNAVAILABLE when it cannot be used.
  static Result<DataDirectory> open(const std::string& path);
  // A new directory of nobody else's, in /dev/shm or the system's directory for temporary files. remove()
  // takes its name away once everything in it is open.
  static Result<DataDirectory> open_temporary();

  DataDirectory(DataDirectory&& other) noexcept { *this = std::move(other); }
  DataDirectory& operator=(DataDirectory&& other) noexcept {
    std::swap(path_, other.path_);
    std::swap(lock_fd_, other.lock_fd_);
    return *this;
  }
  ~DataDirectory();

  const std::string& path() const { return path_; }
  // Brings the names of the directory and of the files in it to the disk: a file that was synced is lost with
  // its name.
  Status sync() const;
  void remove();

 private:
  DataDirectory() = default;

  std::string path_;
  int lock_fd_ = -1;
};

}  // namespace minigrpc::store
