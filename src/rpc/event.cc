// AsyncEvent and TaskScope: what tasks wait for, and where background tasks end together.
#include <algorithm>
#include <condition_variable>
#include <mutex>

#include "rpc/runtime_impl.h"

namespace minigrpc {

namespace rpc {

// One waiting task. Guarded by its event's mutex until it has left the event's list; whoever takes it out
// resumes it.
struct Waiter final : CancelNode {
  EventState* event = nullptr;
  TaskContext* context = nullptr;
  std::coroutine_handle<> task;
  bool waiting = false;
  bool fired = false;
  bool expired = false;  // its deadline has passed, perhaps before it began to wait
  void on_cancel() noexcept override;
};

class EventState {
 public:
  // False: it need not wait.
  bool add(Waiter& waiter) {
    std::lock_guard lock(mutex_);
    waiter.fired = set_;
    if (set_ || waiter.expired) return false;
    waiter.waiting = true;
    waiters_.push_back(&waiter);
    return true;
  }
  void set() {
    std::vector<Waiter*> woken;
    {
      std::lock_guard lock(mutex_);
      if (set_) return;
      set_ = true;
      woken.swap(waiters_);
      for (Waiter* waiter : woken) {
        waiter->fired = true;
        waiter->waiting = false;
      }
    }
    // A posted waiter may be gone at once: nothing of it is touched after its post().
    for (Waiter* waiter : woken) waiter->context->executor().post(waiter->task);
  }
  void give_up(Waiter& waiter) {
    {
      std::lock_guard lock(mutex_);
      if (!waiter.waiting) return;
      waiter.waiting = false;
      std::erase(waiters_, &waiter);
    }
    waiter.context->executor().post(waiter.task);
  }
  // `waiter` is there until it is marked `over`. A deadline that is near can pass on another thread before the task
  // has begun to wait: that must not be lost.
  void expire(Waiter* waiter, const std::shared_ptr<bool>& over) {
    {
      std::lock_guard lock(mutex_);
      if (*over) return;
      waiter->expired = true;
      if (!waiter->waiting) return;
      waiter->waiting = false;
      std::erase(waiters_, waiter);
    }
    waiter->context->executor().post(waiter->task);
  }
  void mark_over(const std::shared_ptr<bool>& over) {
    std::lock_guard lock(mutex_);
    *over = true;
  }
  void reset() {
    std::lock_guard lock(mutex_);
    set_ = false;
  }
  bool is_set() {
    std::lock_guard lock(mutex_);
    return set_;
  }

 private:
  std::mutex mutex_;
  bool set_ = false;
  std::vector<Waiter*> waiters_;
};

void Waiter::on_cancel() noexcept { event->give_up(*this); }

namespace {

struct WaitAwaiter {
  std::shared_ptr<EventState> event;  // may outlive the AsyncEvent by the end of its set()
  bool cancellable;
  Waiter waiter{};

  bool await_ready() const noexcept { return false; }
  template <class Promise>
  bool await_suspend(std::coroutine_handle<Promise> awaiter) {
    waiter.event = event.get();
    waiter.context = awaiter.promise().context;
    waiter.task = awaiter;
    TaskContext& context = *waiter.context;
    if (cancellable && context.cancelled()) {
      waiter.fired = event->is_set();
      return false;
    }
    if (cancellable) context.attach(waiter);
    if (event->add(waiter)) return true;
    waiter.detach();
    return false;
  }
  bool await_resume() noexcept {
    waiter.detach();
    return waiter.fired;
  }
};

// Ends a wait at its deadline, from the runtime's first loop.
class Expiry final : public net::Timer, public std::enable_shared_from_this<Expiry> {
 public:
  Expiry(net::Loop& loop, std::shared_ptr<EventState> event, Waiter* waiter)
      : loop_(loop), event_(std::move(event)), waiter_(waiter) {}
  void start(TimePoint when) {
    loop_.post([self = shared_from_this(), when] {
      self->keep_ = self;
      self->loop_.arm(*self, when);
    });
  }
  void stop() {
    event_->mark_over(over_);
    loop_.post([self = shared_from_this()] {
      self->loop_.disarm(*self);
      self->keep_.reset();
    });
  }
  void on_timer() noexcept override {
    event_->expire(waiter_, over_);
    const std::shared_ptr<Expiry> last = std::move(keep_);
  }

