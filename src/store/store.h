// The keyspace of an etcd v3 registry: every version of every key, leases, history; durable in a journal and
// LMDB.
//
// One writer thread and any number of readers:
//   - Store::open(), begin(), the WriteBatch and, where nothing else is said, leases belong to one thread, the writer.
//     One batch is open at a time.
//   - read(), snapshot_copy(), size() and identity() may be called from any thread. A ReadView is used by one
//     thread at a time; it may move between threads.
// There is no clock in here: `now_ms` is monotonic time in milliseconds, whatever its zero.
//
//   Result<WriteBatch> batch = store.begin();
//   Result<PutResult> a = batch->put({.key = "k", .value = "v"});   // concurrent requests, one after the other
//   Result<TxnResult> b = batch->txn(request);
//   Result<Committed> done = batch->commit();                       // one fsync for all of them
//   if (!done) ... every request of the batch failed with done.error(); nothing of it exists
//   else       ... answer a and b, then publish done->events to the watchers
//
//   Result<ReadView> view = store.read();
//   Result<RangeResult> range = view->range({.keys = {"prefix/", "prefix0"}});
//
// Errors are etcd's, text included, wherever etcd has one (errors.h lists them). Further:
//   DATA_LOSS            a record does not decode: the file is damaged
//   RESOURCE_EXHAUSTED   the quota is used up (etcd's NOSPACE), or the disk is full: the store stays usable
//   UNAVAILABLE          the disk failed; writes are refused from then on (health() says so); reads go on,
//   unless it
//                        failed in the last step of a commit
#pragma once

#include <minigrpc/result.h>

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "store/types.h"

namespace minigrpc::store {

namespace lmdb {
struct FaultPlan;
}

// Drawn once when a data directory is created, and kept in it.
struct Identity {
  std::uint64_t cluster_id = 0;
  std::uint64_t member_id = 0;
  friend bool operator==(const Identity&, const Identity&) = default;
};

struct Options {
  // Created if it is not there (its parent must be). Empty: an unlinked temporary directory in /dev/shm (or
  // $TMPDIR) without fsync, gone with the process.
  std::string directory{};
  // For a new directory, neither id 0; an existing one keeps its own.
  Identity identity{};
  // Monotonic time at the start: every lease gets its full TTL again from here, as in etcd.
  std::int64_t now_ms = 0;
  // false: a commit returns before it is on disk. A crash of the process loses nothing, one of the machine
  // may lose or corrupt all.
  bool fsync = true;
  // Puts, puts in transactions and lease grants are refused with NOSPACE beyond this; deletions, revocations
  // and compaction have headroom behind it, and what they free can be used again at once.
  std::size_t quota_bytes = std::size_t{2} << 30;
  // Views open at the same time, pooled ones included.
  unsigned readers_max = 1024;
  // Operations of one transaction (etcd's --max-txn-ops).
  std::size_t txn_ops_max = 128;
  // A shorter TTL is raised to this; etcd derives it from its election timeout, 2 s by default.
  std::int64_t lease_ttl_min_s = 2;
  // Bytes that the journal gathers before they go into the database: time to start after a crash; and memory,
  // half as much again, and the same for what gathers meanwhile, twice if the disk falls behind.
  std::size_t journal_size = std::size_t{16} << 20;
  // What was written goes into the database after this time, however little it is: a registry that has become
  // quiet keeps none of that memory.
  std::chrono::milliseconds journal_time = std::chrono::seconds(10);
  // For tests: which writes to the database fail. Borrowed until the store ends.
  lmdb::FaultPlan* faults = nullptr;
};

struct Committed {
  std::int64_t revision = 0;  // the store's after this batch
  // In order of revision. Empty when the batch changed no key.
  std::vector<Event> events;
};

struct CompactStep {
  bool done = true;         // nothing is left to remove
  std::size_t scanned = 0;  // log entries looked at
  std::size_t removed = 0;  // log entries removed
};

struct HistoryRequest {
  Revision from{};  // {revision, 0} for "from that revision on"
  KeyRange keys{};  // an empty key: all keys
  bool prev_kv = false;
  // Stops after the revision in which one of these is reached; 0 is no bound.
  std::size_t events_max = 0;
  std::size_t bytes_max = 0;
};

struct HistoryResult {
  // Where the next call goes on: {from, 0} of a later revision, or inside one when the callback stopped
  // there.
  Revision next;
  bool done = true;  // everything up to the view's revision was visited
};

struct Size {
  std::size_t total_bytes = 0;   // on the disk, pages that wait for reuse included
  std::size_t in_use_bytes = 0;  // pages that hold data
  std::size_t quota_bytes = 0;
  // What the last request that asked for room would have added beyond the quota; 0 when it was let in.
  std::size_t refused_bytes = 0;

