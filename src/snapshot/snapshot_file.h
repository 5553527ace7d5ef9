// SnapshotFile: a snapshot of an etcd or of a registry of ours, checked and open for reading.
//
// Thread rule: one thread at a time. The file must not be shortened while it is open.
#pragma once

#include <minigrpc/result.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "bbolt/reader.h"

namespace minigrpc::snapshot {

enum class HashCheck : bool { kSkip, kRequire };

// What `etcdctl snapshot status` tells.
struct FileStatus {
  std::uint32_t hash = 0;
  std::int64_t revision = 0;  // of the last change that is kept
  std::int64_t total_key = 0;  // records of all buckets
  std::int64_t total_size = 0;
};

class SnapshotFile {
 public:
  // NOT_FOUND or PERMISSION_DENIED when it cannot be read; FAILED_PRECONDITION when the checksum at its end is required
  // and missing, as in a file copied from a data directory; DATA_LOSS when it is wrong, or the file is no database.
  static Result<SnapshotFile> open(const std::string& path, HashCheck check);

  SnapshotFile(SnapshotFile&& other) noexcept
      : bytes_(std::exchange(other.bytes_, {})), reader_(std::move(other.reader_)) {}
  SnapshotFile& operator=(SnapshotFile&&) = delete;
  ~SnapshotFile();

  const bbolt::Reader& reader() const { return reader_; }
  // Reads everything. DATA_LOSS where something is damaged.
  Result<FileStatus> status() const;

 private:
  SnapshotFile(std::string_view bytes, bbolt::Reader reader) : bytes_(bytes), reader_(std::move(reader)) {}

  std::string_view bytes_;  // mapped
  bbolt::Reader reader_;
};

}  // namespace minigrpc::snapshot
