// ClientInterception: a channel's interceptors around one call. Made when the call begins; deletes itself when the
// outermost has ended, which may be after the call: a caller that cancels does not wait for it.
//
//   call begins ─▶ interceptors ─▶ next() of the last ─▶ ClientCallCore::proceed()
//   caller is told ◀─ interceptors ◀─ call_ended() ◀──────────────┘
//
// Thread rule: the channel's loop.
#pragma once

#include <minigrpc/interceptor.h>

#include <coroutine>
#include <optional>
#include <string>

namespace minigrpc::rpc {

class ClientCallCore;

class ClientInterception {
 public:
  // `from`: of the task that begins the call.
  ClientInterception(ClientCallCore& call, const TaskContext& from);
  ~ClientInterception();
  ClientInterception(const ClientInterception&) = delete;
  ClientInterception& operator=(const ClientInterception&) = delete;

  void start();
  // The call is over, for that reason. The interceptors may end within.
  void call_ended(Status status);
  // What they await under the call's context ends.
  void cancel(StatusCode reason) { task_context_.cancel(reason); }
  Task<Status> next(std::size_t index);

 private:
  friend class minigrpc::ClientContext;
  struct CallEnd;
  Task<Status> run_call();
  Task<void> drive();

  ClientCallCore& call_;
  const std::string method_;  // its descriptor may be gone before this is
  const MethodKind kind_;
  TaskContext task_context_;
  ClientContext context_;
  const ContextValues values_;
  CallDetails details_;  // where the caller wants none
  std::optional<Status> ended_;
  std::coroutine_handle<> waiter_;  // run_call()
  bool reached_ = false;
};

}  // namespace minigrpc::rpc
