// What a store, its views and its batches share. Internal to this folder's store.cc, read_view.cc and
// write_batch.cc.
//
// Thread rule: `views` and its mutex are for any thread, `env`, `tables` and `identity` do not change, the
// rest is the writer's.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "store/checkpoints.h"
#include "store/data_directory.h"
#include "store/leases.h"
#include "store/snapshot.h"
#include "store/store.h"
#include "store/table_txn.h"

namespace minigrpc::store {

struct ReadView::Impl {
  Store::Impl* store = nullptr;
  TableTxn txn;
  State state;

  Snapshot snapshot() const;
};

// Views that wait for their next use: a view that is made anew costs a lock on LMDB's reader table, a renewed
// one does not.
struct ViewPool {
  std::mutex mutex;
  std::vector<std::unique_ptr<ReadView::Impl>> idle;
  std::size_t in_use = 0;
};

struct Store::Impl {
  Options options;
  DataDirectory directory;
  Identity identity;
  lmdb::Env env;
  Tables tables;
  // None where commits need not outlive the machine: then they go to LMDB itself. Ends before what it
  // borrows.
  std::optional<Checkpoints> checkpoints;
  Leases leases;
  RecentLinks recent_links;  // the writer's
  Status health;
  bool batch_is_open = false;
  std::atomic<std::size_t> refused_bytes{0};  // the writer's to set, anybody's to read
  ViewPool views;

  explicit Impl(const Options& o, DataDirectory d) : options(o), directory(std::move(d)) {}
  bool durable() const { return options.fsync && !options.directory.empty(); }
  // Refuses writes from now on.
  void fail(const Status& why);
  // Whether writes are refused, noticing what checkpoints found out.
  const Status& check_health();
  Status open();
  Status open_journal();
  Result<std::uint64_t> open_tables(const Journal* journal);
  Status create(lmdb::Txn& txn);
  Status load_identity(lmdb::Txn& txn);
  Status load_leases(const lmdb::Txn& txn);
  Status close();
  // What the quota is compared with: LMDB's pages, and what will become some.
  std::size_t bytes_in_use(const TableTxn& txn) const { return pages_size(txn) + txn.layers().data_size(); }
  std::size_t pages_size(const TableTxn& txn) const;
  bool quota_is_used_up(std::size_t in_use) const;
  // Pages that the last commit of LMDB freed are free for others only after one more.
  Status commit_nothing();
  Result<TableTxn> begin_txn();
  void end_txn();
  // Takes LMDB's snapshot and what lies over it. `txn` is new, or was reset.
  Status take_moment(TableTxn& txn);
  Result<std::unique_ptr<ReadView::Impl>> take_view();
  void give_back(std::unique_ptr<ReadView::Impl> view);
};

Result<State> read_state(const TableTxn& txn, const Tables& tables);

}  // namespace minigrpc::store
