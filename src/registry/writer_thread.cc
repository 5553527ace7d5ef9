#include "registry/writer_thread.h"

#include <algorithm>
#include <chrono>
#include <coroutine>
#include <exception>
#include <utility>

#include "registry/open_calls.h"

namespace minigrpc::registry {

namespace {

// The thread looks at the clock at least this often, so that a pause longer than kStopMs means that the whole process
// was stopped (SIGSTOP, a suspended machine) or its disk stuck: then clients could not renew their leases, and get the
// chance to. It is shorter than the shortest lease, so that none ends in a pause that nobody noticed.
constexpr std::int64_t kTurnMs = 1000;
constexpr std::int64_t kStopMs = 1500;
// How many leases end under one commit.
constexpr std::size_t kRevokeMax = 500;
constexpr std::size_t kRemoveStep = 2000;
// After a failing disk refused a revocation.
constexpr std::int64_t kRetryMs = 1000;
constexpr std::chrono::seconds kSlowCommit{1};

// A coroutine that ends by itself once it was resumed.
struct Resumption {
  struct promise_type {
    Resumption get_return_object() { return {std::coroutine_handle<promise_type>::from_promise(*this)}; }
    std::suspend_always initial_suspend() noexcept { return {}; }
    std::suspend_never final_suspend() noexcept { return {}; }
    void return_void() {}
    void unhandled_exception() { std::terminate(); }
  };
  std::coroutine_handle<> handle;
};

Resumption resume_all(std::vector<std::coroutine_handle<>> waiters) {
  for (const std::coroutine_handle<> waiter : waiters) waiter.resume();
  co_return;
}

}  // namespace

std::int64_t now_ms() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

CompactOperation::CompactOperation(WriterThread& writer, std::int64_t revision, bool physical)
    : WriterOperation(writer, Kind::kCompact, physical), revision_(revision) {}

bool WriterOperation::submit() { return writer_->submit(*this); }

WriterThread::WriterThread(store::Store& store, WatchHub& hub, Counters& counters, const Log& log)
    : store_(store), hub_(hub), counters_(counters), log_(log), last_turn_ms_(now_ms()), thread_([this] {
        run();
      }) {}

WriterThread::~WriterThread() { stop(); }

void WriterThread::stop() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
    wake_.notify_one();
  }
  if (thread_.joinable()) thread_.join();
}

bool WriterThread::submit(WriterOperation& operation) {
  std::lock_guard lock(mutex_);
  if (stopping_) {
    operation.status_ = server_stopped();
    return false;
  }
  if (pending_.size() >= kPendingMax) {
    operation.status_ = Status(StatusCode::kResourceExhausted, "etcdserver: too many requests");
    return false;
  }
  pending_.push_back(&operation);
  if (pending_.size() == 1) wake_.notify_one();
  return true;
}

std::size_t WriterThread::pending_count() {
  std::lock_guard lock(mutex_);
  return pending_.size();
}

void WriterThread::run() {
  Work work;
  while (wait_for_work(&work)) {
    notice_long_stop();
    inspect_all(work.inspections);
    write_all(work.writes);
    revoke_expired();
    remove_compacted();
  }
  finish_compaction(server_stopped());
}

bool WriterThread::wait_for_work(Work* work) {
  work->inspections.clear();
  work->writes.clear();
  std::int64_t wait_ms = kTurnMs;
  if (const std::optional<std::int64_t> expiry_ms = store_.lease_next_expiry_ms())
    wait_ms = std::clamp<std::int64_t>(std::max(*expiry_ms, revoke_not_before_ms_) - now_ms(), 0, kTurnMs);
  if (removing_) wait_ms = 0;

  std::unique_lock lock(mutex_);
  wake_.wait_for(lock, std::chrono::milliseconds(wait_ms), [this] { return !pending_.empty() || stopping_; });
  if (pending_.empty() && stopping_) return false;
  const std::size_t count = std::min(pending_.size(), kBatchMax);
  for (std::size_t i = 0; i < count; ++i) {
    const bool inspection = pending_[i]->kind_ == WriterOperation::Kind::kInspect;
    (inspection ? work->inspections : work->writes).push_back(pending_[i]);
  }
  pending_.erase(pending_.begin(), pending_.begin() + static_cast<std::ptrdiff_t>(count));
  return true;
}

void WriterThread::notice_long_stop() {
  const std::int64_t now = now_ms();
  if (now - last_turn_ms_ > kStopMs) {
    log_.warn("no write could be served for a while: every lease gets its full time again",
              {{"for", std::to_string(now - last_turn_ms_) + "ms"}});
    store_.leases_restart(now);
  }
  last_turn_ms_ = now;
}

void WriterThread::inspect_all(const Operations& inspections) {
  for (WriterOperation* operation : inspections) {
    operation->status_ = operation->inspect(store_);
    finished_.push_back(operation);
  }
  resume_finished();
}

