// ChildProcess: a program that a test runs, and that does not outlive it.
//
// Thread rule: one thread.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <optional>
#include <string>
#include <vector>

namespace minigrpc::testing {

class ChildProcess {
 public:
  // Starts `command`; what it prints goes to the end of `log_path`. Aborts the test program where that is
  // impossible.
  ChildProcess(const std::vector<std::string>& command, std::string log_path);
  // SIGKILL, unless it has ended.
  ~ChildProcess();
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;

  void signal(int number) const;
  bool running();
  // Its exit status, 128 + N after signal N; none when it still runs after `timeout`.
  std::optional<int> wait(std::chrono::milliseconds timeout);
  // What it has printed so far.
  std::string log() const;

 private:
  std::string log_path_;
  std::size_t log_begin_ = 0;
  pid_t pid_ = -1;
  std::optional<int> status_;
};

// Whether `condition` becomes true within `timeout`; asks every few milliseconds.
template <class Condition>
bool eventually(std::chrono::milliseconds timeout, Condition condition);

// A directory of its own, removed at the end.
class TemporaryDirectory {
 public:
  TemporaryDirectory();
  ~TemporaryDirectory();
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

// A TCP port of 127.0.0.1 that nobody had a moment ago.
std::uint16_t free_port();

// ---- implementation ----

void pause_a_moment();

template <class Condition>
bool eventually(std::chrono::milliseconds timeout, Condition condition) {
  const auto deadline = std::chrono::steady_clock::now() + timeout;
  while (!condition()) {
    if (std::chrono::steady_clock::now() >= deadline) return false;
    pause_a_moment();
  }
  return true;
}

}  // namespace minigrpc::testing
