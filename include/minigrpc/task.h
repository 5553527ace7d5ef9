// Task<T>: a lazy coroutine that starts when it is awaited and hands its result over without a stack frame or a lock.
//
//   Task<int> answer() { co_return 42; }
//   Task<void> use() { int value = co_await answer(); ... }
//   int value = sync_wait(answer());                       // from a program without coroutines
//   auto [a, b] = sync_wait(when_all(first(), second()));
//
// g++ before 12.3, Debian 12's too, lays a coroutine's frame out wrongly when a condition awaits in a
// function without any local variable (GCC bug 106188): `if (co_await ready())` then never comes back. A
// named value avoids it: `const bool is_ready = co_await ready();`
//
// Thread rule: a Task is awaited once, by one coroutine; it resumes on its awaiter's executor after every
// suspension. An exception that leaves a Task is thrown again where it is awaited.
#pragma once

#include <minigrpc/context.h>
#include <minigrpc/detail/memory.h>
#include <minigrpc/result.h>

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <exception>
#include <mutex>
#include <optional>
#include <thread>
#include <tuple>
#include <utility>
#include <variant>
#include <vector>

namespace minigrpc {

template <class T = void>
class Task;

namespace detail {

// What every coroutine promise of ours begins with.
struct PromiseBase {
  TaskContext* context = nullptr;

  static void* operator new(std::size_t size) { return allocate_block(size); }
  static void operator delete(void* frame, std::size_t size) noexcept { deallocate_block(frame, size); }
};

struct TaskPromiseBase : PromiseBase {
  std::coroutine_handle<> continuation;

  struct FinalAwaiter {
    bool await_ready() noexcept { return false; }
    template <class Promise>
    std::coroutine_handle<> await_suspend(std::coroutine_handle<Promise> finished) noexcept {
      return finished.promise().continuation;
    }
    void await_resume() noexcept {}
  };
  std::suspend_always initial_suspend() noexcept { return {}; }
  FinalAwaiter final_suspend() noexcept { return {}; }
};

template <class T>
struct TaskPromise : TaskPromiseBase {
  std::variant<std::monostate, T, std::exception_ptr> outcome;

  Task<T> get_return_object();
  template <class U>
    requires std::convertible_to<U&&, T>
  void return_value(U&& value) {
    outcome.template emplace<1>(std::forward<U>(value));
  }
  void unhandled_exception() { outcome.template emplace<2>(std::current_exception()); }
  T take() {
    if (outcome.index() == 2) std::rethrow_exception(std::get<2>(outcome));
    return std::move(std::get<1>(outcome));
  }
};

template <>
struct TaskPromise<void> : TaskPromiseBase {
  std::exception_ptr failure;

  Task<void> get_return_object();
  void return_void() {}
  void unhandled_exception() { failure = std::current_exception(); }
  void take() {
    if (failure) std::rethrow_exception(failure);
  }
};

}  // namespace detail

template <class T>
class [[nodiscard]] Task {
 public:
  using promise_type = detail::TaskPromise<T>;
  using value_type = T;

  Task(Task&& other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}
  Task& operator=(Task&& other) noexcept {
    std::swap(handle_, other.handle_);
    return *this;
  }
  ~Task() {
    if (handle_) handle_.destroy();
  }

  struct Awaiter {
    std::coroutine_handle<promise_type> handle;
    bool await_ready() const noexcept { return false; }
    template <class Promise>
    std::coroutine_handle<> await_suspend(std::coroutine_handle<Promise> awaiter) noexcept {
      handle.promise().continuation = awaiter;
      handle.promise().context = awaiter.promise().context;
      return handle;
    }
    T await_resume() { return handle.promise().take(); }
  };
  Awaiter operator co_await() const noexcept { return {handle_}; }

 private:
  friend promise_type;
  explicit Task(std::coroutine_handle<promise_type> handle) : handle_(handle) {}
  std::coroutine_handle<promise_type> handle_;
};

namespace detail {

template <class T>
Task<T> TaskPromise<T>::get_return_object() {
  return Task<T>(std::coroutine_handle<TaskPromise>::from_promise(*this));
}
inline Task<void> TaskPromise<void>::get_return_object() {
  return Task<void>(std::coroutine_handle<TaskPromise>::from_promise(*this));
}

// The root of a tree of tasks: starts at once, owns itself, and ends by running `on_done(state)` after its frame's
// locals are gone. The body must not let an exception out.
struct Detached {
  struct promise_type : PromiseBase {
    void (*on_done)(void*) noexcept = nullptr;
    void* state = nullptr;

    Detached get_return_object() {
      return {std::coroutine_handle<promise_type>::from_promise(*this)};
    }
    std::suspend_always initial_suspend() noexcept { return {}; }
    auto final_suspend() noexcept {
      struct Ending {
        bool await_ready() noexcept { return false; }
        void await_suspend(std::coroutine_handle<promise_type> self) noexcept {
          auto done = self.promise().on_done;
          void* argument = self.promise().state;
          self.destroy();
          if (done != nullptr) done(argument);
        }
        void await_resume() noexcept {}
      };
      return Ending{};
    }
    void return_void() {}
    void unhandled_exception() { contract_violation("an exception left a root task"); }
  };

