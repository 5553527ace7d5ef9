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

}  // namespace minigrpc::store
