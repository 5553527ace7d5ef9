#include "store/history.h"
#include "store/range.h"
#include "store/store_impl.h"
#include "store/txn.h"
#include "store/writer.h"

namespace minigrpc::store {

Snapshot ReadView::Impl::snapshot() const { return {txn, store->tables, state}; }

ReadView::ReadView(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
ReadView::ReadView(ReadView&&) noexcept = default;

ReadView& ReadView::operator=(ReadView&& other) noexcept {
  std::swap(impl_, other.impl_);
  return *this;
}

ReadView::~ReadView() {
  if (impl_ != nullptr) {
    Store::Impl* store = impl_->store;
    store->give_back(std::move(impl_));
  }
}

std::int64_t ReadView::revision() const { return impl_->state.revision; }
std::int64_t ReadView::compact_revision() const { return impl_->state.compact_revision; }

Result<RangeResult> ReadView::range(const RangeRequest& request) const {
  if (Status status = check_range(impl_->state, request); !status.ok()) return status;
  return run_range(impl_->snapshot(), request, Lifetime::kOfTransaction);
}

Result<TxnResult> ReadView::txn(const TxnRequest& request) const {
  detail::require(is_read_only(request), "a transaction with writes on a ReadView");
  if (Status status = check_txn(request, impl_->store->options.txn_ops_max); !status.ok()) return status;
  const Snapshot snapshot = impl_->snapshot();
  Result<TxnPath> path = choose_path(snapshot, request);
  if (!path) return path.error();
  for (const RequestOp* op : ops_on_path(request, *path))
    if (Status status = check_range(impl_->state, std::get<RangeRequest>(*op)); !status.ok()) return status;
  return run_txn(snapshot, nullptr, request, *path);
}

Result<HistoryResult> ReadView::history(const HistoryRequest& request,
                                        const std::function<bool(const EventView&)>& visit) const {
  return run_history(impl_->snapshot(), request, visit);
}

Result<std::vector<std::string>> ReadView::lease_keys(LeaseId id) const {
  return store::lease_keys(impl_->snapshot(), id);
}

Result<std::vector<Record>> ReadView::records(std::string_view prefix) const {
  std::vector<Record> records;
  KeyCursor cursor(impl_->txn, impl_->store->tables.records);
  for (cursor.seek(prefix); cursor.valid() && cursor.key().starts_with(prefix); cursor.next()) {
    const std::optional<PlainRecord> record = decode_plain(cursor.key(), cursor.value());
    if (!record) return damaged("a record of the registry's own");
    records.push_back({std::string(cursor.key()), std::string(record->bytes)});
  }
  if (!cursor.status().ok()) return cursor.status();
  return records;
}

Status ReadView::every_event(const std::function<Status(const EventView&)>& visit) const {
  TableCursor cursor(impl_->txn, impl_->store->tables.log);
  for (cursor.seek({}); cursor.valid(); cursor.next()) {
    const std::optional<Revision> at = decode_log_key(cursor.key());
    const std::optional<LogRecord> record = decode_log(cursor.key(), cursor.value());
    if (!at || !record) return damaged("an event");
    if (Status status = visit({record->type, *at, record->kv(*at), {}}); !status.ok()) return status;
  }
  return cursor.status();
}

Status ReadView::every_lease(const std::function<Status(LeaseId, std::int64_t)>& visit) const {
  TableCursor cursor(impl_->txn, impl_->store->tables.lease);
  for (cursor.seek({}); cursor.valid(); cursor.next()) {
    const std::optional<LeaseId> id = decode_lease_key(cursor.key());
    const std::optional<LeaseRecord> record = decode_lease(cursor.key(), cursor.value());
    if (!id || !record) return damaged("a lease");
    if (Status status = visit(*id, record->ttl_s); !status.ok()) return status;
  }
  return cursor.status();
}

}  // namespace minigrpc::store
