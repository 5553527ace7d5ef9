// ChildProcess: a command that a verb runs, with its own environment variables besides ours.
//
// Thread rule: one thread, but for wait(), which may block on any one.
#pragma once

#include <minigrpc/result.h>
#include <sys/types.h>

#include <string>
#include <utility>
#include <vector>

namespace minigrpc::cli {

using Variables = std::vector<std::pair<std::string, std::string>>;

class ChildProcess {
 public:
  // Starts command[0], found along PATH, with default signal actions and our streams. NOT_FOUND or another
  // failure with the system's words; `command` must not be empty.
  static Result<ChildProcess> start(const std::vector<std::string>& command, const Variables& variables);

  pid_t id() const { return id_; }
  // Blocks until it ended; once. What a shell would report: its exit status, or 128 and the signal that
  // killed it.
  int wait();

 private:
  explicit ChildProcess(pid_t id) : id_(id) {}
  pid_t id_;
};

}  // namespace minigrpc::cli
