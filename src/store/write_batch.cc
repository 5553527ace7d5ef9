#include "store/compaction.h"
#include "store/errors.h"
#include "store/range.h"
#include "store/store_impl.h"
#include "store/txn.h"
#include "store/writer.h"

namespace minigrpc::store {

namespace {

// What a put adds beside its bytes: records' headers, and its share of the trees.
constexpr std::size_t kPutOverheadSize = 256;
// etcd's bound on a lease's TTL, so that deadlines do not overflow.
constexpr std::int64_t kLeaseTtlMaxS = 9'000'000'000;

// The value may stand in two tables, the key does.
std::size_t cost_of(const PutRequest& put) {
  const std::size_t value_copies = put.value.size() > kInlineValueSizeMax ? 1 : 2;
  return kPutOverheadSize + 2 * put.key.size() + value_copies * put.value.size();
}

const Status& status_of(const Status& status) { return status; }
template <class T>
Status status_of(const Result<T>& result) {
  return result.status();
}

}  // namespace

struct WriteBatch::Impl {
  struct LeaseChange {
    enum class Kind : std::uint8_t { kGrant, kRevoke } kind;
    LeaseId id;
    std::int64_t ttl_s = 0;
    std::int64_t now_ms = 0;
  };

  Store::Impl* store;
  TableTxn txn;
  State state;
  std::vector<Event> events;
  std::vector<LeaseChange> lease_changes;
  Writer writer;
  std::uint64_t other_writes = 0;
  std::size_t pages_size = 0;  // of LMDB; 0: not asked yet
  Status broken;

  Impl(Store::Impl* s, TableTxn t, State st)
      : store(s),
        txn(std::move(t)),
        state(st),
        writer(txn, store->tables, state, events, store->recent_links) {}
  ~Impl() { abort(); }

  void abort() {
    if (!txn) return;
    if (writes() > 0) store->recent_links.clear();
    txn.abort();
    store->batch_is_open = false;
    store->end_txn();
  }

  std::uint64_t writes() const { return writer.writes() + other_writes; }

  // Runs one request. If it fails after it wrote, the batch is broken.
  template <class Request>
  auto attempt(Request request) -> decltype(request()) {
    detail::require(static_cast<bool>(txn), "a call on a WriteBatch after its commit");
    if (!broken.ok()) return broken;
    const std::uint64_t writes_before = writes();
    writer.begin_revision();
    auto result = request();
    if (const Status status = status_of(result); !status.ok() && writes() != writes_before) broken = status;
    writer.end_revision();
    return result;
  }

  Status check_space(std::size_t cost) {
    // LMDB's part does not change while a batch writes to the overlay.
    if (pages_size == 0 || !txn.layers().active) pages_size = store->pages_size(txn);
    const std::size_t used = pages_size + txn.layers().data_size();
    const bool fits = used + cost <= store->options.quota_bytes;
    store->refused_bytes.store(fits ? 0 : cost, std::memory_order_relaxed);
    return fits ? Status() : errors::no_space();
  }

  Result<std::optional<std::int64_t>> lease_ttl_s(LeaseId id) const {
    const std::string key = lease_key(id);
    Result<std::optional<std::string_view>> bytes = txn.get(store->tables.lease, key);
    if (!bytes) return bytes.error();
    if (!bytes->has_value()) return std::optional<std::int64_t>();
    const std::optional<LeaseRecord> record = decode_lease(key, **bytes);
    if (!record) return damaged("a lease");
    return std::optional(record->ttl_s);
  }

  // What a put needs of the state: the key, if it keeps something of it; the lease. Where both are missing etcd asks for
  // the key first in a transaction, and for the lease outside of one.
  Status check_kept_key(const PutRequest& put) const {
    if (!put.ignore_value && !put.ignore_lease) return {};
    Result<std::optional<LiveRecord>> live = writer.snapshot().live(put.key);
    if (!live) return live.error();
    return live->has_value() ? Status() : errors::key_not_found();
  }
  Status check_lease(const PutRequest& put) const {
    if (put.lease == 0) return {};
    Result<std::optional<std::int64_t>> lease = lease_ttl_s(put.lease);
    if (!lease) return lease.error();
    return lease->has_value() ? Status() : errors::lease_not_found();
  }

