// One call as the client sees it, without its message types; generated clients and stream.h are thin skins over it.
//
// Thread rule: a call's operations may be awaited from any executor, one receive and one send at a time.
#pragma once

#include <minigrpc/channel.h>
#include <minigrpc/compression.h>
#include <minigrpc/detail/message.h>
#include <minigrpc/method.h>

#include <memory>
#include <optional>

namespace minigrpc::rpc {
class ClientCallCore;
}

namespace minigrpc::detail {

// What waits inside a coroutine for something of a call. It hears of its task's cancellation and then cancels the call.
// Stays where it was made: the call points to it.
class CallOperation : public CancelNode {
 public:
  explicit CallOperation(rpc::ClientCallCore* of) : call(of) {}
  void on_cancel() noexcept override;

  rpc::ClientCallCore* const call;
  TaskContext* context = nullptr;
  std::coroutine_handle<> waiter;

 protected:
  template <class Promise>
  void suspend(std::coroutine_handle<Promise> awaiter) {
    context = awaiter.promise().context;
    waiter = awaiter;
    if (context->cancelled())
      on_cancel();
    else
      context->attach(*this);
  }
};

// How a message goes out.
struct SendOptions {
  bool last = false;     // it closes our direction
  bool compress = true;  // where the call compresses
};

enum class ReceiveOutcome : std::uint8_t { kMessage, kEnd };

// Awaited: the next message, parsed into `target`; kEnd once the call has ended (then ask finish()).
class ReceiveOperation final : public CallOperation {
 public:
  ReceiveOperation(rpc::ClientCallCore* of, MessageTarget into) : CallOperation(of), target(into) {}
  MessageTarget target;
  ReceiveOutcome outcome = ReceiveOutcome::kEnd;

  bool await_ready() const noexcept { return false; }
  template <class Promise>
  bool await_suspend(std::coroutine_handle<Promise> awaiter) {
    suspend(awaiter);
    return start();
  }
  ReceiveOutcome await_resume() noexcept { return detach(), outcome; }

 private:
  bool start();  // false: finished already
};

// Awaited: takes the message; true once there is room for the next, false when the call is over.
class SendOperation final : public CallOperation {
 public:
  SendOperation(rpc::ClientCallCore* of, std::optional<Buffer> what, SendOptions how)
      : CallOperation(of), message(std::move(what)), options(how) {}
  std::optional<Buffer> message;
  const SendOptions options;
  bool accepted = false;

  bool await_ready() const noexcept { return false; }
  template <class Promise>
  bool await_suspend(std::coroutine_handle<Promise> awaiter) {
    suspend(awaiter);
    return start();
  }
  bool await_resume() noexcept { return detach(), accepted; }

 private:
  bool start();
};

// Awaited: the call's status, once it has ended. Also drops what was not read.
class FinishOperation final : public CallOperation {
 public:
  using CallOperation::CallOperation;
  Status status;

  bool await_ready() const noexcept { return false; }
  template <class Promise>
  bool await_suspend(std::coroutine_handle<Promise> awaiter) {
    suspend(awaiter);
    return start();
  }
  Status await_resume() noexcept { return detach(), std::move(status); }

 private:
  bool start();
};

// Awaited: true when the response headers are here (in CallDetails), false when the call ended without any.
class HeadersOperation final : public CallOperation {
 public:
  using CallOperation::CallOperation;
  bool arrived = false;

  bool await_ready() const noexcept { return false; }
  template <class Promise>
  bool await_suspend(std::coroutine_handle<Promise> awaiter) {
    suspend(awaiter);
    return start();
  }
  bool await_resume() noexcept { return detach(), arrived; }

 private:
  bool start();
};

// The owner of a call. Destroying it cancels what has not ended.
class ClientCall {
 public:
  // Starts nothing yet: the first operation does, under the context it is awaited in. The descriptor is borrowed until
  // the call has ended.
  ClientCall(const Channel& channel, const MethodDescriptor& method, CallOptions options);
  // The same for a method that takes a single request, which goes out at the start. A failed `request` (one that could
  // not be serialized) is what the call ends with.
  ClientCall(const Channel& channel, const MethodDescriptor& method, CallOptions options, Result<Buffer> request);
  ~ClientCall();
  ClientCall(ClientCall&& other) noexcept : core_(std::exchange(other.core_, nullptr)) {}
  ClientCall& operator=(ClientCall&& other) noexcept {
    std::swap(core_, other.core_);
    return *this;
  }

  ReceiveOperation receive(MessageTarget target) { return {core_, target}; }
  SendOperation send(Buffer message, SendOptions options) { return {core_, std::move(message), options}; }
  // Closes our direction without a message.
  SendOperation close() { return {core_, std::nullopt, {.last = true}}; }
  FinishOperation finish() { return FinishOperation(core_); }
  HeadersOperation headers() { return HeadersOperation(core_); }
  // From any thread. The call ends with CANCELLED unless it has ended.
  void cancel();

 private:
  rpc::ClientCallCore* core_;
};

}  // namespace minigrpc::detail
