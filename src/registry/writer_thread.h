// WriterThread: the one thread that changes the store. It collects what every loop asks for meanwhile, applies that as
// one batch, and commits once: many writes share one fsync.
//
//   std::optional<store::PutResult> result;
//   auto put = [&](store::WriteBatch& batch) -> Status { … };
//   auto writing = writer.write(put);
//   Status status = co_await writing;          // OK: it is on disk, and published to the watchers
//
// It also ends the leases that are due, and removes what was compacted, a step at a time.
//
// Thread rule: any thread, but construction and stop(), which belong to the owner.
#pragma once

#include <minigrpc/context.h>
#include <minigrpc/status.h>

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#include "registry/counters.h"
#include "registry/log.h"
#include "registry/watch_hub.h"
#include "store/store.h"

namespace minigrpc::registry {

// Monotonic time in milliseconds: the store's clock.
std::int64_t now_ms();

class WriterThread;

// What waits inside a coroutine for the writer.
class WriterOperation {
 public:
  WriterOperation(const WriterOperation&) = delete;
  bool await_ready() const noexcept { return false; }
  template <class Promise>
  bool await_suspend(std::coroutine_handle<Promise> awaiter) {
    executor_ = &awaiter.promise().context->executor();
    waiter_ = awaiter;
    return submit();
  }
  Status await_resume() { return std::move(status_); }

 protected:
  enum class Kind : std::uint8_t { kWrite, kInspect, kCompact, kChange };
  // `wait_until_removed`: of kCompact, stay until the space was given back.
  WriterOperation(WriterThread& writer, Kind kind, bool wait_until_removed = false)
      : writer_(&writer), kind_(kind), wait_until_removed_(wait_until_removed) {}
  virtual ~WriterOperation() = default;
  virtual Status apply(store::WriteBatch&) { return Status(); }
  virtual Status inspect(store::Store&) { return Status(); }
  virtual void committed() {}

 private:
  friend class WriterThread;
  bool submit();

  WriterThread* writer_;
  const Kind kind_;
  const bool wait_until_removed_;
  Status status_;
  Executor* executor_ = nullptr;
  std::coroutine_handle<> waiter_;
};

template <class F>
class WriteOperation final : public WriterOperation {
 public:
  WriteOperation(WriterThread& writer, F& body) : WriterOperation(writer, Kind::kWrite), body_(body) {}

 private:
  Status apply(store::WriteBatch& batch) override { return body_(batch); }
  F& body_;
};

template <class F>
class InspectOperation final : public WriterOperation {
 public:
  InspectOperation(WriterThread& writer, F& body) : WriterOperation(writer, Kind::kInspect), body_(body) {}

 private:
  Status inspect(store::Store& store) override { return body_(store); }
  F& body_;
};

template <class F, class G>
class ChangeOperation final : public WriterOperation {
 public:
  ChangeOperation(WriterThread& writer, F& body, G& committed)
      : WriterOperation(writer, Kind::kChange), body_(body), committed_(committed) {}

 private:
  Status apply(store::WriteBatch& batch) override { return body_(batch); }
  void committed() override { committed_(); }
  F& body_;
  G& committed_;
};

class CompactOperation final : public WriterOperation {
 public:
  CompactOperation(WriterThread& writer, std::int64_t revision, bool physical);

 private:
  Status apply(store::WriteBatch& batch) override { return batch.compact(revision_); }
  const std::int64_t revision_;
};

class WriterThread {
 public:
  // All are borrowed until stop() has returned.
  WriterThread(store::Store& store, WatchHub& hub, Counters& counters, const Log& log);
  // Stops.
  ~WriterThread();
  WriterThread(const WriterThread&) = delete;

  // Awaited: `body(batch)` returns the request's Status and has no effect but on the batch and its own results. It may
  // run a second time, where the batch that it was in could not be committed; then the first run does not count. The
  // outcome is the body's status, or why nothing could be committed. `body` is borrowed until the awaited result.
  template <class F>
  WriteOperation<F> write(F& body) {
    return WriteOperation<F>(*this, body);
  }
  // Awaited: the same in a batch of its own; `committed()` runs on the writer's thread once it is on disk, before
  // anything later is applied: for changes of what later requests are checked against. Both are borrowed until the
  // awaited result.
  template <class F, class G>
  ChangeOperation<F, G> change(F& body, G& committed) {
    return ChangeOperation<F, G>(*this, body, committed);
  }
  // Awaited: `body(store)` runs between two batches: the way to the leases. `body` is borrowed until the awaited result.
  template <class F>
  InspectOperation<F> inspect(F& body) {
    return InspectOperation<F>(*this, body);
  }
  // Awaited: reads below `revision` fail from then on; with `physical` it is over when the space was given back.
  CompactOperation compact(std::int64_t revision, bool physical) {
    return CompactOperation(*this, revision, physical);
  }

  // Operations that wait for their turn.
  std::size_t pending_count();
  // Does what was asked for until now, ends the thread and joins it. Later operations fail with UNAVAILABLE.
  void stop();

 private:
  friend class WriterOperation;
  using Operations = std::vector<WriterOperation*>;
  // What one turn does. An operation is gone as soon as it was resumed, so the kinds are apart before the first is.
  struct Work {
    Operations inspections;
    Operations writes;
  };

  // What may wait for the writer; beyond it clients hear etcd's "too many requests".
  static constexpr std::size_t kPendingMax = 20'000;
  // One batch; more would make the first of them wait for the last.
  static constexpr std::size_t kBatchMax = 2'000;

  bool submit(WriterOperation& operation);
  void run();
  // Waits for operations or for something due; false when it is time to end.
  bool wait_for_work(Work* work);
  void inspect_all(const Operations& inspections);
  // In groups: each change is one of its own, what lies between is one batch.
  void write_all(const Operations& writes);
  void write_group(const Operations& writes);
  // Applies and commits all as one batch; a failure other than a request's own is the result.
  Status try_write(const Operations& operations);
  // Counts its changes, and hands them to the watchers.
  void publish(store::Committed committed);
  void revoke_expired();
  void remove_compacted();
  void notice_long_stop();
  void finish_compaction(const Status& status);
  // Resumes those that are over, each where it waits, and all of one loop together: it is woken once, and what they
  // answer leaves in one write for each connection. They are gone then.
  void resume_finished();

  store::Store& store_;
  WatchHub& hub_;
  Counters& counters_;
  const Log& log_;

  std::mutex mutex_;
  std::condition_variable wake_;
  Operations pending_;
  bool stopping_ = false;

  // The thread's own.
  bool removing_ = true;  // compaction may have been interrupted by the last exit
  Operations waiting_for_removal_;
  Operations finished_;  // to be resumed
  std::int64_t last_turn_ms_ = 0;
  std::int64_t revoke_not_before_ms_ = 0;

  std::thread thread_;
};

}  // namespace minigrpc::registry
