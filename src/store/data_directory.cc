#include "store/data_directory.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <system_error>

namespace minigrpc::store {

namespace {

Status system_error(int error, const std::string& path, const std::string& doing, const std::string& advice) {
  StatusCode code = StatusCode::kUnavailable;
  if (error == EACCES || error == EPERM || error == EROFS) code = StatusCode::kPermissionDenied;
  if (error == ENOENT || error == ENOTDIR) code = StatusCode::kNotFound;
  if (error == ENOSPC || error == EDQUOT) code = StatusCode::kResourceExhausted;
  return {code, "data directory " + path + ": " + doing + ": " + std::generic_category().message(error) +
                    "; " + advice};
}

std::string advice_for(int error) {
  switch (error) {
    case EACCES:
    case EPERM:
      return "give this user write permission, or choose another directory";
    case EROFS:
      return "the file system is read-only: remount it, or choose another directory";
    case ENOENT:
      return "create its parent directory first";
    case ENOTDIR:
    case EEXIST:
      return "choose a path that is a directory or does not exist";
    case ENOSPC:
    case EDQUOT:
      return "make room on its file system";
    default:
      return "choose another directory";
  }
}

Status unusable(int error, const std::string& path, const std::string& doing) {
  return system_error(error, path, doing, advice_for(error));
}

std::string pid_in(int fd) {
  std::array<char, 32> text{};
  const ssize_t size = ::pread(fd, text.data(), text.size(), 0);
  std::string pid(text.data(), size > 0 ? static_cast<std::size_t>(size) : 0);
  pid.resize(std::min(pid.find_first_not_of("0123456789"), pid.size()));
  return pid;
}

Status in_use(const std::string& path, int fd) {
  const std::string pid = pid_in(fd);
  return {StatusCode::kFailedPrecondition, "data directory " + path + " is in use by another process" +
                                               (pid.empty() ? "" : " (pid " + pid + ")") +
                                               ": stop that one, or choose another directory"};
}

}  // namespace

Result<DataDirectory> DataDirectory::open(const std::string& path) {
  DataDirectory directory;
  directory.path_ = path;
  if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) return unusable(errno, path, "creating it");
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) return unusable(errno, path, "looking at it");
  if (!S_ISDIR(info.st_mode)) return unusable(ENOTDIR, path, "opening it");
  if (::stat((path + "/member").c_str(), &info) == 0 && S_ISDIR(info.st_mode))
    return Status(StatusCode::kFailedPrecondition,
                  "data directory " + path + " is that of an etcd member: choose another directory");

  const std::string lock = path + "/lock";
  directory.lock_fd_ = ::open(lock.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (directory.lock_fd_ < 0) return unusable(errno, path, "opening its lock file");
  if (::flock(directory.lock_fd_, LOCK_EX | LOCK_NB) != 0)
    return errno == EWOULDBLOCK ? in_use(path, directory.lock_fd_) : unusable(errno, path, "locking it");
  const std::string pid = std::to_string(::getpid()) + "\n";
  if (::ftruncate(directory.lock_fd_, 0) != 0 ||
      ::pwrite(directory.lock_fd_, pid.data(), pid.size(), 0) != static_cast<ssize_t>(pid.size()))
    return unusable(errno, path, "writing its lock file");
  return directory;
}

Result<DataDirectory> DataDirectory::open_temporary() {
  std::error_code error;
  std::string path = ::access("/dev/shm", W_OK | X_OK) == 0
                         ? std::string("/dev/shm")
                         : std::filesystem::temp_directory_path(error).string();
  path += "/minigrpc-XXXXXX";
  if (error || ::mkdtemp(path.data()) == nullptr) return unusable(errno, path, "creating it");
  return open(path);
}

Status DataDirectory::sync() const {
  for (const std::string& path : {path_, path_ + "/.."}) {
    const int fd = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    // A parent may be closed to us, and some file systems sync no directories: then there is nothing to be
    // done.
    if (fd < 0) continue;
    const int error = ::fsync(fd) == 0 ? 0 : errno;
    ::close(fd);
    if (error != 0 && error != EINVAL && error != EROFS && error != EBADF)
      return unusable(error, path_, "bringing it to the disk");
  }
  return {};
}

void DataDirectory::remove() {
  std::error_code ignored;  // at worst a directory is left behind for the system to clear
  std::filesystem::remove_all(path_, ignored);
}

DataDirectory::~DataDirectory() {
  if (lock_fd_ >= 0) ::close(lock_fd_);
}

}  // namespace minigrpc::store
