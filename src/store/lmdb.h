// LMDB with owners: an environment, transactions, cursors; errors become Status at one place.
//
// Thread rule: LMDB's own. One write transaction at a time, begun and ended on one thread; read transactions
// may move between threads (MDB_NOTLS). Bytes handed out are borrowed until the transaction ends or, in a
// write transaction, until its next write.
#pragma once

#include <lmdb.h>
#include <minigrpc/result.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace minigrpc::store::lmdb {

// Which write fails: a test counts the writes of a procedure, then lets each of them fail once.
struct FaultPlan {
  std::int64_t writes_before_failure = -1;  // negative: none fails
  int error = 0;                            // an errno, or one of LMDB's codes
  std::int64_t writes_seen = 0;             // puts, deletions and commits
  bool loses_writes = false;                // Env::lost_writes()

  bool next_write_fails() {
    ++writes_seen;
    return writes_before_failure >= 0 && writes_before_failure-- == 0;
  }
};

// What an LMDB code or errno means to a caller; `doing` goes before it in the message.
Status to_status(int code, std::string_view doing);

class Txn;

struct EnvOptions {
  std::string directory;
  std::size_t map_size = 0;
  unsigned tables_max = 16;
  unsigned readers_max = 126;
  bool fsync = true;
  FaultPlan* faults = nullptr;
};

class Env {
 public:
  Env() = default;
  static Result<Env> open(const EnvOptions& options);
  Env(Env&& other) noexcept { *this = std::move(other); }
  Env& operator=(Env&& other) noexcept {
    std::swap(env_, other.env_);
    std::swap(faults_, other.faults_);
    std::swap(witness_fd_, other.witness_fd_);
    return *this;
  }
  ~Env();

  Result<Txn> begin_write() const;
  Result<Txn> begin_read() const;
  MDB_env* get() const { return env_; }
  std::size_t page_size() const;
  // Whether the system failed to bring something to the disk since this was last asked. LMDB's EIO may also
  // mean that a write came up short because the disk is full, and then nothing is lost but that commit.
  bool lost_writes() const;
  // Why a commit failed, of which LMDB said `status`: RESOURCE_EXHAUSTED when there is no room and the next
  // one may succeed, another code when only opening the database again can tell what is there.
  Status after_failed_commit(Status status) const;
  // Of the file as far as it was ever used, free pages included.
  std::size_t file_size() const;
  // What the file takes on the disk: its holes are not counted.
  std::size_t disk_size() const;
  // Brings everything to the disk, where commits do not.
  Status sync() const;
  // Makes holes of the free pages that LMDB itself could write over now. Begins a write transaction. The bytes given
  // back; 0 where the file system has no holes.
  Result<std::size_t> punch_free_pages() const;

 private:
  MDB_env* env_ = nullptr;
  FaultPlan* faults_ = nullptr;
  // The data file again. Linux reports a failed write-back once to each descriptor: LMDB takes the report on
  // its own one without saying, this one gets it, too.
  int witness_fd_ = -1;
};

class Txn {
 public:
  Txn() = default;
  Txn(MDB_txn* txn, FaultPlan* faults) : txn_(txn), faults_(faults) {}
  Txn(Txn&& other) noexcept { *this = std::move(other); }
  Txn& operator=(Txn&& other) noexcept {
    std::swap(txn_, other.txn_);
    std::swap(faults_, other.faults_);
    return *this;
  }
  ~Txn() { abort(); }

  explicit operator bool() const { return txn_ != nullptr; }
  MDB_txn* get() const { return txn_; }

  Result<MDB_dbi> open_table(const char* name, bool create);
  Result<std::optional<std::string_view>> get(MDB_dbi table, std::string_view key) const;
  Status put(MDB_dbi table, std::string_view key, std::string_view value);
  // A key beyond every other of the table: fills pages instead of splitting them.
  Status append(MDB_dbi table, std::string_view key, std::string_view value);
  // false: it was not there.
  Result<bool> erase(MDB_dbi table, std::string_view key);
  // Pages that the table uses now, this transaction's changes included.
  std::size_t pages(MDB_dbi table) const;
  std::uint64_t entries(MDB_dbi table) const;

  // Ends the transaction, whatever it returns.
  Status commit();
  void abort();
  // Of a read transaction: gives the snapshot back and keeps the slot; then takes the latest snapshot.
  void reset() { mdb_txn_reset(txn_); }
  Status renew();

 private:
  Status write(MDB_dbi table, std::string_view key, std::string_view value, unsigned flags);

  MDB_txn* txn_ = nullptr;
  FaultPlan* faults_ = nullptr;
};

// Walks a table in key order. An error ends the walk, and stays in status().
class Cursor {
 public:
  Cursor(const Txn& txn, MDB_dbi table);
  Cursor(const Cursor&) = delete;
  Cursor& operator=(const Cursor&) = delete;
  ~Cursor();

  // To the first key that is not less; an empty key is the first of all.
  void seek(std::string_view key);
  void seek_last();
  void next() { move(MDB_NEXT); }
  void previous() { move(MDB_PREV); }

  bool valid() const { return code_ == 0; }
  std::string_view key() const { return {static_cast<const char*>(key_.mv_data), key_.mv_size}; }
  std::string_view value() const { return {static_cast<const char*>(value_.mv_data), value_.mv_size}; }
  bool failed() const { return code_ != 0 && code_ != MDB_NOTFOUND; }
  // OK at the end of the table.
  Status status() const;

 private:
  void move(MDB_cursor_op op) { code_ = mdb_cursor_get(cursor_, &key_, &value_, op); }

  MDB_cursor* cursor_ = nullptr;
  MDB_val key_{};
  MDB_val value_{};
  int code_ = MDB_NOTFOUND;
};

}  // namespace minigrpc::store::lmdb