  Status check_ops(const std::vector<const RequestOp*>& ops) {
    std::size_t cost = 0;
    for (const RequestOp* op : ops) {
      const auto* put = std::get_if<PutRequest>(op);
      if (put == nullptr) continue;
      if (Status status = check_kept_key(*put); !status.ok()) return status;
      if (Status status = check_lease(*put); !status.ok()) return status;
      cost += cost_of(*put);
    }
    for (const RequestOp* op : ops)
      if (const auto* range = std::get_if<RangeRequest>(op))
        if (Status status = check_range(state, *range); !status.ok()) return status;
    return cost > 0 ? check_space(cost) : Status();
  }

  Result<TxnResult> run(const TxnRequest& request) {
    if (Status status = check_txn(request, store->options.txn_ops_max); !status.ok()) return status;
    const Snapshot before = writer.snapshot();
    Result<TxnPath> path = choose_path(before, request);
    if (!path) return path.error();
    if (Status status = check_ops(ops_on_path(request, *path)); !status.ok()) return status;
    return run_txn(before, &writer, request, *path);
  }

  Result<LeaseInfo> grant(const LeaseGrantRequest& request) {
    if (request.id == 0) return errors::lease_not_found();
    if (request.ttl_s > kLeaseTtlMaxS) return errors::lease_ttl_too_large();
    Result<std::optional<std::int64_t>> existing = lease_ttl_s(request.id);
    if (!existing) return existing.error();
    if (existing->has_value()) return errors::lease_exists();
    if (Status status = check_space(kPutOverheadSize); !status.ok()) return status;
    const std::int64_t ttl_s = std::max(request.ttl_s, store->options.lease_ttl_min_s);
    if (Status status = writer.put_lease(request.id, ttl_s); !status.ok()) return status;
    lease_changes.push_back({LeaseChange::Kind::kGrant, request.id, ttl_s, request.now_ms});
    return LeaseInfo{request.id, ttl_s, ttl_s * 1000};
  }

  Result<std::int64_t> revoke(LeaseId id) {
    Result<std::optional<std::int64_t>> existing = lease_ttl_s(id);
    if (!existing) return existing.error();
    if (!existing->has_value()) return errors::lease_not_found();
    Result<std::vector<std::string>> keys = store::lease_keys(writer.snapshot(), id);
    if (!keys) return keys.error();
    if (Status status = writer.erase_lease(id); !status.ok()) return status;
    for (const std::string& key : *keys) {
      Result<DeleteRangeResult> erased = writer.delete_range({.keys = {key, {}}});
      if (!erased) return erased.error();
    }
    lease_changes.push_back({LeaseChange::Kind::kRevoke, id});
    return writer.revision();
  }

  void apply_lease_changes() const {
    for (const LeaseChange& change : lease_changes) {
      switch (change.kind) {
        case LeaseChange::Kind::kGrant:
          store->leases.grant(change.id, change.ttl_s, change.now_ms);
          break;
        case LeaseChange::Kind::kRevoke:
          store->leases.revoke(change.id);
          break;
      }
    }
  }

  // The changes that are durable now, or not there.
  Status commit_txn() {
    Status status;
    if (store->checkpoints) {
      status = commit_to_journal();
    } else {
      status = txn.commit();
      if (!status.ok()) status = store->env.after_failed_commit(status);
    }
    if (!status.ok()) store->recent_links.clear();
    store->batch_is_open = false;
    txn.abort();
    store->end_txn();
    if (status.ok() || status.code() == StatusCode::kResourceExhausted) return status;
    store->fail(status);
    return store->health;
  }
  Status commit_to_journal() {
    lmdb::FaultPlan* faults = store->options.faults;
    if (faults != nullptr && faults->next_write_fails()) return lmdb::to_status(faults->error, "committing");
    // So that Size tells soon what is in use, where that matters.
    if (store->quota_is_used_up(store->bytes_in_use(txn))) store->checkpoints->request();
    return store->checkpoints->commit(txn);
  }

