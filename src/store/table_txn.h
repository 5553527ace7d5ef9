// The tables at one moment: LMDB's, and over them the overlays of what was committed since its last
// checkpoint. The one place where the two come together; for what reads and writes tables there is no
// difference.
//
// Thread rule: one thread at a time, and LMDB's rules. Bytes handed out are borrowed until the transaction
// ends or, in one that writes, until its next write.
#pragma once

#include <array>
#include <cstdint>
#include <limits>
#include <memory>
#include <string>
#include <string_view>

#include "store/journal_format.h"
#include "store/lmdb.h"
#include "store/overlay.h"

namespace minigrpc::store {

// What lies over LMDB, the latest first. A frozen overlay is on its way into LMDB: over a database that has
// part of it already, or all, it changes nothing.
struct Layers {
  std::shared_ptr<Overlay> active;  // none: writes go to LMDB itself, and there is nothing over it
  std::shared_ptr<Overlay> frozen;
  std::uint64_t sequence = 0;  // of the last batch that is committed

  std::size_t data_size() const {
    return (active ? active->data_size() : 0) + (frozen ? frozen->data_size() : 0);
  }
};

class TableTxn {
 public:
  TableTxn() = default;
  // LMDB's alone: reads and, if `base` does, writes.
  explicit TableTxn(lmdb::Txn base) : base_(std::move(base)) {}
  // Reads both. What LMDB has must not be later than layers.sequence.
  TableTxn(lmdb::Txn base, Layers layers) : base_(std::move(base)), layers_(std::move(layers)) {}
  // Writes as well: into the active overlay, as the batch after layers.sequence, and into `batch`, which is
  // empty and borrowed until the transaction ends.
  TableTxn(lmdb::Txn base, Layers layers, JournalBatch* batch, lmdb::FaultPlan* faults);
  TableTxn(TableTxn&& other) noexcept { *this = std::move(other); }
  TableTxn& operator=(TableTxn&& other) noexcept;
  ~TableTxn() { abort(); }

  explicit operator bool() const { return static_cast<bool>(base_); }
  const lmdb::Txn& base() const { return base_; }
  lmdb::Txn& base() { return base_; }
  const Layers& layers() const { return layers_; }
  // Of a transaction that reads, before its next use.
  void set_layers(Layers layers) { layers_ = std::move(layers); }

  Result<std::optional<std::string_view>> get(MDB_dbi table, std::string_view key) const;
  Status put(MDB_dbi table, std::string_view key, std::string_view value);
  // A key beyond every other of the table.
  Status append(MDB_dbi table, std::string_view key, std::string_view value);
  // false: it was not there.
  Result<bool> erase(MDB_dbi table, std::string_view key);
  // A key that no other of the table is beyond, though it may have been erased; none in an empty table.
  Result<std::optional<std::string>> last_key(MDB_dbi table) const;

  // Of one that writes LMDB itself; it is over, whatever this returns.
  Status commit() { return base_.commit(); }
  // Of one that writes overlays: the batch is in the journal, and stays.
  void keep();
  void abort();

 private:
  friend class TableCursor;
  Status gather(MDB_dbi table, std::string_view key, std::optional<std::string_view> value);

  lmdb::Txn base_;
  Layers layers_;
  JournalBatch* batch_ = nullptr;  // of one that writes overlays
  lmdb::FaultPlan* faults_ = nullptr;
};

// Walks a table in key order. An error ends the walk, and stays in status().
class TableCursor {
 public:
  TableCursor(const TableTxn& txn, MDB_dbi table);

  // To the first key that is not less; an empty key is the first of all.
  void seek(std::string_view key);
  void next();

  bool valid() const { return current_ != kNone; }
  std::string_view key() const { return current_ == kBase ? base_.key() : over_[current_].entry->key(); }
  std::string_view value() const {
    return current_ == kBase ? base_.value() : over_[current_].entry->value();
  }
  bool failed() const { return base_.failed(); }
  // OK at the end of the table.
  Status status() const { return base_.status(); }

 private:
  struct Over {
    const Overlay* overlay = nullptr;
    const Overlay::Entry* entry = nullptr;
  };
  static constexpr std::size_t kBase = 2;
  static constexpr std::size_t kNone = 3;
  void settle();
  void step_over(std::string_view key);

  lmdb::Cursor base_;
  const MDB_dbi table_;
  const std::uint64_t sequence_;
  std::array<Over, kBase> over_;  // what is later first
  std::size_t current_ = kNone;
};

}  // namespace minigrpc::store
