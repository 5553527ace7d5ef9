// What a store, its views and its batches share. Internal to this folder's store.cc, read_view.cc and
// write_batch.cc.
//
// Thread rule: `views` and its mutex are for any thread, `env`, `tables` and `identity` do not change, the
// rest is the writer's.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <vector>

#include "store/data_directory.h"
#include "store/leases.h"
#include "store/lmdb.h"
#include "store/snapshot.h"
#include "store/store.h"

namespace minigrpc::store {

struct ReadView::Impl {
  Store::Impl* store = nullptr;
  lmdb::Txn txn;
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
  Leases leases;
  Status health;
  bool batch_is_open = false;
  std::atomic<std::size_t> refused_bytes{0};  // the writer's to set, anybody's to read
  ViewPool views;

  explicit Impl(const Options& o, DataDirectory d) : options(o), directory(std::move(d)) {}
  // Refuses writes from now on.
  void fail(const Status& why);
  Status open();
  Status open_tables();
  Status create(lmdb::Txn& txn);
  Status load(const lmdb::Txn& txn);
  Status load_leases(const lmdb::Txn& txn);
  Result<std::unique_ptr<ReadView::Impl>> take_view();
  void give_back(std::unique_ptr<ReadView::Impl> view);
};

Result<State> read_state(const lmdb::Txn& txn, const Tables& tables);

}  // namespace minigrpc::store
