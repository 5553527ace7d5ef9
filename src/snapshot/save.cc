#include "snapshot/save.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <system_error>

#include "bbolt/writer.h"
#include "etcd/api/lease_record.pb.h"
#include "etcd/api/mvcc.pb.h"
#include "snapshot/checksum.h"
#include "snapshot/etcd_schema.h"

namespace minigrpc::snapshot {

namespace {

constexpr std::size_t kBufferSize = std::size_t{256} << 10;
constexpr std::size_t kFrontSize = 2 * bbolt::kPageSize;
// There is one member and no election.
constexpr std::uint64_t kTerm = 1;

Status system_error(const std::string& doing) {
  const bool full = errno == ENOSPC || errno == EDQUOT;
  return {full ? StatusCode::kResourceExhausted : StatusCode::kUnavailable,
          doing + ": " + std::generic_category().message(errno) +
              (full ? "; make room on the disk that holds it" : "; check the disk")};
}

Status write_at(int fd, std::string_view bytes, std::uint64_t offset) {
  while (!bytes.empty()) {
    const ssize_t written = ::pwrite(fd, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return system_error("writing the snapshot");
    bytes.remove_prefix(static_cast<std::size_t>(written));
    offset += static_cast<std::uint64_t>(written);
  }
  return {};
}

// Gathers pages into larger writes.
class Output {
 public:
  explicit Output(int fd) : fd_(fd) {}
  Status append(std::string_view bytes) {
    buffer_ += bytes;
    return buffer_.size() < kBufferSize ? Status() : flush();
  }
  Status flush() {
    if (Status status = write_at(fd_, buffer_, offset_); !status.ok()) return status;
    offset_ += buffer_.size();
    buffer_.clear();
    return {};
  }
  std::uint64_t end() const { return offset_; }

 private:
  int fd_;
  std::uint64_t offset_ = kFrontSize;
  std::string buffer_;
};

Status write_keys(const store::ReadView& view, bbolt::Writer& writer) {
  mvccpb::KeyValue message;
  std::string bytes;
  return view.every_event([&](const store::EventView& event) -> Status {
    const bool tombstone = event.type == store::EventType::kDelete;
    message.set_key(event.kv.key.data(), event.kv.key.size());
    message.set_value(event.kv.value.data(), event.kv.value.size());
    message.set_create_revision(event.kv.create_revision);
    message.set_mod_revision(tombstone ? 0 : event.kv.mod_revision);
    message.set_version(event.kv.version);
    message.set_lease(event.kv.lease);
    message.SerializeToString(&bytes);
    return writer.put(revision_key({event.revision, tombstone}), bytes);
  });
}

Status write_leases(const store::ReadView& view, bbolt::Writer& writer) {
  return view.every_lease([&](store::LeaseId id, std::int64_t ttl_s) -> Status {
    leasepb::Lease message;
    message.set_id(id);
    message.set_ttl(ttl_s);
    return writer.put(number(static_cast<std::uint64_t>(id)), message.SerializeAsString());
  });
}

// Users, roles and whether they count: the store keeps them in etcd's own form.
Status write_auth(const store::ReadView& view, std::string_view bucket, bbolt::Writer& writer) {
  const std::string prefix = std::string(bucket) + "/";
  const Result<std::vector<store::Record>> records = view.records(prefix);
  if (!records) return records.error();
  for (const store::Record& record : *records)
    if (Status status = writer.put(record.name.substr(prefix.size()), record.bytes); !status.ok()) return status;
  return {};
}

// In byte order, as every bucket. A compaction is said to be finished although some of what it removes may still be
// there: some versions of etcd would otherwise go on at the last revision that is kept, below the compacted one
// (etcd#17780). What is too much goes with the next compaction.
Status write_meta(const store::ReadView& view, store::Identity identity, bbolt::Writer& writer) {
  const std::int64_t compacted = view.compact_revision();
  const std::string compact_key = revision_key({{compacted, 0}, false});
  const std::string conf_state = R"({"voters":[)" + std::to_string(identity.member_id) + R"(],"auto_leave":false})";
  struct Record {
    std::string_view key;
    std::string value;
    bool wanted = true;
  };
  const std::array records{
      Record{meta_keys::kConfState, conf_state},
      Record{meta_keys::kConsistentIndex, number(static_cast<std::uint64_t>(view.revision()))},
      Record{meta_keys::kFinishedCompact, compact_key, compacted > 0},
      Record{meta_keys::kScheduledCompact, compact_key, compacted > 0},
      Record{meta_keys::kTerm, number(kTerm)},
  };
  for (const Record& record : records) {
    if (!record.wanted) continue;
    if (Status status = writer.put(record.key, record.value); !status.ok()) return status;
  }
  return {};
}

// Members are those of the cluster that will be restored, which says who they are; a restore that finds others must
// remove them first, and not every version of it does.
Status write_buckets(const store::ReadView& view, store::Identity identity, bbolt::Writer& writer) {
  for (const std::string_view name :
       {buckets::kAlarm, buckets::kAuth, buckets::kAuthRoles, buckets::kAuthUsers, buckets::kCluster, buckets::kKey,
        buckets::kLease, buckets::kMembers, buckets::kMembersRemoved, buckets::kMeta}) {
    Status status = writer.begin_bucket(name);
    if (status.ok() && name == buckets::kKey) status = write_keys(view, writer);
    if (status.ok() && name == buckets::kLease) status = write_leases(view, writer);
    if (status.ok() && (name == buckets::kAuth || name == buckets::kAuthRoles || name == buckets::kAuthUsers))
      status = write_auth(view, name, writer);
    if (status.ok() && name == buckets::kMeta) status = write_meta(view, identity, writer);
    if (!status.ok()) return status;
  }
  return {};
}

Status append_checksum(int fd, std::uint64_t size) {
  Sha256 sha256;
  std::string chunk(kBufferSize, '\0');
  for (std::uint64_t offset = 0; offset < size;) {
    const ssize_t got = ::pread(fd, chunk.data(), chunk.size(), static_cast<off_t>(offset));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return system_error("reading the snapshot back");
    sha256.add({chunk.data(), static_cast<std::size_t>(got)});
    offset += static_cast<std::uint64_t>(got);
  }
  return write_at(fd, sha256.digest(), size);
}

Status save_on_disk(const store::ReadView& view, store::Identity identity, int fd) {
  if (Status status = save(view, identity, fd); !status.ok()) return status;
  return ::fsync(fd) == 0 ? Status() : system_error("writing the snapshot");
}

Status sync_directory(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return system_error("opening " + path);
  const bool synced = ::fsync(fd) == 0;
  Status status = synced ? Status() : system_error("writing " + path);
  ::close(fd);
  return status;
}

}  // namespace

Status save(const store::ReadView& view, store::Identity identity, int fd) {
  Output output(fd);
  bbolt::Writer writer([&](std::string_view pages) { return output.append(pages); });
  if (Status status = write_buckets(view, identity, writer); !status.ok()) return status;
  const Result<std::string> front = writer.finish();
  if (!front) return front.error();
  if (Status status = output.flush(); !status.ok()) return status;
  if (Status status = write_at(fd, *front, 0); !status.ok()) return status;
  return append_checksum(fd, output.end());
}

Status save(const store::ReadView& view, store::Identity identity, const std::string& path) {
  const std::string part = path + ".part";
  const int fd = ::open(part.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (fd < 0) return system_error("creating " + part);
  Status status = save_on_disk(view, identity, fd);
  ::close(fd);
  if (status.ok() && ::rename(part.c_str(), path.c_str()) != 0) status = system_error("renaming " + part);
  if (!status.ok()) {
    ::unlink(part.c_str());
    return status;
  }
  const std::string directory = std::filesystem::path(path).parent_path().string();
  return sync_directory(directory.empty() ? "." : directory);
}

}  // namespace minigrpc::snapshot