void WriterThread::write_all(const Operations& writes) {
  Operations group;
  for (WriterOperation* operation : writes) {
    if (operation->kind_ != WriterOperation::Kind::kChange) {
      group.push_back(operation);
      continue;
    }
    write_group(std::exchange(group, {}));
    write_group({operation});
  }
  write_group(group);
}

void WriterThread::write_group(const Operations& writes) {
  if (writes.empty()) return;
  if (Status failure = try_write(writes); !failure.ok()) {
    // One by one, so that only the culprit fails.
    for (WriterOperation* operation : writes) {
      if (writes.size() > 1) failure = try_write({operation});
      if (!failure.ok()) operation->status_ = failure;
    }
    if (!store_.health().ok()) log_.error("the store refuses writes", {{"error", store_.health().to_string()}});
  }
  for (WriterOperation* operation : writes) {
    if (operation->kind_ == WriterOperation::Kind::kCompact && operation->status_.ok()) {
      removing_ = true;
      if (operation->wait_until_removed_) {
        waiting_for_removal_.push_back(operation);
        continue;
      }
    }
    if (operation->kind_ == WriterOperation::Kind::kChange && operation->status_.ok()) operation->committed();
    finished_.push_back(operation);
  }
  resume_finished();
}

Status WriterThread::try_write(const Operations& operations) {
  const auto begin = std::chrono::steady_clock::now();
  Result<store::WriteBatch> batch = store_.begin();
  if (!batch) return std::move(batch).error();
  for (WriterOperation* operation : operations) operation->status_ = operation->apply(*batch);
  Result<store::Committed> committed = batch->commit();
  if (!committed) return std::move(committed).error();
  const auto took = std::chrono::steady_clock::now() - begin;
  counters_.commits.add(took);
  if (const auto took_ms = std::chrono::duration_cast<std::chrono::milliseconds>(took); took_ms > kSlowCommit)
    log_.warn(
        "a commit took too long: is the disk slow or busy?",
        {{"took", std::to_string(took_ms.count()) + "ms"}, {"requests", std::to_string(operations.size())}});
  publish(*std::move(committed));
  return Status();
}

void WriterThread::publish(store::Committed committed) {
  std::uint64_t puts = 0;
  for (const store::Event& event : committed.events) puts += event.type == store::EventType::kPut ? 1 : 0;
  counters_.puts.add(puts);
  counters_.deletes.add(committed.events.size() - puts);
  hub_.publish(std::move(committed));
}

void WriterThread::revoke_expired() {
  // The turn's time, not a later one: where the process stood still since, clients had no time to renew, which the next turn
  // notices.
  const std::int64_t now = last_turn_ms_;
  if (now < revoke_not_before_ms_) return;
  const std::vector<store::LeaseId> expired = store_.leases_expired(now, kRevokeMax);
  if (expired.empty()) return;

  const auto revoke_all = [&]() -> Status {
    Result<store::WriteBatch> batch = store_.begin();
    if (!batch) return std::move(batch).error();
    for (const store::LeaseId id : expired) {
      Result<std::int64_t> revoked = batch->lease_revoke(id);
      if (!revoked) return std::move(revoked).error();
    }
    Result<store::Committed> committed = batch->commit();
    if (!committed) return std::move(committed).error();
    publish(*std::move(committed));
    counters_.leases_expired.add(expired.size());
    return Status();
  };
  if (const Status status = revoke_all(); !status.ok()) {
    log_.error("expired leases could not be revoked", {{"error", status.to_string()}});
    revoke_not_before_ms_ = now + kRetryMs;
    return;
  }
  for (const store::LeaseId id : expired) log_.debug("lease expired", {{"lease", to_hex(id)}});
}

void WriterThread::remove_compacted() {
  if (!removing_) return;
  const auto step = [&]() -> Result<bool> {
    Result<store::WriteBatch> batch = store_.begin();
    if (!batch) return std::move(batch).error();
    Result<store::CompactStep> result = batch->compact_step(kRemoveStep);
    if (!result) return std::move(result).error();
    Result<store::Committed> committed = batch->commit();
    if (!committed) return std::move(committed).error();
    return result->done;
  };
  const Result<bool> done = step();
  if (!done) {
    removing_ = false;
    log_.error("compacted history could not be removed", {{"error", done.error().to_string()}});
    finish_compaction(done.error());
  } else if (*done) {
    removing_ = false;
    finish_compaction(Status());
  }
}

void WriterThread::finish_compaction(const Status& status) {
  for (WriterOperation* operation : std::exchange(waiting_for_removal_, {})) {
    operation->status_ = status;
    finished_.push_back(operation);
  }
  resume_finished();
}

void WriterThread::resume_finished() {
  while (!finished_.empty()) {
    Executor* const executor = finished_.front()->executor_;
    std::vector<std::coroutine_handle<>> waiters;
    std::erase_if(finished_, [&](WriterOperation* operation) {
      if (operation->executor_ != executor) return false;
      waiters.push_back(operation->waiter_);
      return true;
    });
    executor->post(resume_all(std::move(waiters)).handle);
  }
}

}  // namespace minigrpc::registry
