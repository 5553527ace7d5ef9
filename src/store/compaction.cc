#include "store/compaction.h"

#include <string>
#include <vector>

namespace minigrpc::store {

namespace {

struct Entry {
  Revision at;
  Revision prev;
  std::string tombstone_of;  // the key, if the event deleted it
};

struct Slice {
  std::vector<Entry> entries;
  bool last = true;  // nothing below the compact revision comes after it
};

Result<Slice> read_slice(const TableTxn& txn, const Tables& tables, const State& state,
                         std::size_t entries_max) {
  Slice slice;
  TableCursor cursor(txn, tables.log);
  for (cursor.seek(log_key(state.compact_cursor)); cursor.valid(); cursor.next()) {
    const std::optional<Revision> at = decode_log_key(cursor.key());
    const std::optional<LogRecord> record = decode_log(cursor.key(), cursor.value());
    if (!at || !record) return damaged("an event");
    if (at->main > state.compact_revision) break;
    if (slice.entries.size() == entries_max) {
      slice.last = false;
      return slice;
    }
    const bool tombstone = record->type == EventType::kDelete;
    slice.entries.push_back({*at, record->links.prev, tombstone ? std::string(record->key) : std::string()});
  }
  if (!cursor.status().ok()) return cursor.status();
  return slice;
}

// The key may have been put again since, and then has no tombstone, or deleted again, and has a later one.
Status forget_deleted(TableTxn& txn, const Tables& tables, const Entry& entry) {
  Result<std::optional<std::string_view>> bytes = tables.dead.get(txn, entry.tombstone_of);
  if (!bytes) return bytes.error();
  if (!bytes->has_value()) return {};
  const std::optional<DeadRecord> dead = decode_dead(entry.tombstone_of, **bytes);
  if (!dead) return damaged("a deleted key");
  if (dead->tombstone != entry.at) return {};
  return tables.dead.erase(txn, entry.tombstone_of).status();
}

}  // namespace

Result<CompactStep> compact_step(TableTxn& txn, const Tables& tables, State& state, std::size_t entries_max,
                                 std::uint64_t& writes) {
  detail::require(entries_max > 0, "a compaction step of no entries");
  CompactStep step;
  const Revision end{state.compact_revision + 1, 0};
  if (state.compact_cursor >= end) return step;
  Result<Slice> slice = read_slice(txn, tables, state, entries_max);
  if (!slice) return slice.error();
  ++writes;
  const auto remove = [&](Revision revision) -> Status {
    Result<bool> erased = txn.erase(tables.log, log_key(revision));
    if (!erased) return erased.error();
    step.removed += *erased ? 1 : 0;
    return {};
  };
  for (const Entry& entry : slice->entries) {
    if (entry.prev.main != 0 && entry.prev.main < state.compact_revision)
      if (Status status = remove(entry.prev); !status.ok()) return status;
    if (!entry.tombstone_of.empty() && entry.at.main < state.compact_revision) {
      if (Status status = remove(entry.at); !status.ok()) return status;
      if (Status status = forget_deleted(txn, tables, entry); !status.ok()) return status;
    }
  }
  step.scanned = slice->entries.size();
  step.done = slice->last;
  if (slice->last)
    state.compact_cursor = end;
  else
    state.compact_cursor = {slice->entries.back().at.main, slice->entries.back().at.sub + 1};
  return step;
}

}  // namespace minigrpc::store
