// How commits become durable, and get into LMDB: a batch goes to the journal, with one sync, and into the
// overlay over LMDB, where readers find it; a thread brings what has gathered into LMDB, in one synced
// transaction.
//
//   commit ─▶ journal segment ─▶ active overlay ┐ freeze: full, or old, or somebody asked
//                                               ▼
//                LMDB ◀─ one transaction ─ frozen overlay; then its segment is free for the next commits
//
// LMDB keeps the sequence of the last batch that it has: what the journal holds beyond it is replayed at the
// start.
//
// Thread rule: begin(), commit() and end() belong to one thread, the writer; the rest is for any thread.
#pragma once

#include <minigrpc/result.h>

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <thread>

#include "store/journal.h"
#include "store/snapshot.h"
#include "store/table_txn.h"

namespace minigrpc::store {

// The sequence of the last batch that LMDB has.
Result<std::uint64_t> read_applied(const lmdb::Txn& txn, const Tables& tables);
Status write_applied(lmdb::Txn& txn, const Tables& tables, std::uint64_t sequence);
// Enters what the journal holds beyond that. Returns the sequence that LMDB then has.
Result<std::uint64_t> replay_journal(lmdb::Txn& txn, const Tables& tables, const Journal& journal,
                                     const Identity& identity);

struct CheckpointOptions {
  Identity identity;
  std::uint64_t applied = 0;     // of LMDB; the journal is empty
  std::size_t journal_size = 0;  // a segment that is larger is full
  std::chrono::milliseconds journal_time{};  // the longest that a batch waits for a checkpoint to begin
  lmdb::FaultPlan* faults = nullptr;
};

class Checkpoints {
 public:
  // `env` and `tables` are borrowed.
  Checkpoints(const lmdb::Env& env, const Tables& tables, Journal journal, const CheckpointOptions& options);
  // What is not in LMDB then is in the journal.
  ~Checkpoints();
  Checkpoints(const Checkpoints&) = delete;

  // What lies over LMDB now. A transaction of LMDB that was begun after this may be used with it, if what it
  // has applied is not later than layers.sequence.
  Layers layers() const;

  // Waits where checkpoints have fallen behind; RESOURCE_EXHAUSTED while they cannot go on. Ended by end().
  Result<TableTxn> begin();
  // Journal::append()'s errors. `txn` is over only after success.
  Status commit(TableTxn& txn);
  // After the transaction.
  void end();

  // What was committed before is in LMDB when this returns. Called by the writer with a batch open it would
  // wait for ever. RESOURCE_EXHAUSTED: there is no room now.
  Status checkpoint();
  // The same, later.
  void request();
  // OK, or why no checkpoint will ever succeed again.
  Status failure() const;
  // A checkpoint, and an empty journal; or the journal stays. Ends the thread: the last call.
  Status close();

 private:
  using Lock = std::unique_lock<std::mutex>;
  bool full() const { return journal_.size() >= options_.journal_size; }
  bool can_freeze() const { return !batch_is_open_ && !layers_.frozen && !allocating_; }
  // Whether anything is in the active overlay.
  bool gathers() const { return layers_.sequence != frozen_sequence_; }
  void freeze();
  void allocate_spare(Lock& lock);
  void attempt(Lock& lock);
  void run();
  void wait_for_work(Lock& lock);
  Status apply(const Overlay& overlay, std::uint64_t sequence) const;
  void stop();

  const lmdb::Env& env_;
  const Tables& tables_;
  const CheckpointOptions options_;
  Journal journal_;     // the writer's while a batch is open, else the lock's
  JournalBatch batch_;  // the writer's

  mutable std::mutex mutex_;
  std::condition_variable work_;     // the thread waits for something to do
  std::condition_variable attempt_;  // others wait for its next attempt
  Layers layers_;
  std::uint64_t frozen_sequence_ = 0;  // of the last batch that was frozen
  std::chrono::steady_clock::time_point gathers_since_;  // the oldest batch of the active overlay
  std::uint64_t applied_ = 0;
  bool batch_is_open_ = false;
  bool wanted_ = false;  // the active overlay is to be frozen as soon as that can be
  bool retry_ = false;
  bool stopping_ = false;
  std::size_t spare_goal_ = 0;  // how large the spare segment is, or is to become
  bool spare_wanted_ = false;
  bool allocating_ = false;  // the spare segment: it cannot be rotated to
  std::uint64_t attempts_ = 0;
  Status trouble_;  // of the last attempt, when the next one may succeed
  Status failure_;
  std::thread thread_;
};

}  // namespace minigrpc::store