  // `context` is borrowed until on_done runs.
  void start(TaskContext& context, void (*on_done)(void*) noexcept = nullptr, void* state = nullptr) {
    handle.promise().context = &context;
    handle.promise().on_done = on_done;
    handle.promise().state = state;
    handle.resume();
  }
  std::coroutine_handle<promise_type> handle;
};

// The executor of sync_wait(): the thread that called it.
class RunLoop final : public Executor {
 public:
  void post(std::coroutine_handle<> coroutine) override {
    std::lock_guard lock(mutex_);
    ready_.push_back(coroutine);
    wake_.notify_one();
  }
  bool is_current() const override { return std::this_thread::get_id() == thread_; }
  void run_until(const bool& done) {
    while (!done) {
      std::unique_lock lock(mutex_);
      wake_.wait(lock, [this] { return !ready_.empty(); });
      std::coroutine_handle<> next = ready_.front();
      ready_.pop_front();
      lock.unlock();
      next.resume();
    }
  }

 private:
  std::thread::id thread_ = std::this_thread::get_id();
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::coroutine_handle<>> ready_;
};

template <class T>
using Stored = std::conditional_t<std::is_void_v<T>, std::monostate, T>;

// A value or the exception that came instead.
template <class T>
struct Outcome {
  std::optional<Stored<T>> value;
  std::exception_ptr failure;
  Stored<T> take() {
    if (failure) std::rethrow_exception(failure);
    return std::move(*value);
  }
};

// Runs `task` and keeps what comes of it; never throws.
template <class T>
Task<void> capture(Task<T> task, Outcome<T>* outcome) {
  try {
    if constexpr (std::is_void_v<T>) {
      co_await task;
      outcome->value.emplace();
    } else {
      outcome->value.emplace(co_await task);
    }
  } catch (...) {
    outcome->failure = std::current_exception();
  }
}

inline Detached run_detached(Task<void> task) { co_await task; }

// Awaited: the context of the task that asks.
struct CurrentContext {
  TaskContext* context = nullptr;
  bool await_ready() const noexcept { return false; }
  template <class Promise>
  bool await_suspend(std::coroutine_handle<Promise> asker) noexcept {
    context = asker.promise().context;
    return false;
  }
  TaskContext& await_resume() const noexcept { return *context; }
};

// Starts tasks side by side under the awaiter's context and resumes it when the last has ended.
class WhenAll {
 public:
  explicit WhenAll(std::vector<Task<void>> tasks) : tasks_(std::move(tasks)), left_(tasks_.size() + 1) {}
  bool await_ready() const noexcept { return tasks_.empty(); }
  template <class Promise>
  bool await_suspend(std::coroutine_handle<Promise> awaiter) {
    awaiter_ = awaiter;
    context_ = awaiter.promise().context;
    for (Task<void>& task : tasks_) run_detached(std::move(task)).start(*context_, &WhenAll::one_done, this);
    return left_.fetch_sub(1, std::memory_order_acq_rel) != 1;
  }
  void await_resume() const noexcept {}

 private:
  static void one_done(void* self) noexcept {
    auto* all = static_cast<WhenAll*>(self);
    if (all->left_.fetch_sub(1, std::memory_order_acq_rel) == 1) resume(*all->context_, all->awaiter_);
  }
  std::vector<Task<void>> tasks_;
  std::atomic<std::size_t> left_;
  std::coroutine_handle<> awaiter_;
  TaskContext* context_ = nullptr;
};

template <class... Ts, std::size_t... I>
Task<std::tuple<Stored<Ts>...>> when_all_tuple(std::index_sequence<I...>, Task<Ts>... tasks) {
  std::tuple<Outcome<Ts>...> outcomes;
  std::vector<Task<void>> running;
  (running.push_back(capture<Ts>(std::move(tasks), &std::get<I>(outcomes))), ...);
  WhenAll all(std::move(running));
  co_await all;
  co_return std::tuple<Stored<Ts>...>(std::get<I>(outcomes).take()...);
}

}  // namespace detail

// Runs `task` to its end on the calling thread, which must not be an event loop's, and returns what it returns.
// `deadline` bounds the calls and sleeps that it awaits.
template <class T>
T sync_wait(Task<T> task, TimePoint deadline = TimePoint::max()) {
  detail::RunLoop loop;
  TaskContext context(loop, deadline);
  detail::Outcome<T> outcome;
  bool done = false;
  detail::run_detached(detail::capture<T>(std::move(task), &outcome))
      .start(context, [](void* flag) noexcept { *static_cast<bool*>(flag) = true; }, &done);
  loop.run_until(done);
  if constexpr (std::is_void_v<T>)
    outcome.take();
  else
    return outcome.take();
}

// Runs the tasks side by side; std::monostate stands for void. The first exception, in the order of the arguments, is
// thrown after all have ended.
template <class... Ts>
Task<std::tuple<detail::Stored<Ts>...>> when_all(Task<Ts>... tasks) {
  return detail::when_all_tuple<Ts...>(std::index_sequence_for<Ts...>{}, std::move(tasks)...);
}
template <class T>
Task<std::vector<detail::Stored<T>>> when_all(std::vector<Task<T>> tasks) {
  std::vector<detail::Outcome<T>> outcomes(tasks.size());
  std::vector<Task<void>> running;
  running.reserve(tasks.size());
  for (std::size_t i = 0; i < tasks.size(); ++i)
    running.push_back(detail::capture<T>(std::move(tasks[i]), &outcomes[i]));
  detail::WhenAll all(std::move(running));
  co_await all;
  std::vector<detail::Stored<T>> values;
  values.reserve(outcomes.size());
  for (detail::Outcome<T>& outcome : outcomes) values.push_back(outcome.take());
  co_return values;
}

// co_await current_context(): the context that this task runs under. Borrowed until the task ends.
inline detail::CurrentContext current_context() { return {}; }

}  // namespace minigrpc
