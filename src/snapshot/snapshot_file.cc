#include "snapshot/snapshot_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

#include "snapshot/checksum.h"
#include "snapshot/etcd_schema.h"

namespace minigrpc::snapshot {

namespace {

// etcd's rule: pages are a multiple of this, so what is left over is a checksum.
constexpr std::size_t kSectorSize = 512;
bool has_checksum(std::size_t size) { return size % kSectorSize == kSha256Size; }

Status cannot_read(const std::string& path, int error) {
  StatusCode code = StatusCode::kUnavailable;
  if (error == ENOENT || error == ENOTDIR) code = StatusCode::kNotFound;
  if (error == EACCES || error == EPERM) code = StatusCode::kPermissionDenied;
  return {code, "cannot read snapshot " + path + ": " + std::generic_category().message(error)};
}

Result<std::string_view> map(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return cannot_read(path, errno);
  struct stat info {};
  int error = ::fstat(fd, &info) == 0 ? 0 : errno;
  if (error == 0 && !S_ISREG(info.st_mode)) error = S_ISDIR(info.st_mode) ? EISDIR : EINVAL;
  const auto size = static_cast<std::size_t>(info.st_size);
  void* address = nullptr;
  if (error == 0 && size > 0) {
    address = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (address == MAP_FAILED) error = errno;
  }
  ::close(fd);
  if (error != 0) return cannot_read(path, error);
  return std::string_view(static_cast<const char*>(address), size);
}

void unmap(std::string_view bytes) {
  if (!bytes.empty()) ::munmap(const_cast<char*>(bytes.data()), bytes.size());
}

std::string to_hex(std::string_view bytes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  for (const char byte : bytes) {
    text += kDigits[static_cast<unsigned char>(byte) >> 4];
    text += kDigits[static_cast<unsigned char>(byte) & 15];
  }
  return text;
}

// The database without its checksum.
Result<std::string_view> checked(std::string_view bytes, HashCheck check) {
  if (!has_checksum(bytes.size())) {
    if (check == HashCheck::kSkip) return bytes;
    return Status(StatusCode::kFailedPrecondition,
                  "snapshot missing hash but --skip-hash-check=false: it was not made by `snapshot save`, or was cut; "
                  "skip the check for a file copied from a data directory");
  }
  const std::string_view database = bytes.substr(0, bytes.size() - kSha256Size);
  if (check == HashCheck::kSkip) return database;
  Sha256 sha256;
  sha256.add(database);
  const std::string digest = sha256.digest();
  if (digest == bytes.substr(database.size())) return database;
  return Status(StatusCode::kDataLoss, "expected sha256 " + to_hex(bytes.substr(database.size())) + ", got " +
                                           to_hex(digest) + ": the snapshot is damaged, take another one");
}

Result<bbolt::Reader> open_database(std::string_view bytes, HashCheck check) {
  Result<std::string_view> database = checked(bytes, check);
  if (!database) return database.error();
  return bbolt::Reader::open(*database);
}

}  // namespace

Result<SnapshotFile> SnapshotFile::open(const std::string& path, HashCheck check) {
  Result<std::string_view> bytes = map(path);
  if (!bytes) return bytes.error();
  Result<bbolt::Reader> reader = open_database(*bytes, check);
  if (!reader) {
    unmap(*bytes);
    return Status(reader.error().code(), path + ": " + reader.error().message());
  }
  return SnapshotFile(*bytes, *std::move(reader));
}

SnapshotFile::~SnapshotFile() { unmap(bytes_); }

Result<FileStatus> SnapshotFile::status() const {
  FileStatus result;
  result.total_size = static_cast<std::int64_t>(reader_.meta().end * reader_.meta().page_size);
  Crc32c crc;
  const Status walked = reader_.walk(reader_.root(), [&](const bbolt::Entry& bucket) -> Status {
    if (!bucket.bucket) return {StatusCode::kDataLoss, "cannot get hash of bucket " + std::string(bucket.key)};
    crc.add(bucket.key);
    const bool of_keys = bucket.key == buckets::kKey;
    return reader_.walk(*bucket.bucket, [&](const bbolt::Entry& entry) -> Status {
      crc.add(entry.key);
      crc.add(entry.value);
      ++result.total_key;
      if (!of_keys) return {};
      const std::optional<RevisionKey> key = decode_revision_key(entry.key);
      if (!key) return {StatusCode::kDataLoss, "a key of bucket \"key\" is no revision"};
      result.revision = key->revision.main;
      return {};
    });
  });
  if (!walked.ok()) return walked;
  result.hash = crc.value();
  return result;
}

}  // namespace minigrpc::snapshot
