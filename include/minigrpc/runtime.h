// Runtime: the threads of a program's event loops, and the worker threads for what blocks. main() owns one.
//
//   Runtime runtime;                                 // a loop for each core
//   Server server(runtime);  Channel channel(runtime, "127.0.0.1:5051");
//
// Thread rule: any thread, but construction and destruction, which belong to the owner.
#pragma once

#include <minigrpc/task.h>

#include <chrono>
#include <functional>
#include <memory>
#include <vector>

namespace minigrpc {

struct RuntimeOptions {
  unsigned loops = 0;                  // event loop threads; 0 = one for each core
  unsigned blocking_threads_max = 16;  // threads for Runtime::blocking(), started on demand
};

namespace rpc {
class RuntimeImpl;
class ScopeState;
class EventState;
}  // namespace rpc

class Runtime {
 public:
  explicit Runtime(RuntimeOptions options = {});
  // Channels, servers and scopes made with it must be gone. Ends the loops and joins their threads.
  ~Runtime();
  Runtime(const Runtime&) = delete;
  Runtime& operator=(const Runtime&) = delete;

  // The time that deadlines and timers go by: the steady clock's, or a test's FakeClock's.
  static TimePoint now();
  // True after `duration`; false as soon as the awaiting task is cancelled.
  Task<bool> sleep_for(std::chrono::nanoseconds duration);
  Task<bool> sleep_until(TimePoint time);

  // Runs `work` on a worker thread and resumes the awaiting task on its own executor. `work` may block; what it throws
  // is thrown at the co_await. It cannot be cancelled.
  template <class F>
  Task<std::invoke_result_t<F>> blocking(F work);

  // The number of the first of `signals` (SIGINT, SIGTERM …) to arrive from now on, whose default action is replaced
  // meanwhile; 0 when the awaiting task is cancelled.
  Task<int> wait_for_signal(std::vector<int> signals);

  rpc::RuntimeImpl& impl() const { return *impl_; }

 private:
  struct WorkerAwaiter;
  void submit_blocking(std::function<void()> work);
  std::unique_ptr<rpc::RuntimeImpl> impl_;
};

// TaskScope: background tasks that share one event loop, and end together.
//
//   TaskScope scope(runtime);
//   scope.spawn(keep_alive());          // a Task<void>; an exception that leaves it aborts the program
//   co_await scope.stop();              // cancels them, waits until the last has ended
//
// Its tasks run on one loop, one at a time: what they share needs no lock. Thread rule: any thread.
class TaskScope {
 public:
  explicit TaskScope(Runtime& runtime);
  // Cancels and waits, blocking. An event loop must not block: there it only cancels, and the runtime's destructor waits
  // for the tasks; await stop() first where they use what is about to go.
  ~TaskScope();
  TaskScope(const TaskScope&) = delete;
  TaskScope& operator=(const TaskScope&) = delete;

  // Starts `task` on the scope's loop, soon. A task spawned after cancel() starts cancelled.
  void spawn(Task<void> task);
  // Asks every task to end: what it awaits is cancelled.
  void cancel();
  // Resumes when no task is left.
  Task<void> join();
  Task<void> stop();
  // Runs `task` on the scope's loop and returns what it returns: the way to its tasks' state from elsewhere. It resumes
  // on the caller's executor. The scope's cancellation reaches the task, the caller's does not.
  template <class T>
  Task<T> run(Task<T> task);

  Executor& executor() const;

 private:
  std::shared_ptr<rpc::ScopeState> state_;
};

// AsyncEvent: a flag that tasks wait for. Stays set until reset().
//
// Thread rule: any thread. Must outlive its waiters.
class AsyncEvent {
 public:
  AsyncEvent();
  ~AsyncEvent();
  AsyncEvent(const AsyncEvent&) = delete;
  AsyncEvent& operator=(const AsyncEvent&) = delete;

  // Wakes every waiter, each on its own executor.
  void set();
  void reset();
  bool is_set() const;
  // True once set; false as soon as the awaiting task is cancelled, or at `deadline`.
  Task<bool> wait();
  Task<bool> wait_until(Runtime& runtime, TimePoint deadline);
  // For what must not be left early, such as a task that uses the awaiter's locals. Always true.
  Task<bool> wait_uncancellable();

 private:
  std::shared_ptr<rpc::EventState> state_;
};

// ---- implementation of the templates ----

struct Runtime::WorkerAwaiter {
  Runtime* runtime;
  std::function<void()> work;
  bool await_ready() const noexcept { return false; }
  template <class Promise>
  void await_suspend(std::coroutine_handle<Promise> awaiter) {
    TaskContext* context = awaiter.promise().context;
    runtime->submit_blocking([body = std::move(work), context, awaiter] {
      body();
      context->executor().post(awaiter);
    });
  }
  void await_resume() const noexcept {}
};

template <class F>
Task<std::invoke_result_t<F>> Runtime::blocking(F work) {
  using T = std::invoke_result_t<F>;
  detail::Outcome<T> outcome;
  WorkerAwaiter awaiter{this, [&work, &outcome] {
                          try {
                            if constexpr (std::is_void_v<T>) {
                              work();
                              outcome.value.emplace();
                            } else {
                              outcome.value.emplace(work());
                            }
                          } catch (...) {
                            outcome.failure = std::current_exception();
                          }
                        }};
  co_await awaiter;
  if constexpr (std::is_void_v<T>)
    outcome.take();
  else
    co_return outcome.take();
}

namespace detail {
template <class T>
Task<void> run_and_signal(Task<T> task, Outcome<T>* outcome, AsyncEvent* done) {
  co_await capture<T>(std::move(task), outcome);
  done->set();
}
}  // namespace detail

template <class T>
Task<T> TaskScope::run(Task<T> task) {
  detail::Outcome<T> outcome;
  AsyncEvent done;
  spawn(detail::run_and_signal<T>(std::move(task), &outcome, &done));
  co_await done.wait_uncancellable();
  if constexpr (std::is_void_v<T>)
    outcome.take();
  else
    co_return outcome.take();
}

}  // namespace minigrpc
