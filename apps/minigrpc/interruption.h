// Interruption: turns Ctrl-C into the end of what a verb waits for, so that it can clean up behind itself.
//
//   Interruption interruption(runtime);
//   auto locked = co_await interruption.run(mutex.lock());   // ends with CANCELLED at SIGINT, SIGTERM or SIGHUP
//
// Thread rule: one task at a time, but forward_to().
#pragma once

#include <minigrpc/runtime.h>
#include <sys/types.h>

#include <atomic>

namespace minigrpc::cli {

class Interruption {
 public:
  // The signals lose their default action for its life.
  explicit Interruption(Runtime& runtime);
  ~Interruption();
  Interruption(const Interruption&) = delete;
  Interruption& operator=(const Interruption&) = delete;

  // Runs `task` until it ends; a signal cancels it. After a signal every further one starts cancelled.
  template <class T>
  Task<T> run(Task<T> task) {
    return work_.run(std::move(task));
  }
  // From now on signals go to that process, as well; 0: to none. From any thread.
  void forward_to(pid_t process) { process_ = process; }
  // The first signal that arrived, or 0. From any thread.
  int signal() const { return signal_; }

 private:
  Task<void> listen(Runtime& runtime);

  std::atomic<int> signal_ = 0;
  std::atomic<pid_t> process_ = 0;
  TaskScope work_;
  TaskScope listening_;
};

}  // namespace minigrpc::cli
