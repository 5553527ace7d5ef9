#include "store/writer.h"

namespace minigrpc::store {

namespace {
std::string lease_keys_key(LeaseId id, std::string_view key) { return lease_key(id).append(key); }
}  // namespace

Snapshot Writer::snapshot() const {
  State state = state_;
  state.revision = revision();
  return {txn_, tables_, state};
}

Result<PutResult> Writer::put(const PutRequest& request) {
  const Snapshot before = snapshot();
  Result<std::optional<LiveRecord>> live = before.live(request.key);
  if (!live) return live.error();
  const bool exists = live->has_value();

  std::optional<KeyValue> prev_kv;
  Revision prev;
  bool was_deleted = false;
  if (exists) {
    Result<KeyValueView> kv = before.load(request.key, **live, true);
    if (!kv) return kv.error();
    prev_kv = kv->to_owned();
    prev = (*live)->mod;
  } else {
    Result<std::optional<Revision>> tombstone = before.tombstone(request.key);
    if (!tombstone) return tombstone.error();
    was_deleted = tombstone->has_value();
    prev = tombstone->value_or(Revision{});
  }
  Result<Ancestry> ancestry = before.ancestry_after(prev, exists ? (*live)->ancestry : std::nullopt, recent_);
  if (!ancestry) return ancestry.error();

  // From here on the database changes: nothing above is borrowed from it any more.
  const Revision revision = next_revision();
  Event event{.type = EventType::kPut, .revision = revision, .kv = {}};
  event.kv.key = request.key;
  event.kv.value = request.ignore_value && exists ? prev_kv->value : std::string(request.value);
  event.kv.lease = request.ignore_lease && exists ? prev_kv->lease : request.lease;
  event.kv.create_revision = exists ? prev_kv->create_revision : revision.main;
  event.kv.mod_revision = revision.main;
  event.kv.version = exists ? prev_kv->version + 1 : 1;
  const KeyValue& kv = event.kv;

  const KeyValueView view{kv.key, kv.value, kv.create_revision, kv.mod_revision, kv.version, kv.lease};
  const Before replaced{.lease = exists ? prev_kv->lease : 0, .was_deleted = was_deleted};
  if (Status status = write_version(revision, view, prev, *ancestry, replaced); !status.ok()) return status;

  PutResult result{revision.main, {}};
  if (request.prev_kv) result.prev_kv = prev_kv;
  event.prev_kv = std::move(prev_kv);
  events_.push_back(std::move(event));
  ++sub_;
  return result;
}

Result<DeleteRangeResult> Writer::delete_range(const DeleteRangeRequest& request) {
  DeleteRangeResult result;
  if (request.keys.single()) {
    Result<bool> erased = erase(std::string(request.keys.key), request, result);
    if (!erased) return erased.error();
  } else {
    std::vector<std::string> keys;
    {
      const Snapshot before = snapshot();
      VersionCursor cursor(before, request.keys, kLatest);
      for (; cursor.valid(); cursor.next()) keys.emplace_back(cursor.key());
      if (!cursor.status().ok()) return cursor.status();
    }
    for (const std::string& key : keys) {
      Result<bool> erased = erase(key, request, result);
      if (!erased) return erased.error();
    }
  }
  result.revision = revision();
  return result;
}

Result<bool> Writer::erase(const std::string& key, const DeleteRangeRequest& request,
                           DeleteRangeResult& result) {
  const Snapshot before = snapshot();
  Result<std::optional<LiveRecord>> live = before.live(key);
  if (!live) return live.error();
  if (!live->has_value()) return false;
  Result<KeyValueView> kv = before.load(key, **live, true);
  if (!kv) return kv.error();
  KeyValue prev_kv = kv->to_owned();
  const Revision prev = (*live)->mod;
  Result<Ancestry> ancestry = before.ancestry_after(prev, (*live)->ancestry, recent_);
  if (!ancestry) return ancestry.error();

  const Revision revision = next_revision();
  std::optional<KeyValue> before_revision = prev_kv;
  if (prev_kv.mod_revision == revision.main) {
    Result<std::optional<KeyValueView>> older = before.find(key, revision.main - 1, true);
    if (!older) return older.error();
    before_revision.reset();
    if (older->has_value()) before_revision = (*older)->to_owned();
  }
  if (Status status = write_tombstone(revision, key, ancestry->links(prev), prev_kv.lease); !status.ok())
    return status;

  if (request.prev_kv) result.prev_kvs.push_back(std::move(prev_kv));
  ++result.deleted;
  Event event{EventType::kDelete, revision, {}, std::move(before_revision)};
  event.kv.key = key;
  event.kv.mod_revision = revision.main;
  events_.push_back(std::move(event));
  ++sub_;
  return true;
}

Status Writer::write_version(Revision revision, const KeyValueView& kv, Revision prev,
                             const Ancestry& ancestry, Before before) {
  const LogRecord log{EventType::kPut, kv.create_revision, kv.version, kv.lease, ancestry.links(prev), kv.key,
                      kv.value};
  if (Status status = append_log(revision, log); !status.ok()) return status;
  LiveRecord record{.create_revision = kv.create_revision,
                    .mod = revision,
                    .version = kv.version,
                    .lease = kv.lease,
                    .value_in_log = kv.value.size() > kInlineValueSizeMax,
                    .value = {},
                    .ancestry = ancestry};
  if (!record.value_in_log) record.value = kv.value;
  encode(record, kv.key, buffer_);
  if (Status status = tables_.live.put(txn_, kv.key, buffer_); !status.ok()) return status;
  if (before.was_deleted) {
    Result<bool> erased = tables_.dead.erase(txn_, kv.key);
    if (!erased) return erased.error();
  }
  return move_lease(kv.key, before.lease, kv.lease);
}

Status Writer::write_tombstone(Revision revision, std::string_view key, const Links& links,
                               LeaseId lease_before) {
  LogRecord log;
  log.type = EventType::kDelete;
  log.links = links;
  log.key = key;
  if (Status status = append_log(revision, log); !status.ok()) return status;
  Result<bool> erased = tables_.live.erase(txn_, key);
  if (!erased) return erased.error();
  encode(DeadRecord{revision}, key, buffer_);
  if (Status status = tables_.dead.put(txn_, key, buffer_); !status.ok()) return status;
  return move_lease(key, lease_before, 0);
}

Status Writer::replay(const EventView& event) {
  const Snapshot before = snapshot();
  const std::string_view key = event.kv.key;
  Result<std::optional<LiveRecord>> live = before.live(key);
  if (!live) return live.error();
  Result<std::optional<Revision>> tombstone = before.tombstone(key);
  if (!tombstone) return tombstone.error();
  const bool exists = live->has_value();
  const LeaseId lease = exists ? (*live)->lease : 0;
  const Revision prev = exists ? (*live)->mod : tombstone->value_or(Revision{});
  Result<Ancestry> ancestry = before.ancestry_after(prev, exists ? (*live)->ancestry : std::nullopt, recent_);
  if (!ancestry) return ancestry.error();
  state_.revision = event.revision.main;
  if (event.type == EventType::kDelete)
    return write_tombstone(event.revision, key, ancestry->links(prev), lease);
  return write_version(event.revision, event.kv, prev, *ancestry, {lease, tombstone->has_value()});
}

Status Writer::append_log(Revision revision, const LogRecord& record) {
  ++writes_;
  recent_.add(revision, record.links);
  const std::string key = log_key(revision);
  encode(record, key, buffer_);
  return txn_.append(tables_.log, key, buffer_);
}

Status Writer::move_lease(std::string_view key, LeaseId from, LeaseId to) {
  if (from == to) return {};
  if (from != 0) {
    Result<bool> erased = tables_.lease_keys.erase(txn_, lease_keys_key(from, key));
    if (!erased) return erased.error();
  }
  return to == 0 ? Status() : tables_.lease_keys.put(txn_, lease_keys_key(to, key), {});
}

Status Writer::put_lease(LeaseId id, std::int64_t ttl_s) {
  ++writes_;
  const std::string key = lease_key(id);
  encode(LeaseRecord{ttl_s}, key, buffer_);
  return txn_.put(tables_.lease, key, buffer_);
}

Status Writer::erase_lease(LeaseId id) {
  ++writes_;
  Result<bool> erased = txn_.erase(tables_.lease, lease_key(id));
  return erased.status();
}

Status Writer::put_state() {
  ++writes_;
  encode(state_, kStateKey, buffer_);
  return txn_.put(tables_.meta, kStateKey, buffer_);
}

Status Writer::put_record(std::string_view name, std::string_view bytes) {
  ++writes_;
  encode(PlainRecord{bytes}, name, buffer_);
  return tables_.records.put(txn_, name, buffer_);
}

Status Writer::erase_record(std::string_view name) {
  ++writes_;
  return tables_.records.erase(txn_, name).status();
}

Result<std::vector<std::string>> lease_keys(const Snapshot& snapshot, LeaseId id) {
  const std::string prefix = lease_key(id);
  std::vector<std::string> keys;
  KeyCursor cursor(snapshot.txn, snapshot.tables.lease_keys);
  for (cursor.seek(prefix); cursor.valid() && cursor.key().starts_with(prefix); cursor.next())
    keys.emplace_back(cursor.key().substr(prefix.size()));
  if (!cursor.status().ok()) return cursor.status();
  return keys;
}

}  // namespace minigrpc::store
