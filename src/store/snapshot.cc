#include "store/snapshot.h"

#include <string>

namespace minigrpc::store {

namespace {
// LMDB's handles of its own tables: the list of free pages, and the names of the tables.
constexpr MDB_dbi kFreeList = 0;
constexpr MDB_dbi kNames = 1;
constexpr MDB_dbi kFirstTable = 2;
constexpr MDB_dbi kLastTable = 9;

bool live_decodes(std::string_view key, std::string_view bytes) {
  return decode_live(key, bytes).has_value();
}
bool dead_decodes(std::string_view key, std::string_view bytes) {
  return decode_dead(key, bytes).has_value();
}
}  // namespace

Status damaged(std::string_view what) {
  return {StatusCode::kDataLoss,
          "the database is damaged (" + std::string(what) + "): restore it from a snapshot"};
}

Result<Tables> Tables::open(lmdb::Txn& txn, bool create) {
  Tables tables;
  MDB_dbi tails = 0;
  struct Entry {
    const char* name;
    MDB_dbi* table;
  };
  for (const Entry entry :
       {Entry{"meta", &tables.meta}, Entry{"log", &tables.log}, Entry{"lease", &tables.lease},
        Entry{"live", &tables.live.root}, Entry{"dead", &tables.dead.root},
        Entry{"lease_keys", &tables.lease_keys.root}, Entry{"tails", &tails}}) {
    Result<MDB_dbi> table = txn.open_table(entry.name, create);
    if (!table) return table.error();
    *entry.table = *table;
  }
  // Databases of the first release do not have it.
  Result<MDB_dbi> records = txn.open_table("records", true);
  if (!records) return records.error();
  tables.records.root = *records;
  detail::require(tables.meta == kFirstTable && tables.records.root == kLastTable, "tables in another order");
  tables.live.tails = tables.dead.tails = tables.lease_keys.tails = tables.records.tails = tails;
  return tables;
}

bool Tables::has(MDB_dbi table) const { return table >= kFirstTable && table <= kLastTable; }

std::size_t Tables::pages_in_use(const lmdb::Txn& txn) const {
  std::size_t pages = 2;
  for (const MDB_dbi table :
       {kFreeList, kNames, meta, log, lease, live.root, dead.root, lease_keys.root, records.root, live.tails})
    pages += txn.pages(table);
  return pages;
}

Result<std::optional<LiveRecord>> Snapshot::live(std::string_view key) const {
  Result<std::optional<std::string_view>> bytes = tables.live.get(txn, key);
  if (!bytes) return bytes.error();
  if (!bytes->has_value()) {
    if (Status status = tables.live.check_around(txn, key, live_decodes); !status.ok()) return status;
    return std::optional<LiveRecord>();
  }
  std::optional<LiveRecord> record = decode_live(key, **bytes);
  if (!record) return damaged("a key's latest version");
  return record;
}

Result<std::optional<Revision>> Snapshot::tombstone(std::string_view key) const {
  Result<std::optional<std::string_view>> bytes = tables.dead.get(txn, key);
  if (!bytes) return bytes.error();
  if (!bytes->has_value()) {
    if (Status status = tables.dead.check_around(txn, key, dead_decodes); !status.ok()) return status;
    return std::optional<Revision>();
  }
  const std::optional<DeadRecord> record = decode_dead(key, **bytes);
  if (!record) return damaged("a deleted key");
  return std::optional(record->tombstone);
}

Result<std::optional<LogRecord>> Snapshot::log(Revision revision) const {
  const std::string key = log_key(revision);
  Result<std::optional<std::string_view>> bytes = txn.get(tables.log, key);
  if (!bytes) return bytes.error();
  if (!bytes->has_value()) return std::optional<LogRecord>();
  std::optional<LogRecord> record = decode_log(key, **bytes);
  if (!record) return damaged("an event");
  return record;
}

Result<LogRecord> Snapshot::log_required(Revision revision) const {
  Result<std::optional<LogRecord>> record = log(revision);
  if (!record) return record.error();
  if (!record->has_value()) return damaged("a missing event");
  return **record;
}

Result<KeyValueView> Snapshot::load(std::string_view key, const LiveRecord& record, bool with_value) const {
  KeyValueView kv{key, {}, record.create_revision, record.mod.main, record.version, record.lease};
  if (!with_value) return kv;
  kv.value = record.value;
  if (record.value_in_log) {
    Result<LogRecord> event = log_required(record.mod);
    if (!event) return event.error();
    if (event->type != EventType::kPut || event->key != key) return damaged("an event of another key");
    kv.value = event->value;
  }
  return kv;
}

Result<std::optional<KeyValueView>> Snapshot::version_at(Revision newer, std::int64_t at) const {
  Revision wanted = newer;
  while (wanted.main > at) {
    Result<LogRecord> record = log_required(wanted);
    if (!record) return record.error();
    const Links& links = record->links;
    if (links.prev >= wanted || links.jump >= wanted) return damaged("an event that follows itself");
    if (links.prev.main == 0) return std::optional<KeyValueView>();
    wanted = links.jump.main > at ? links.jump : links.prev;
  }
  Result<std::optional<LogRecord>> record = log(wanted);
  if (!record) return record.error();
  if (!record->has_value()) {
    // Compaction removes the tombstones before its revision, and nothing else that can still be asked for.
    if (wanted.main >= state.compact_revision) return damaged("a missing event");
    return std::optional<KeyValueView>();
  }
  if ((*record)->type == EventType::kDelete) return std::optional<KeyValueView>();
  return std::optional((*record)->kv(wanted));
}

Result<std::optional<KeyValueView>> Snapshot::find(std::string_view key, std::int64_t at,
                                                   bool with_value) const {
  Result<std::optional<LiveRecord>> record = live(key);
  if (!record) return record.error();
  if (record->has_value()) {
    if ((*record)->mod.main > at) return version_at((*record)->mod, at);
    Result<KeyValueView> kv = load(key, **record, with_value);
    if (!kv) return kv.error();
    return std::optional(*kv);
  }
  if (at == kLatest) return std::optional<KeyValueView>();
  Result<std::optional<Revision>> deleted = tombstone(key);
  if (!deleted) return deleted.error();
  if (!deleted->has_value() || (*deleted)->main <= at) return std::optional<KeyValueView>();
  return version_at(**deleted, at);
}

namespace {

// nullopt: compacted.
Result<std::optional<Links>> links_of(const Snapshot& snapshot, Revision at, const RecentLinks& recent) {
  if (const std::optional<Links> known = recent.find(at)) return known;
  Result<std::optional<LogRecord>> record = snapshot.log(at);
  if (!record) return record.error();
  return record->has_value() ? std::optional((*record)->links) : std::nullopt;
}

// Completes `ancestry` by what its jump's links tell.
Status find_second(const Snapshot& snapshot, const RecentLinks& recent, Ancestry* ancestry) {
  if (ancestry->jump_depth == 0) return {};  // no jump, or one to the key's first version, which has none
  Result<std::optional<Links>> jump = links_of(snapshot, ancestry->jump, recent);
  if (!jump) return jump.error();
  if (!jump->has_value()) return {};
  ancestry->second = (*jump)->jump;
  ancestry->second_depth = (*jump)->jump_depth;
  return {};
}

Result<Ancestry> ancestry_of(const Snapshot& snapshot, Revision at, const RecentLinks& recent) {
  Result<std::optional<Links>> own = links_of(snapshot, at, recent);
  if (!own) return own.error();
  if (!own->has_value()) return damaged("a missing event");
  Ancestry ancestry{.depth = (*own)->depth, .jump = (*own)->jump, .jump_depth = (*own)->jump_depth};
  if (Status status = find_second(snapshot, recent, &ancestry); !status.ok()) return status;
  return ancestry;
}

}  // namespace

Result<Ancestry> Snapshot::ancestry_after(Revision prev, const std::optional<Ancestry>& of_prev,
                                          const RecentLinks& recent) const {
  if (prev.main == 0) return Ancestry{};
  Result<Ancestry> before = of_prev ? Result<Ancestry>(*of_prev) : ancestry_of(*this, prev, recent);
  if (!before) return before;
  Ancestry next{.depth = before->depth + 1};
  // Two jumps of the same length behind us become one of twice that length. Where compaction has taken what
  // they lead to, nobody will want to go there either.
  if (before->second.main != 0 &&
      before->depth - before->jump_depth == before->jump_depth - before->second_depth) {
    next.jump = before->second;
    next.jump_depth = before->second_depth;
    if (Status status = find_second(*this, recent, &next); !status.ok()) return status;
  } else {
    next.jump = prev;
    next.jump_depth = before->depth;
    next.second = before->jump;
    next.second_depth = before->jump_depth;
  }
  return next;
}

VersionCursor::VersionCursor(const Snapshot& snapshot, KeyRange keys, std::int64_t at)
    : snapshot_(snapshot), keys_(keys), at_(at), live_(snapshot.txn, snapshot.tables.live) {
  status_ = snapshot.tables.live.check_around(snapshot.txn, keys_.key, live_decodes);
  live_.seek(keys_.key);
  if (at_ != kLatest) {
    if (status_.ok()) status_ = snapshot.tables.dead.check_around(snapshot.txn, keys_.key, dead_decodes);
    dead_.emplace(snapshot.txn, snapshot.tables.dead);
    dead_->seek(keys_.key);
  }
  if (status_.ok()) settle();
}

void VersionCursor::next() {
  current_->next();
  settle();
}

bool VersionCursor::in_range(const KeyCursor& cursor) const {
  return cursor.valid() && (keys_.single()      ? cursor.key() == keys_.key
                            : keys_.unbounded() ? true
                                                : cursor.key() < keys_.range_end);
}

void VersionCursor::settle() {
  for (;;) {
    current_ = in_range(live_) ? &live_ : nullptr;
    // A damaged key may seem to lie beyond the range, and hide what comes after it.
    if (current_ == nullptr && live_.valid() && !live_decodes(live_.key(), live_.value()))
      status_ = damaged("a key's latest version");
    if (at_ == kLatest) return;
    if (in_range(*dead_) && (current_ == nullptr || dead_->key() < current_->key())) current_ = &*dead_;
    if (current_ == nullptr || visible()) return;
    if (!status_.ok()) {
      current_ = nullptr;
      return;
    }
    current_->next();
  }
}

bool VersionCursor::visible() {
  found_.reset();
  Revision newest;
  if (current_ == &live_) {
    const std::optional<LiveRecord> record = decode_live(live_.key(), live_.value());
    if (!record) return status_ = damaged("a key's latest version"), false;
    if (record->mod.main <= at_) return true;
    newest = record->mod;
  } else {
    const std::optional<DeadRecord> record = decode_dead(dead_->key(), dead_->value());
    if (!record) return status_ = damaged("a deleted key"), false;
    if (record->tombstone.main <= at_) return false;
    newest = record->tombstone;
  }
  Result<std::optional<KeyValueView>> version = snapshot_.version_at(newest, at_);
  if (!version) return status_ = version.error(), false;
  found_ = *version;
  return found_.has_value();
}

Result<KeyValueView> VersionCursor::load(bool with_value) const {
  if (found_) {
    KeyValueView kv = *found_;
    kv.key = key();
    if (!with_value) kv.value = {};
    return kv;
  }
  const std::optional<LiveRecord> record = decode_live(live_.key(), live_.value());
  if (!record) return damaged("a key's latest version");
  return snapshot_.load(live_.key(), *record, with_value);
}

Status VersionCursor::status() const {
  if (!status_.ok()) return status_;
  if (!live_.status().ok()) return live_.status();
  return dead_ ? dead_->status() : Status();
}

}  // namespace minigrpc::store