  // Whether the quota is used up for what comes: it is not any more as soon as there is room.
  bool full() const { return in_use_bytes >= quota_bytes || in_use_bytes + refused_bytes > quota_bytes; }
};

// Bytes that the registry keeps beside the keyspace, under a name of any length.
struct Record {
  std::string name;
  std::string bytes;
  friend bool operator==(const Record&, const Record&) = default;
};

// The last committed state at one moment. Cheap to make; holding one keeps the pages that it can see from
// being reused, so hold it for one request, not for a connection. Must end before its Store.
class ReadView {
 public:
  ReadView(ReadView&&) noexcept;
  ReadView& operator=(ReadView&&) noexcept;
  ~ReadView();

  std::int64_t revision() const;
  std::int64_t compact_revision() const;

  // INVALID_ARGUMENT for an empty key; OUT_OF_RANGE for a compacted or a future revision.
  Result<RangeResult> range(const RangeRequest& request) const;
  // A transaction that is_read_only(), asserted; checked like one in a batch.
  Result<TxnResult> txn(const TxnRequest& request) const;

  // Hands the committed events from `request.from` on to `visit`, oldest first, until a bound is reached, it
  // returns false (that event counts as visited), or all are done. The event is borrowed until visit returns.
  // OUT_OF_RANGE below compact_revision(), which the caller then tells the watcher; at it, nothing is
  // missing. A `from` beyond revision() is no error: there is nothing yet.
  Result<HistoryResult> history(const HistoryRequest& request,
                                const std::function<bool(const EventView&)>& visit) const;

  // The keys attached to a lease, in key order; none for an unknown lease.
  Result<std::vector<std::string>> lease_keys(LeaseId id) const;
  // Those whose name begins with `prefix`, in order of name.
  Result<std::vector<Record>> records(std::string_view prefix) const;

  // For a backup. Every event that is still kept, oldest first: those below compact_revision() that were not
  // superseded, and some that were, while compaction goes on. Ends with the first error of `visit`.
  Status every_event(const std::function<Status(const EventView&)>& visit) const;
  // Every lease with its TTL in seconds, in order of id.
  Status every_lease(const std::function<Status(LeaseId, std::int64_t ttl_s)>& visit) const;

  struct Impl;  // internal

