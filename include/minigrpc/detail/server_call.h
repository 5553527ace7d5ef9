// One call as the server sees it, without its message types, and how a handler's coroutine is run for it.
//
// Thread rule: the call's executor; a handler that was resumed elsewhere must come back first.
#pragma once

#include <minigrpc/detail/client_call.h>
#include <minigrpc/server_context.h>

namespace minigrpc::rpc {
class ServerCallCore;
}

namespace minigrpc::detail {

class ServerReceiveOperation {
 public:
  MessageTarget target{};
  ReceiveOutcome outcome = ReceiveOutcome::kEnd;
  rpc::ServerCallCore* call = nullptr;
  std::coroutine_handle<> waiter;

  bool await_ready() const noexcept { return false; }
  bool await_suspend(std::coroutine_handle<> awaiter) {
    waiter = awaiter;
    return start();
  }
  ReceiveOutcome await_resume() const noexcept { return outcome; }

 private:
  bool start();
};

class ServerSendOperation {
 public:
  Buffer message;
  bool compress = true;
  bool accepted = false;
  rpc::ServerCallCore* call = nullptr;
  std::coroutine_handle<> waiter;

  bool await_ready() const noexcept { return false; }
  bool await_suspend(std::coroutine_handle<> awaiter) {
    waiter = awaiter;
    return start();
  }
  bool await_resume() const noexcept { return accepted; }

 private:
  bool start();
};

// What a method's thunk sees. Lives until finish() was called and the handler's coroutine is gone.
class ServerCall {
 public:
  ServerContext& context();
  ServerReceiveOperation receive();
  ServerSendOperation send(Buffer message, SendOptions options);
  // Ends the call: `response` (where the method has a single one) and `status` go out together. Called once.
  void finish(Status status, std::optional<Buffer> response);
  // As finish() without a response; operations that wait end too, though the handler runs on.
  void end(Status status);
  // Ends the call with INTERNAL: a message could not be serialized.
  void cancel();
  // Starts the handler's coroutine, which calls finish() before it ends.
  void run(Detached handler);

 protected:
  ServerCall() = default;
  ~ServerCall() = default;
};

}  // namespace minigrpc::detail
