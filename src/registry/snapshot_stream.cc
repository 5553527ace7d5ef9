#include "registry/snapshot_stream.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <string>
#include <system_error>
#include <utility>

#include "snapshot/checksum.h"
#include "snapshot/save.h"

namespace minigrpc::registry {

namespace {

// As etcd sends them.
constexpr std::size_t kChunkSize = 32 * 1024;

// A file that goes with its descriptor.
class Spool {
 public:
  Spool() = default;
  explicit Spool(int fd) : fd_(fd) {}
  Spool(Spool&& other) noexcept : fd_(std::exchange(other.fd_, -1)), size_(other.size_) {}
  Spool& operator=(Spool&&) = delete;
  ~Spool() {
    if (fd_ >= 0) ::close(fd_);
  }

  int fd() const { return fd_; }
  std::uint64_t size() const { return size_; }
  Status measure() {
    struct stat info {};
    if (::fstat(fd_, &info) != 0) return failed("measuring");
    size_ = static_cast<std::uint64_t>(info.st_size);
    return Status();
  }
  Status read(std::uint64_t offset, std::string& chunk) const {
    for (std::size_t filled = 0; filled < chunk.size();) {
      const ssize_t got = ::pread(fd_, chunk.data() + filled, chunk.size() - filled, static_cast<off_t>(offset + filled));
      if (got < 0 && errno == EINTR) continue;
      if (got <= 0) return failed("reading");
      filled += static_cast<std::size_t>(got);
    }
    return Status();
  }
  static Status failed(const std::string& doing) {
    return {StatusCode::kUnavailable, doing + " the snapshot: " + std::generic_category().message(errno)};
  }

 private:
  int fd_ = -1;
  std::uint64_t size_ = 0;
};

Result<Spool> make_spool(const std::string& data_dir) {
  if (data_dir.empty()) {
    const int fd = ::memfd_create("minigrpc-snapshot", MFD_CLOEXEC);
    if (fd < 0) return Spool::failed("making");
    return Spool(fd);
  }
  std::string path = data_dir + "/snapshot-XXXXXX";
  const int fd = ::mkostemp(path.data(), O_CLOEXEC);
  if (fd < 0) return Spool::failed("making");
  ::unlink(path.c_str());
  return Spool(fd);
}

Result<Spool> save_to_spool(Member& member) {
  Result<Spool> spool = make_spool(member.options().data_dir);
  if (!spool) return spool;
  const Result<store::ReadView> view = member.store().read();
  if (!view) return view.error();
  if (Status status = snapshot::save(*view, member.identity(), spool->fd()); !status.ok()) return status;
  if (Status status = spool->measure(); !status.ok()) return status;
  return spool;
}

}  // namespace

Task<Status> stream_snapshot(Member& member, Runtime& runtime, ServerWriter<etcdserverpb::SnapshotResponse>& writer) {
  const auto save = [&member] { return save_to_spool(member); };
  Task<Result<Spool>> saving = runtime.blocking(save);
  const Result<Spool> spool = co_await saving;
  if (!spool) {
    member.log().warn("a snapshot failed", {{"error", spool.error().message()}});
    co_return spool.error();
  }
  member.log().info("sending a snapshot", {{"bytes", std::to_string(spool->size())}});
  // The checksum is a message of its own, and no part of what remains.
  const std::uint64_t database_size = spool->size() - snapshot::kSha256Size;
  etcdserverpb::SnapshotResponse response;
  response.set_version("3.5.0");
  for (std::uint64_t offset = 0; offset < spool->size();) {
    const std::uint64_t end = offset < database_size ? database_size : spool->size();
    std::string& chunk = *response.mutable_blob();
    chunk.resize(std::min<std::uint64_t>(kChunkSize, end - offset));
    if (Status status = spool->read(offset, chunk); !status.ok()) co_return status;
    offset += chunk.size();
    response.set_remaining_bytes(offset < database_size ? database_size - offset : 0);
    auto writing = writer.write(response);
    const bool taken = co_await writing;
    if (!taken) co_return server_stopped();
  }
  co_return Status();
}

}  // namespace minigrpc::registry
