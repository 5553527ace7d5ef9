#include "store/history.h"

#include <algorithm>

#include "store/errors.h"

namespace minigrpc::store {

namespace {

// What the key was before revision `main`, the event's, unless compaction has taken it. Within one revision a
// key may be put and then deleted.
Result<std::optional<KeyValueView>> previous(const Snapshot& snapshot, const LogRecord& record,
                                             std::int64_t main) {
  const bool created = record.type == EventType::kPut && record.create_revision == main;
  Revision at = created ? Revision{} : record.links.prev;
  while (at.main != 0) {
    Result<std::optional<LogRecord>> before = snapshot.log(at);
    if (!before) return before.error();
    if (!before->has_value()) break;
    if (at.main != main) {
      if ((*before)->type == EventType::kDelete) break;
      return std::optional((*before)->kv(at));
    }
    at = (*before)->links.prev;
  }
  return std::optional<KeyValueView>();
}

class Bounds {
 public:
  explicit Bounds(const HistoryRequest& request) : request_(request) {}
  void add(const EventView& event) {
    ++events_;
    bytes_ += event.kv.key.size() + event.kv.value.size();
    if (event.prev_kv) bytes_ += event.prev_kv->key.size() + event.prev_kv->value.size();
  }
  bool reached() const {
    return (request_.events_max > 0 && events_ >= request_.events_max) ||
           (request_.bytes_max > 0 && bytes_ >= request_.bytes_max);
  }

 private:
  const HistoryRequest& request_;
  std::size_t events_ = 0;
  std::size_t bytes_ = 0;
};

}  // namespace

Result<HistoryResult> run_history(const Snapshot& snapshot, const HistoryRequest& request,
                                  const std::function<bool(const EventView&)>& visit) {
  if (request.from.main < snapshot.state.compact_revision) return errors::compacted();
  Bounds bounds(request);
  Revision last;
  TableCursor cursor(snapshot.txn, snapshot.tables.log);
  for (cursor.seek(log_key(request.from)); cursor.valid(); cursor.next()) {
    const std::optional<Revision> at = decode_log_key(cursor.key());
    const std::optional<LogRecord> record = decode_log(cursor.key(), cursor.value());
    if (!at || !record) return damaged("an event");
    if (at->main != last.main && bounds.reached()) return HistoryResult{{at->main, 0}, false};
    last = *at;
    if (!request.keys.key.empty() && !request.keys.contains(record->key)) continue;
    EventView event{record->type, *at, record->kv(*at), {}};
    if (request.prev_kv) {
      Result<std::optional<KeyValueView>> prev = previous(snapshot, *record, at->main);
      if (!prev) return prev.error();
      event.prev_kv = *prev;
    }
    bounds.add(event);
    if (!visit(event)) return HistoryResult{{at->main, at->sub + 1}, false};
  }
  if (!cursor.status().ok()) return cursor.status();
  return HistoryResult{{std::max(request.from.main, snapshot.state.revision + 1), 0}, true};
}

}  // namespace minigrpc::store
