#include "mirror.h"

#include <algorithm>

namespace minigrpc::cli {

namespace {

constexpr std::int64_t kMirrorPageSize = 1000;
// Values of one transaction, in bytes: etcd takes requests of 1.5 MiB.
constexpr std::size_t kTxnSizeMax = 1u << 20;
// How often leases are looked after where none of them wants it oftener.
constexpr std::int64_t kLeasePeriodMax_s = 5;

Status lost(const etcd::WatchUpdate& update) {
  return Status(StatusCode::kOutOfRange, update.reason.message() + "; begin again with a copy");
}

}  // namespace

std::string Mirror::destination_of(const std::string& key) const {
  return options_.dest_prefix + key.substr(options_.prefix.size());
}

Task<Status> Mirror::commit(etcd::TxnRequest batch) {
  const std::size_t count = batch.success.size();
  if (count == 0) co_return Status();
  Task<Result<etcd::TxnResponse>> committing = to_.Txn(std::move(batch));
  const Result<etcd::TxnResponse> response = co_await committing;
  if (response) change_count_ += static_cast<std::int64_t>(count);
  co_return response.status();
}

// Grants it there where that was not done; false where it has ended here.
Task<Result<bool>> Mirror::lease_is_there(etcd::LeaseId id) {
  if (leases_.contains(id)) co_return true;
  etcd::LeaseTimeToLiveRequest question{.id = id};
  Task<Result<etcd::LeaseTimeToLiveResponse>> asking = from_.LeaseTimeToLive(question);
  const Result<etcd::LeaseTimeToLiveResponse> lease = co_await asking;
  if (!lease) co_return lease.error();
  if (lease->ttl_s <= 0) co_return false;
  etcd::LeaseGrantRequest request{.ttl_s = lease->granted_ttl_s, .id = id};
  Task<Result<etcd::LeaseGrantResponse>> granting = to_.LeaseGrant(request);
  const Result<etcd::LeaseGrantResponse> granted = co_await granting;
  const bool exists = !granted && granted.error().message().find("lease already exists") != std::string::npos;
  if (!granted && !exists) co_return granted.error();
  leases_[id] = lease->granted_ttl_s;
  co_return true;
}

Task<Status> Mirror::copy_page(std::vector<etcd::KeyValue> kvs) {
  etcd::TxnRequest batch;
  std::size_t size = 0;
  for (etcd::KeyValue& kv : kvs) {
    etcd::PutRequest put{.key = destination_of(kv.key), .value = std::move(kv.value)};
    if (options_.with_leases && kv.lease != 0) {
      Task<Result<bool>> looking = lease_is_there(kv.lease);
      const Result<bool> there = co_await looking;
      if (!there) co_return there.error();
      if (!*there) continue;  // the key goes with it
      put.lease = kv.lease;
    }
    const std::size_t added = put.key.size() + put.value.size();
    const bool full = static_cast<std::int64_t>(batch.success.size()) == options_.txn_operation_count_max;
    if (full || size + added > kTxnSizeMax) {
      Task<Status> committing = commit(std::move(batch));
      if (Status status = co_await committing; !status.ok()) co_return status;
      batch = {};
      size = 0;
    }
    size += added;
    batch.then(std::move(put));
  }
  Task<Status> committing = commit(std::move(batch));
  Status status = co_await committing;
  co_return status;
}

Task<Status> Mirror::copy() {
  etcd::KeyRange range = etcd::KeyRange::prefix(options_.prefix);
  while (true) {
    etcd::RangeRequest request{.keys = range, .limit = kMirrorPageSize, .revision = revision_};
    Task<Result<etcd::RangeResponse>> reading = from_.Range(std::move(request));
    Result<etcd::RangeResponse> page = co_await reading;
    if (!page) co_return page.error();
    if (revision_ == 0) revision_ = page->header.revision;
    const bool more = page->more && !page->kvs.empty();
    if (more) range.key = page->kvs.back().key + std::string(1, '\0');
    Task<Status> copying = copy_page(std::move(page->kvs));
    if (Status status = co_await copying; !status.ok()) co_return status;
    if (!more) co_return Status();
  }
}

// One transaction for each revision of the source.
Task<Status> Mirror::apply_events(std::vector<etcd::WatchEvent> events) {
  etcd::TxnRequest batch;
  std::int64_t revision = 0;
  for (etcd::WatchEvent& event : events) {
    const bool full = static_cast<std::int64_t>(batch.success.size()) == options_.txn_operation_count_max;
    if (event.kv.mod_revision != revision || full) {
      Task<Status> committing = commit(std::move(batch));
      if (Status status = co_await committing; !status.ok()) co_return status;
      batch = {};
      revision = event.kv.mod_revision;
    }
    if (event.type == etcd::EventType::kDelete) {
      batch.then(etcd::DeleteRangeRequest{.keys = etcd::KeyRange::single(destination_of(event.kv.key))});
      continue;
    }
    etcd::PutRequest put{.key = destination_of(event.kv.key), .value = std::move(event.kv.value)};
    if (options_.with_leases && event.kv.lease != 0) {
      Task<Result<bool>> looking = lease_is_there(event.kv.lease);
      const Result<bool> there = co_await looking;
      if (!there) co_return there.error();
      if (!*there) continue;  // its deletion follows
      put.lease = event.kv.lease;
    }
    batch.then(std::move(put));
  }
  Task<Status> committing = commit(std::move(batch));
  Status status = co_await committing;
  co_return status;
}

// What is alive here stays alive there. Failures are for the next round: a lease has more than one.
Task<void> Mirror::keep_leases(AsyncEvent& ended) {
  TaskContext& context = co_await current_context();
  while (options_.with_leases) {
    std::int64_t period_s = kLeasePeriodMax_s;
    std::vector<etcd::LeaseId> ids;
    for (const auto& [id, ttl_s] : leases_) {
      period_s = std::clamp<std::int64_t>(ttl_s / 3, 1, period_s);
      ids.push_back(id);
    }
    const TimePoint next = std::chrono::steady_clock::now() + std::chrono::seconds(period_s);
    Task<bool> pausing = ended.wait_until(from_.runtime(), next);
    if (co_await pausing || context.cancelled()) co_return;
    for (const etcd::LeaseId id : ids) {
      etcd::LeaseTimeToLiveRequest question{.id = id};
      Task<Result<etcd::LeaseTimeToLiveResponse>> asking = from_.LeaseTimeToLive(question);
      const Result<etcd::LeaseTimeToLiveResponse> lease = co_await asking;
      if (!lease) continue;
      if (lease->ttl_s > 0) {
        Task<Result<etcd::LeaseKeepAliveResponse>> renewing = to_.LeaseKeepAlive(id);
        co_await renewing;
      } else {
        leases_.erase(id);  // it ends there by itself
      }
    }
  }
}

Task<Status> Mirror::follow(std::int64_t revision) {
  if (revision != 0) revision_ = revision;
  AsyncEvent ended;
  auto both = when_all(apply_changes(ended), keep_leases(ended));
  const std::tuple<Status, std::monostate> outcome = co_await both;
  co_return std::get<0>(outcome);
}

Task<Status> Mirror::apply_changes(AsyncEvent& ended) {
  etcd::WatchOptions options{.keys = etcd::KeyRange::prefix(options_.prefix),
                             .start_revision = revision_ + 1};
  etcd::Watcher watcher(from_, std::move(options));
  Status outcome;
  while (outcome.ok()) {
    Task<Result<etcd::WatchUpdate>> waiting = watcher.next();
    Result<etcd::WatchUpdate> update = co_await waiting;
    if (!update) {
      outcome = update.error();
    } else if (update->kind == etcd::WatchUpdate::Kind::kResynchronise) {
      outcome = lost(*update);
    } else {
      const std::int64_t reached =
          update->events.empty() ? update->header.revision : update->events.back().kv.mod_revision;
      Task<Status> applying = apply_events(std::move(update->events));
      outcome = co_await applying;
      if (outcome.ok()) revision_ = reached;
    }
  }
  ended.set();
  co_return outcome;
}

}  // namespace minigrpc::cli