 private:
  friend class Store;
  explicit ReadView(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

// Requests applied one after the other, each seeing those before it, committed together. A request that is
// refused leaves no trace. Dropping a batch without commit() rolls it back.
//
// Only a failing disk or a damaged file can break a request half way; then the whole batch is broken: this
// and every later call on it, commit() included, return that error, and nothing of it exists. The caller may
// apply its requests again one by one, each in a batch of its own, so that only the culprit fails.
class WriteBatch {
 public:
  WriteBatch(WriteBatch&&) noexcept;
  WriteBatch& operator=(WriteBatch&&) noexcept;
  ~WriteBatch();

  // The revision after the requests so far.
  std::int64_t revision() const;
  std::int64_t compact_revision() const;

  // INVALID_ARGUMENT (empty key; ignore_value with a value, ignore_lease with a lease, either without the
  // key), NOT_FOUND (lease), RESOURCE_EXHAUSTED (quota).
  Result<PutResult> put(const PutRequest& request);
  // Deleting nothing is no error, and no new revision.
  Result<DeleteRangeResult> delete_range(const DeleteRangeRequest& request);
  // All under one revision. As in etcd, compares (those of nested transactions too) look at the state before
  // the transaction, ranges see its earlier writes. Errors of put and range, and INVALID_ARGUMENT for a key
  // written twice or for more than Options::txn_ops_max operations.
  Result<TxnResult> txn(const TxnRequest& request);
  // Like ReadView::range, seeing this batch.
  Result<RangeResult> range(const RangeRequest& request);

  // FAILED_PRECONDITION if it exists, OUT_OF_RANGE for a TTL over 9,000,000,000 s. Its time runs from
  // `now_ms`; Store's lease queries know it after commit().
  Result<LeaseInfo> lease_grant(const LeaseGrantRequest& request);
  // Deletes the attached keys under one revision (none: no new revision), and the lease. Returns revision().
  // NOT_FOUND if it does not exist.
  Result<std::int64_t> lease_revoke(LeaseId id);

  // The keys attached to a lease now, in key order; none for an unknown lease.
  Result<std::vector<std::string>> lease_keys(LeaseId id);

  // Records of the registry's own: users, roles, alarms. They make no revision, no event and no history, and are small,
  // so the quota is not asked. `name` is not empty. Erasing one that is not there is no error.
  Status put_record(std::string_view name, std::string_view bytes);
  Status erase_record(std::string_view name);

  // From now on reads below `revision` are OUT_OF_RANGE; compact_step() removes what nobody can read any
  // more. OUT_OF_RANGE when it is already compacted, or lies in the future.
  Status compact(std::int64_t revision);
  // Looks at up to `entries_max` log entries below the compact revision, and removes the superseded. Its
  // place is kept on disk: after a restart, go on calling until done.
  Result<CompactStep> compact_step(std::size_t entries_max);

  // For restoring a backup into a new store, which has its leases already. Enters an event of elsewhere under the
  // revision that it had there, later than all before; nobody hears of it. Its prev_kv is not looked at, and the
  // quota neither.
  Status replay(const EventView& event);
  // After the last one, which was not later than `revision`: the revision from which the store goes on, and below
  // which reads are OUT_OF_RANGE; compact_step() removes what is too much.
  Status replay_end(std::int64_t revision, std::int64_t compact_revision);

  // Makes everything durable, or nothing. The batch is over either way.
  Result<Committed> commit();

  struct Impl;  // internal

 private:
  friend class Store;
  explicit WriteBatch(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

class Store {
 public:
  // FAILED_PRECONDITION when another process has the directory (the message names its pid) or when it was
  // written by another schema version; PERMISSION_DENIED, NOT_FOUND, UNAVAILABLE when it cannot be used,
  // DATA_LOSS when the file is damaged; the message says what to do.
  static Result<std::unique_ptr<Store>> open(const Options& options);
  ~Store();
  Store(const Store&) = delete;
  Store& operator=(const Store&) = delete;

  Identity identity() const;
  // OK, or why writes are refused until the process is started again. Writer.
  Status health() const;

  // Writer. Asserted: no other batch is open.
  Result<WriteBatch> begin();
  // Any thread.
  Result<ReadView> read();

  // Leases: the writer's. They know what has been committed.
  // Starts the TTL again from now_ms, without touching the disk. A lease that is due but not yet revoked is
  // renewed too. NOT_FOUND if it does not exist.
  Result<LeaseInfo> lease_renew(LeaseId id, std::int64_t now_ms);
  // Any thread: the same for a lease that is not due, so that it is not about to be revoked. nullopt: ask the
  // writer's.
  std::optional<LeaseInfo> lease_renew_in_time(LeaseId id, std::int64_t now_ms);
  Result<LeaseInfo> lease_info(LeaseId id, std::int64_t now_ms) const;
  // In order of id.
  std::vector<LeaseId> leases() const;
  // Up to `leases_max` leases that are due, the longest due first. They stay due until they are revoked or
  // renewed.
  std::vector<LeaseId> leases_expired(std::int64_t now_ms, std::size_t leases_max);
  // When the next lease is due (in the past: some are). None without leases.
  std::optional<std::int64_t> lease_next_expiry_ms();
  // Every lease gets its full TTL again: for a process that finds that it was stopped for long, so that
  // clients that could not reach it get the chance to renew.
  void leases_restart(std::int64_t now_ms);

  // Any thread. The batch that is open does not count.
  Result<Size> size();
  // Any thread, but not the writer while a batch is open: what was committed until now is in data.mdb when
  // this returns, no longer in the journal alone. RESOURCE_EXHAUSTED when the disk has no room for it.
  Status checkpoint();
  // Writer, between batches: gives the disk back what free pages take, as holes in the file; its length stays. Pages
  // that a view or the last commit but one can still see are left for the next time. The bytes given back. Where the
  // file system has no holes, 0.
  Result<std::size_t> reclaim();
  // Any thread: a consistent copy of the database while others read and write. It begins between two batches:
  // called by the writer with a batch open it would wait for ever. A new file at `path` (refused if there is
  // one), on disk when it returns; as `data.mdb` in an empty directory it is a data directory.
  Status snapshot_copy(const std::string& path);
  // The same into a descriptor, which stays the caller's. Of a pipe the writer waits until it took the first
  // 8 KiB.
  Status snapshot_copy(int fd);

  struct Impl;  // internal

 private:
  explicit Store(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace minigrpc::store
