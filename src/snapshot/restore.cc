#include "snapshot/restore.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <system_error>

#include "etcd/api/lease_record.pb.h"
#include "etcd/api/mvcc.pb.h"
#include "snapshot/etcd_schema.h"
#include "store/data_directory.h"
#include "store/journal.h"

namespace minigrpc::snapshot {

namespace {

// Records of one commit: what LMDB holds in memory meanwhile.
constexpr int kBatchMax = 10'000;
// The database may be larger than the snapshot: a key's latest small value stands in two tables.
constexpr std::size_t kQuotaFactor = 8;
constexpr std::size_t kQuotaMin = std::size_t{2} << 30;

Status no_sense(const std::string& what) {
  return {StatusCode::kDataLoss, "the snapshot is damaged, or not of an etcd: " + what};
}

Result<bbolt::Bucket> bucket(const bbolt::Reader& reader, std::string_view name) {
  Result<std::optional<bbolt::Bucket>> found = reader.find_bucket(name);
  if (!found) return found.error();
  if (!found->has_value()) return no_sense("there is no bucket \"" + std::string(name) + "\"");
  return **found;
}

// What the small buckets tell.
struct Facts {
  std::int64_t compact_revision = 0;
};

Result<Facts> read_facts(const bbolt::Reader& reader) {
  Facts facts;
  const Result<bbolt::Bucket> meta = bucket(reader, buckets::kMeta);
  if (!meta) return meta.error();
  Status status = reader.walk(*meta, [&](const bbolt::Entry& entry) -> Status {
    if (entry.key != meta_keys::kScheduledCompact && entry.key != meta_keys::kFinishedCompact) return {};
    const std::optional<RevisionKey> key = decode_revision_key(entry.value);
    if (!key) return no_sense("its compacted revision");
    facts.compact_revision = std::max(facts.compact_revision, key->revision.main);
    return {};
  });
  if (!status.ok()) return status;
  return facts;
}

// Fills a new store, some thousand records a commit.
class Filling {
 public:
  explicit Filling(store::Store& store) : store_(store) {}

  template <class Write>
  Status write(Write write_record) {
    if (!batch_) {
      Result<store::WriteBatch> begun = store_.begin();
      if (!begun) return begun.error();
      batch_.emplace(*std::move(begun));
    }
    if (Status status = write_record(*batch_); !status.ok()) return status;
    return ++in_batch_ < kBatchMax ? Status() : commit();
  }
  Status commit() {
    if (!batch_) return {};
    Result<store::Committed> committed = batch_->commit();
    batch_.reset();
    in_batch_ = 0;
    return committed.status();
  }

