// The keyspace as one transaction sees it: a key's version at a revision, the log, walks over a range.
//
// Thread rule: that of its transaction. Bytes handed out are borrowed from the transaction: until it ends or,
// in a write transaction, until its next write.
#pragma once

#include <minigrpc/result.h>

#include <array>
#include <limits>
#include <optional>
#include <string_view>

#include "store/key_table.h"
#include "store/recent_links.h"
#include "store/record.h"
#include "store/table_txn.h"
#include "store/types.h"

namespace minigrpc::store {

// meta:       name              -> state, and fixed-size numbers
// log:        revision          -> event            everything that happened since the compaction
// live:       key               -> latest version   the keys that exist
// dead:       key               -> tombstone        the keys that do not, but did since the compaction
// lease:      id                -> TTL
// lease_keys: lease id + key    -> nothing
// records:    name              -> bytes            the registry's own: users, roles, alarms
//
// The journal names them by LMDB's handles, which are numbers in order of opening: that order never changes.
struct Tables {
  MDB_dbi meta = 0;
  MDB_dbi log = 0;
  MDB_dbi lease = 0;
  KeyTable live;
  KeyTable dead;
  KeyTable lease_keys;
  KeyTable records;

  static Result<Tables> open(lmdb::Txn& txn, bool create);
  bool has(MDB_dbi table) const;
  // Pages of LMDB that hold data, its own two tables included.
  std::size_t pages_in_use(const lmdb::Txn& txn) const;
};

inline constexpr std::int64_t kLatest = std::numeric_limits<std::int64_t>::max();

// What a record that is missing or does not decode is called to the caller.
Status damaged(std::string_view what);

struct Snapshot {
  const TableTxn& txn;
  const Tables& tables;
  State state;

  // nullopt: the key does not exist.
  Result<std::optional<LiveRecord>> live(std::string_view key) const;
  Result<std::optional<Revision>> tombstone(std::string_view key) const;
  // nullopt: there is none, compacted or never written.
  Result<std::optional<LogRecord>> log(Revision revision) const;
  // The same where it has to be there: the latest version of a key, or one that is not compacted.
  Result<LogRecord> log_required(Revision revision) const;

  // The value where `record` has it or points to.
  Result<KeyValueView> load(std::string_view key, const LiveRecord& record, bool with_value) const;
  // The version of the key at main revision `at`, not compacted, found backwards from a later version of it.
  // nullopt: the key did not exist then.
  Result<std::optional<KeyValueView>> version_at(Revision newer, std::int64_t at) const;
  // The same for any key; `at` may be kLatest. The result's key is the caller's or the log's.
  Result<std::optional<KeyValueView>> find(std::string_view key, std::int64_t at, bool with_value) const;
  // Of the version that follows `prev` (0: the first one), whose own is `of_prev`, where that is known.
  Result<Ancestry> ancestry_after(Revision prev, const std::optional<Ancestry>& of_prev,
                                  const RecentLinks& recent) const;
};

// Walks the keys of a range that exist at a revision, in key order.
class VersionCursor {
 public:
  // `snapshot` is borrowed; `keys` until the cursor ends. `at` is not compacted, or kLatest.
  VersionCursor(const Snapshot& snapshot, KeyRange keys, std::int64_t at);

  bool valid() const { return current_ != nullptr; }
  void next();
  std::string_view key() const { return current_->key(); }
  // Whether key() outlives the cursor, as the values always do.
  bool key_is_stable() const { return current_->key_is_stable(); }
  Result<KeyValueView> load(bool with_value) const;
  Status status() const;

 private:
  void settle();
  // Whether the key under `current_` exists at at_; fills found_ if the log had to tell.
  bool visible();
  bool in_range(const KeyCursor& cursor) const;

  const Snapshot& snapshot_;
  KeyRange keys_;
  std::int64_t at_;
  KeyCursor live_;
  std::optional<KeyCursor> dead_;  // none at kLatest
  KeyCursor* current_ = nullptr;
  std::optional<KeyValueView> found_;
  Status status_;
};

}  // namespace minigrpc::store