 private:
  net::Loop& loop_;
  std::shared_ptr<EventState> event_;
  Waiter* waiter_;
  std::shared_ptr<bool> over_ = std::make_shared<bool>(false);
  std::shared_ptr<Expiry> keep_;
};

Task<bool> wait_on(std::shared_ptr<EventState> event, bool cancellable) {
  WaitAwaiter awaiter{std::move(event), cancellable};
  co_return co_await awaiter;
}

Task<bool> wait_on_until(std::shared_ptr<EventState> event, net::Loop& loop, TimePoint deadline) {
  WaitAwaiter awaiter{event, true};
  auto expiry = std::make_shared<Expiry>(loop, event, &awaiter.waiter);
  expiry->start(deadline);
  const bool fired = co_await awaiter;
  expiry->stop();
  co_return fired;
}

}  // namespace

// ---- TaskScope ----

class ScopeState : public std::enable_shared_from_this<ScopeState> {
 public:
  explicit ScopeState(RuntimeImpl& runtime)
      : runtime_(runtime), loop_(runtime.here_or_next()), context_(loop_) {
    idle_.set();
  }

  void spawn(Task<void> task) {
    {
      std::lock_guard lock(mutex_);
      if (running_++ == 0) idle_.reset();
    }
    loop_.post([self = shared_from_this(), root = detail::run_detached(std::move(task))]() mutable {
      root.start(self->context_, &ScopeState::one_done, self.get());
    });
  }
  void cancel() {
    if (loop_.is_current()) return context_.cancel();
    loop_.post([self = shared_from_this()] { self->context_.cancel(); });
  }
  AsyncEvent& idle() { return idle_; }
  net::Loop& loop() { return loop_; }

  // The owner is going.
  void end() {
    const bool may_wait = net::Loop::current() == nullptr;
    {
      std::lock_guard lock(mutex_);
      if (running_ == 0) return;
      if (!may_wait) {
        left_behind_ = shared_from_this();
        runtime_.scope_left_behind();
      }
    }
    cancel();
    if (!may_wait) return;
    std::unique_lock lock(mutex_);
    all_done_.wait(lock, [this] { return running_ == 0; });
  }

 private:
  static void one_done(void* pointer) noexcept {
    auto self = static_cast<ScopeState*>(pointer)->shared_from_this();
    std::lock_guard lock(self->mutex_);
    if (--self->running_ != 0) return;
    self->idle_.set();
    self->all_done_.notify_all();
    if (!self->left_behind_) return;
    self->left_behind_.reset();
    self->runtime_.left_scope_ended();
  }

  RuntimeImpl& runtime_;
  net::Loop& loop_;
  TaskContext context_;
  std::mutex mutex_;
  std::condition_variable all_done_;
  std::size_t running_ = 0;
  std::shared_ptr<ScopeState> left_behind_;  // its owner went on an event loop while tasks ran
  AsyncEvent idle_;
};

}  // namespace rpc

AsyncEvent::AsyncEvent() : state_(std::make_shared<rpc::EventState>()) {}
AsyncEvent::~AsyncEvent() = default;
void AsyncEvent::set() {
  const std::shared_ptr<rpc::EventState> state = state_;  // a woken waiter may destroy *this
  state->set();
}
void AsyncEvent::reset() { state_->reset(); }
bool AsyncEvent::is_set() const { return state_->is_set(); }
Task<bool> AsyncEvent::wait() { return rpc::wait_on(state_, true); }
Task<bool> AsyncEvent::wait_until(Runtime& runtime, TimePoint deadline) {
  return rpc::wait_on_until(state_, *runtime.impl().loops().front(), deadline);
}

Task<bool> AsyncEvent::wait_uncancellable() { return rpc::wait_on(state_, false); }

TaskScope::TaskScope(Runtime& runtime) : state_(std::make_shared<rpc::ScopeState>(runtime.impl())) {}
TaskScope::~TaskScope() { state_->end(); }
void TaskScope::spawn(Task<void> task) { state_->spawn(std::move(task)); }
void TaskScope::cancel() { state_->cancel(); }
Task<void> TaskScope::join() {
  const std::shared_ptr<rpc::ScopeState> state = state_;
  co_await state->idle().wait_uncancellable();
}
Task<void> TaskScope::stop() {
  cancel();
  return join();
}
Executor& TaskScope::executor() const { return state_->loop(); }

}  // namespace minigrpc