  Result<Committed> commit() {
    detail::require(static_cast<bool>(txn), "a second commit of a WriteBatch");
    Committed committed{state.revision, {}};
    if (broken.ok() && writes() == 0) {
      abort();
      return committed;
    }
    if (broken.ok()) broken = writer.put_state();
    if (!broken.ok()) {
      abort();
      return broken;
    }
    if (Status status = commit_txn(); !status.ok()) return status;
    apply_lease_changes();
    committed.events = std::move(events);
    return committed;
  }
};

WriteBatch::WriteBatch(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
WriteBatch::WriteBatch(WriteBatch&&) noexcept = default;
WriteBatch& WriteBatch::operator=(WriteBatch&&) noexcept = default;
WriteBatch::~WriteBatch() = default;

std::int64_t WriteBatch::revision() const { return impl_->state.revision; }
std::int64_t WriteBatch::compact_revision() const { return impl_->state.compact_revision; }

Result<PutResult> WriteBatch::put(const PutRequest& request) {
  return impl_->attempt([&]() -> Result<PutResult> {
    if (Status status = check_put(request); !status.ok()) return status;
    if (Status status = impl_->check_lease(request); !status.ok()) return status;
    if (Status status = impl_->check_kept_key(request); !status.ok()) return status;
    if (Status status = impl_->check_space(cost_of(request)); !status.ok()) return status;
    return impl_->writer.put(request);
  });
}

Result<DeleteRangeResult> WriteBatch::delete_range(const DeleteRangeRequest& request) {
  return impl_->attempt([&]() -> Result<DeleteRangeResult> {
    if (request.keys.key.empty()) return errors::empty_key();
    return impl_->writer.delete_range(request);
  });
}

Result<TxnResult> WriteBatch::txn(const TxnRequest& request) {
  return impl_->attempt([&] { return impl_->run(request); });
}

Result<RangeResult> WriteBatch::range(const RangeRequest& request) {
  return impl_->attempt([&]() -> Result<RangeResult> {
    if (Status status = check_range(impl_->state, request); !status.ok()) return status;
    return run_range(impl_->writer.snapshot(), request, Lifetime::kOwned);
  });
}

Status WriteBatch::put_record(std::string_view name, std::string_view bytes) {
  detail::require(!name.empty(), "a record without a name");
  return impl_->attempt([&] { return impl_->writer.put_record(name, bytes); });
}

Status WriteBatch::erase_record(std::string_view name) {
  return impl_->attempt([&] { return impl_->writer.erase_record(name); });
}

Result<std::vector<std::string>> WriteBatch::lease_keys(LeaseId id) {
  return impl_->attempt([&] { return store::lease_keys(impl_->writer.snapshot(), id); });
}

Result<LeaseInfo> WriteBatch::lease_grant(const LeaseGrantRequest& request) {
  return impl_->attempt([&] { return impl_->grant(request); });
}

Result<std::int64_t> WriteBatch::lease_revoke(LeaseId id) {
  return impl_->attempt([&] { return impl_->revoke(id); });
}

Status WriteBatch::compact(std::int64_t revision) {
  return impl_->attempt([&]() -> Status {
    State& state = impl_->state;
    if (revision <= state.compact_revision) return errors::compacted();
    if (revision > state.revision) return errors::future_revision();
    // The last compaction left what happened at its own revision: that comes first now.
    state.compact_cursor = std::min(state.compact_cursor, Revision{state.compact_revision, 0});
    state.compact_revision = revision;
    ++impl_->other_writes;
    return {};
  });
}

Result<CompactStep> WriteBatch::compact_step(std::size_t entries_max) {
  return impl_->attempt([&] {
    return store::compact_step(impl_->txn, impl_->store->tables, impl_->state, entries_max,
                               impl_->other_writes);
  });
}

Status WriteBatch::replay(const EventView& event) {
  return impl_->attempt([&]() -> Status {
    if (event.kv.key.empty()) return errors::empty_key();
    return impl_->writer.replay(event);
  });
}

Status WriteBatch::replay_end(std::int64_t revision, std::int64_t compact_revision) {
  return impl_->attempt([&]() -> Status {
    State& state = impl_->state;
    if (revision < state.revision || compact_revision > revision) return errors::future_revision();
    state.revision = revision;
    state.compact_revision = compact_revision;
    // Whatever compaction has left undone where the history comes from.
    state.compact_cursor = {};
    ++impl_->other_writes;
    return {};
  });
}

Result<Committed> WriteBatch::commit() { return impl_->commit(); }

Result<WriteBatch> Store::begin() {
  detail::require(!impl_->batch_is_open, "a second WriteBatch while one is open");
  if (const Status& health = impl_->check_health(); !health.ok()) return health;
  Result<TableTxn> txn = impl_->begin_txn();
  if (!txn) {
    if (txn.error().code() == StatusCode::kUnavailable) impl_->fail(txn.error());
    return txn.error();
  }
  Result<State> state = read_state(*txn, impl_->tables);
  if (!state) {
    txn->abort();
    impl_->end_txn();
    return state.error();
  }
  impl_->batch_is_open = true;
  return WriteBatch(std::make_unique<WriteBatch::Impl>(impl_.get(), std::move(*txn), *state));
}

}  // namespace minigrpc::store