 private:
  store::Store& store_;
  std::optional<store::WriteBatch> batch_;
  int in_batch_ = 0;
};

Status fill_leases(const bbolt::Reader& reader, Filling& filling, Restored& restored) {
  const Result<bbolt::Bucket> leases = bucket(reader, buckets::kLease);
  if (!leases) return leases.error();
  return reader.walk(*leases, [&](const bbolt::Entry& entry) -> Status {
    leasepb::Lease lease;
    if (!lease.ParseFromArray(entry.value.data(), static_cast<int>(entry.value.size()))) return no_sense("a lease");
    ++restored.leases;
    return filling.write([&](store::WriteBatch& batch) {
      const store::LeaseGrantRequest grant{.id = lease.id(), .ttl_s = lease.ttl(), .now_ms = 0};
      return batch.lease_grant(grant).status();
    });
  });
}

// Users, roles and whether they count, as etcd has them: the registry reads that form.
Status fill_auth(const bbolt::Reader& reader, Filling& filling) {
  for (const std::string_view name : {buckets::kAuth, buckets::kAuthRoles, buckets::kAuthUsers}) {
    const Result<std::optional<bbolt::Bucket>> found = reader.find_bucket(name);
    if (!found) return found.error();
    if (!found->has_value()) continue;
    const std::string prefix = std::string(name) + "/";
    Status status = reader.walk(**found, [&](const bbolt::Entry& entry) -> Status {
      return filling.write([&](store::WriteBatch& batch) {
        return batch.put_record(prefix + std::string(entry.key), entry.value);
      });
    });
    if (!status.ok()) return status;
  }
  return {};
}

// The event of one record; the message holds its bytes.
Result<store::EventView> to_event(const bbolt::Entry& entry, mvccpb::KeyValue& message) {
  const std::optional<RevisionKey> at = decode_revision_key(entry.key);
  if (!at) return no_sense("a key that is no revision");
  if (!message.ParseFromArray(entry.value.data(), static_cast<int>(entry.value.size())))
    return no_sense("the record of revision " + std::to_string(at->revision.main));
  store::EventView event{at->tombstone ? store::EventType::kDelete : store::EventType::kPut, at->revision, {}, {}};
  event.kv.key = message.key();
  if (at->tombstone || message.key().empty()) return event;
  event.kv = {message.key(),     message.value(),   message.create_revision(), message.mod_revision(),
              message.version(), message.lease()};
  if (event.kv.mod_revision != at->revision.main || event.kv.create_revision > event.kv.mod_revision ||
      event.kv.create_revision <= 0 || event.kv.version <= 0)
    return no_sense("the versions of revision " + std::to_string(at->revision.main));
  return event;
}

Status fill_keys(const bbolt::Reader& reader, Filling& filling, Restored& restored) {
  const Result<bbolt::Bucket> keys = bucket(reader, buckets::kKey);
  if (!keys) return keys.error();
  mvccpb::KeyValue message;
  return reader.walk(*keys, [&](const bbolt::Entry& entry) -> Status {
    const Result<store::EventView> event = to_event(entry, message);
    if (!event) return event.error();
    restored.revision = event->revision.main;
    // etcdutl raises a revision with a record of no key.
    if (event->kv.key.empty()) return {};
    ++restored.changes;
    return filling.write([&](store::WriteBatch& batch) { return batch.replay(*event); });
  });
}

Result<Restored> fill(const bbolt::Reader& reader, const RestoreOptions& options, store::Store& store) {
  const Result<Facts> facts = read_facts(reader);
  if (!facts) return facts.error();
  Restored restored{.revision = 1};
  Filling filling(store);
  if (Status status = fill_leases(reader, filling, restored); !status.ok()) return status;
  if (Status status = fill_auth(reader, filling); !status.ok()) return status;
  if (Status status = fill_keys(reader, filling, restored); !status.ok()) return status;
  restored.revision = std::max(restored.revision, facts->compact_revision) + options.bump_revision;
  restored.compact_revision = options.bump_revision > 0 ? restored.revision : facts->compact_revision;
  const auto end = [&](store::WriteBatch& batch) {
    return batch.replay_end(restored.revision, restored.compact_revision);
  };
  if (Status status = filling.write(end); !status.ok()) return status;
  if (Status status = filling.commit(); !status.ok()) return status;
  return restored;
}

Status system_error(const std::string& doing, int error) {
  return {StatusCode::kUnavailable, doing + ": " + std::generic_category().message(error)};
}

// Makes what was built the data directory's own: from here on it counts.
Status move_in(const std::string& from, const std::string& data_dir) {
  const std::string file = data_dir + "/data.mdb";
  // Of a database that somebody has taken away.
  if (Status status = store::Journal::remove(data_dir); !status.ok()) return status;
  if (::rename((from + "/data.mdb").c_str(), file.c_str()) != 0) return system_error("making " + file, errno);
  const int fd = ::open(data_dir.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0 || ::fsync(fd) != 0) {
    Status status = system_error("writing " + data_dir, errno);
    if (fd >= 0) ::close(fd);
    return status;
  }
  ::close(fd);
  return {};
}

Result<Restored> build(const bbolt::Reader& reader, const RestoreOptions& options, const std::string& directory) {
  const std::size_t size = reader.meta().end * reader.meta().page_size;
  store::Options store_options{.directory = directory, .identity = options.identity};
  store_options.quota_bytes = std::max(kQuotaMin, size * kQuotaFactor);
  Result<std::unique_ptr<store::Store>> store = store::Store::open(store_options);
  if (!store) return store.error();
  Result<Restored> restored = fill(reader, options, **store);
  // Only the database moves in, without its journal.
  if (restored)
    if (Status status = (*store)->checkpoint(); !status.ok()) restored = status;
  return restored;
}

}  // namespace

Result<Restored> restore(const RestoreOptions& options) {
  detail::require(options.bump_revision >= 0, "a revision bumped downwards");
  const Result<SnapshotFile> file = SnapshotFile::open(options.snapshot, options.hash_check);
  if (!file) return file.error();
  const Result<store::DataDirectory> directory = store::DataDirectory::open(options.data_dir);
  if (!directory) return directory.error();
  if (::access((options.data_dir + "/data.mdb").c_str(), F_OK) == 0)
    return Status(StatusCode::kAlreadyExists, "data directory " + options.data_dir +
                                                  " has data: choose another one to restore into, or start without "
                                                  "restoring");
  const std::string building = options.data_dir + "/restoring";
  std::error_code ignored;
  std::filesystem::remove_all(building, ignored);
  Result<Restored> restored = build(file->reader(), options, building);
  if (restored)
    if (Status status = move_in(building, options.data_dir); !status.ok()) restored = status;
  std::filesystem::remove_all(building, ignored);
  return restored;
}

}  // namespace minigrpc::snapshot
