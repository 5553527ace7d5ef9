#include "store/table_txn.h"

#include <algorithm>
#include <utility>

namespace minigrpc::store {

TableTxn::TableTxn(lmdb::Txn base, Layers layers, JournalBatch* batch, lmdb::FaultPlan* faults)
    : base_(std::move(base)), layers_(std::move(layers)), batch_(batch), faults_(faults) {
  ++layers_.sequence;
}

TableTxn& TableTxn::operator=(TableTxn&& other) noexcept {
  std::swap(base_, other.base_);
  std::swap(layers_, other.layers_);
  std::swap(batch_, other.batch_);
  std::swap(faults_, other.faults_);
  return *this;
}

Result<std::optional<std::string_view>> TableTxn::get(MDB_dbi table, std::string_view key) const {
  for (const Overlay* overlay : {layers_.active.get(), layers_.frozen.get()}) {
    const Overlay::Entry* entry = overlay == nullptr ? nullptr : overlay->find(table, key, layers_.sequence);
    if (entry == nullptr) continue;
    return entry->erased() ? std::optional<std::string_view>() : std::optional(entry->value());
  }
  return base_.get(table, key);
}

Status TableTxn::gather(MDB_dbi table, std::string_view key, std::optional<std::string_view> value) {
  if (faults_ != nullptr && faults_->next_write_fails()) return lmdb::to_status(faults_->error, "writing");
  layers_.active->write(table, key, value, layers_.sequence);
  if (value)
    batch_->put(table, key, *value);
  else
    batch_->erase(table, key);
  return {};
}

Status TableTxn::put(MDB_dbi table, std::string_view key, std::string_view value) {
  return batch_ == nullptr ? base_.put(table, key, value) : gather(table, key, value);
}

Status TableTxn::append(MDB_dbi table, std::string_view key, std::string_view value) {
  return batch_ == nullptr ? base_.append(table, key, value) : gather(table, key, value);
}

Result<bool> TableTxn::erase(MDB_dbi table, std::string_view key) {
  if (batch_ == nullptr) return base_.erase(table, key);
  Result<std::optional<std::string_view>> found = get(table, key);
  if (!found) return found.error();
  if (!found->has_value()) return false;
  if (Status status = gather(table, key, std::nullopt); !status.ok()) return status;
  return true;
}

Result<std::optional<std::string>> TableTxn::last_key(MDB_dbi table) const {
  std::optional<std::string> last;
  lmdb::Cursor cursor(base_, table);
  cursor.seek_last();
  if (!cursor.status().ok()) return cursor.status();
  if (cursor.valid()) last = cursor.key();
  for (const Overlay* overlay : {layers_.active.get(), layers_.frozen.get()}) {
    const std::optional<std::string_view> key = overlay == nullptr ? std::nullopt : overlay->last_key(table);
    if (key && (!last || *key > *last)) last = *key;
  }
  return last;
}

void TableTxn::keep() {
  layers_.active->keep();
  batch_ = nullptr;
  abort();
}

void TableTxn::abort() {
  if (batch_ != nullptr) layers_.active->roll_back();
  batch_ = nullptr;
  base_.abort();
  layers_ = {};
}

TableCursor::TableCursor(const TableTxn& txn, MDB_dbi table)
    : base_(txn.base(), table),
      table_(table),
      sequence_(txn.layers().sequence),
      over_{Over{txn.layers().active.get()}, Over{txn.layers().frozen.get()}} {}

void TableCursor::seek(std::string_view key) {
  for (Over& over : over_)
    if (over.overlay != nullptr) over.entry = over.overlay->seek(table_, key, sequence_);
  base_.seek(key);
  settle();
}

void TableCursor::next() {
  if (current_ == kBase && over_[0].entry == nullptr && over_[1].entry == nullptr)
    base_.next();
  else
    step_over(key());
  settle();
}

// Every layer that stands on the key goes on. `key` may be borrowed from one of them: that one goes last.
void TableCursor::step_over(std::string_view key) {
  const bool base_has_it = base_.valid() && base_.key() == key;
  for (Over& over : over_)
    if (over.entry != nullptr && over.entry->key() == key)
      over.entry = over.overlay->next(over.entry, sequence_);
  if (base_has_it) base_.next();
}

// Onto the least key of all layers, as the latest of them has it, unless that erased it.
void TableCursor::settle() {
  for (;;) {
    current_ = kNone;
    if (base_.failed()) return;
    std::string_view least;
    for (std::size_t i = 0; i < kBase; ++i) {
      const Overlay::Entry* entry = over_[i].entry;
      if (entry == nullptr || (current_ != kNone && entry->key() >= least)) continue;
      current_ = i;
      least = entry->key();
    }
    if (base_.valid() && (current_ == kNone || base_.key() < least)) current_ = kBase;
    if (current_ >= kBase || !over_[current_].entry->erased()) return;
    step_over(least);
  }
}

}  // namespace minigrpc::store
