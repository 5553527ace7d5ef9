// What a tree of tasks shares: where it runs, until when it may, and whether it was told to stop.
//
// A server call, a TaskScope and sync_wait() each own one; every Task awaited from there inherits it without being told.
// That is how a handler's deadline and cancellation reach the calls and sleeps it awaits. Thread rule: all members but
// the constructor run on the executor.
#pragma once

#include <minigrpc/status.h>

#include <chrono>
#include <coroutine>
#include <memory>
#include <utility>
#include <vector>

namespace minigrpc {

using TimePoint = std::chrono::steady_clock::time_point;

// A place where coroutines are resumed, one at a time: an event loop, a sync_wait(), an Asio executor.
class Executor {
 public:
  // Resumes `coroutine` there, soon. From any thread.
  virtual void post(std::coroutine_handle<> coroutine) = 0;
  // Whether the calling thread is there now.
  virtual bool is_current() const = 0;

 protected:
  ~Executor() = default;
};

// Something that wants to hear of cancellation once: an operation that waits. Unlinks itself when destroyed.
class CancelNode {
 public:
  CancelNode() = default;
  CancelNode(const CancelNode&) = delete;
  CancelNode& operator=(const CancelNode&) = delete;
  // On the executor, at most once for an attach. The node is detached already.
  virtual void on_cancel() noexcept = 0;
  void detach() noexcept {
    if (previous_ == nullptr) return;
    previous_->next_ = next_;
    if (next_ != nullptr) next_->previous_ = previous_;
    previous_ = next_ = nullptr;
  }
  bool attached() const { return previous_ != nullptr; }

 protected:
  virtual ~CancelNode() { detach(); }

 private:
  friend class TaskContext;
  CancelNode* previous_ = nullptr;
  CancelNode* next_ = nullptr;
};

// What parts that do not know each other leave for one another: one value of each type.
class ContextValues {
 public:
  // Lives as long as this, or a copy of this.
  template <class T>
  T& set(T value) {
    auto kept = std::make_shared<T>(std::move(value));
    T& result = *kept;
    values_.emplace_back(&kKey<T>, std::move(kept));
    return result;
  }
  // The one that was set last; null without one.
  template <class T>
  T* get() const {
    for (auto found = values_.rbegin(); found != values_.rend(); ++found)
      if (found->first == &kKey<T>) return static_cast<T*>(found->second.get());
    return nullptr;
  }
  bool empty() const { return values_.empty(); }

 private:
  template <class T>
  static constexpr char kKey = 0;
  std::vector<std::pair<const void*, std::shared_ptr<void>>> values_;
};

class TaskContext {
 public:
  // `executor` is borrowed for the life of the context.
  explicit TaskContext(Executor& executor, TimePoint deadline = TimePoint::max())
      : executor_(&executor), deadline_(deadline) {}
  TaskContext(const TaskContext&) = delete;
  TaskContext& operator=(const TaskContext&) = delete;

  Executor& executor() const { return *executor_; }
  // TimePoint::max() when there is none.
  TimePoint deadline() const { return deadline_; }
  void set_deadline(TimePoint deadline) { deadline_ = deadline; }

  // Of the server call that this belongs to; null where there is none. Borrowed for the life of the context.
  const ContextValues* values() const { return values_; }
  void set_values(const ContextValues& values) { values_ = &values; }

  // kOk while nobody cancelled; otherwise kCancelled or kDeadlineExceeded.
  StatusCode cancel_reason() const { return reason_; }
  bool cancelled() const { return reason_ != StatusCode::kOk; }

  // Tells everything that waits under this context, once; what waits later is told at once.
  void cancel(StatusCode reason = StatusCode::kCancelled) {
    if (cancelled()) return;
    reason_ = reason;
    while (head_.next_ != nullptr) {
      CancelNode* node = head_.next_;
      node->detach();
      node->on_cancel();
    }
  }

  // `node` hears of the cancellation until it is detached; the context must not be cancelled yet.
  void attach(CancelNode& node) {
    node.previous_ = &head_;
    node.next_ = head_.next_;
    if (head_.next_ != nullptr) head_.next_->previous_ = &node;
    head_.next_ = &node;
  }

 private:
  struct Head final : CancelNode {
    void on_cancel() noexcept override {}
  };
  Executor* executor_;
  TimePoint deadline_;
  StatusCode reason_ = StatusCode::kOk;
  const ContextValues* values_ = nullptr;
  Head head_;
};

namespace detail {
// Continues a coroutine where its context says; at once when that is here.
inline void resume(TaskContext& context, std::coroutine_handle<> coroutine) {
  if (context.executor().is_current())
    coroutine.resume();
  else
    context.executor().post(coroutine);
}
}  // namespace detail

}  // namespace minigrpc
