// The streams of calls that carry more than one message, as clients and handlers hold them.
//
// Client:                                                    Handler:
//   auto reader = client.List(request);                       Task<Status> List(ServerContext&, Request request,
//   while (auto item = co_await reader.read()) use(*item);                      ServerWriter<Item>& writer) override;
//   Status status = co_await reader.finish();
//
// Thread rule: one read and one write at a time, each from one task. Writing waits while the peer does not read (flow
// control); it never buffers without bound.
#pragma once

#include <minigrpc/compression.h>
#include <minigrpc/detail/client_call.h>
#include <minigrpc/detail/server_call.h>

#include <concepts>
#include <optional>
#include <utility>

namespace minigrpc {

namespace detail {

// Awaited: the next message; nullopt once there is none.
template <class Message, class Operation>
struct ReadAwaiter {
  std::optional<Message> message;
  Operation operation;

  // `make` returns the operation, which stays where it is made.
  template <class Make>
  explicit ReadAwaiter(Make make) : message(std::in_place), operation(make()) {}
  ReadAwaiter(const ReadAwaiter&) = delete;
  bool await_ready() const noexcept { return false; }
  template <class Promise>
  bool await_suspend(std::coroutine_handle<Promise> awaiter) {
    operation.target = target_of(*message);
    return operation.await_suspend(awaiter);
  }
  std::optional<Message> await_resume() {
    if (operation.await_resume() != ReceiveOutcome::kMessage) message.reset();
    return std::move(message);
  }
};

// Awaited: whether the message was taken. One that cannot be serialized counts as not taken.
template <class Operation>
struct WriteAwaiter {
  Operation operation;
  bool serialized = true;

  bool await_ready() const noexcept { return !serialized; }
  template <class Promise>
  bool await_suspend(std::coroutine_handle<Promise> awaiter) {
    return operation.await_suspend(awaiter);
  }
  bool await_resume() noexcept { return serialized && operation.await_resume(); }
};

template <class Call, class Message>
auto write_message(Call& call, const Message& message, WriteOptions options) {
  using Operation = decltype(call.send(Buffer(), SendOptions()));
  Result<Buffer> bytes = serialize_message(message);
  if (!bytes) {
    call.cancel();
    return WriteAwaiter<Operation>{call.send(Buffer(), SendOptions()), false};
  }
  return WriteAwaiter<Operation>{call.send(*std::move(bytes), {.compress = options.compress})};
}

}  // namespace detail

// Every client stream has these.
class ClientStreamBase {
 public:
  // co_await: true when the response headers are here (CallOptions::details), false when the call ended without.
  auto headers() { return call_.headers(); }
  // From any thread.
  void cancel() { call_.cancel(); }

 protected:
  explicit ClientStreamBase(detail::ClientCall call) : call_(std::move(call)) {}
  detail::ClientCall call_;
};

// A server-streaming call. Destroying it cancels what has not ended.
template <class Response>
class ClientReader : public ClientStreamBase {
 public:
  explicit ClientReader(detail::ClientCall call) : ClientStreamBase(std::move(call)) {}
  // co_await → std::optional<Response>: nullopt at the end, also when the call failed: finish() tells.
  auto read() { return detail::ReadAwaiter<Response, detail::ReceiveOperation>([this] { return call_.receive({}); }); }
  // co_await → Status.
  auto finish() { return call_.finish(); }
};

// A client-streaming call. Destroying it cancels what has not ended.
template <class Request, class Response>
class ClientWriter : public ClientStreamBase {
 public:
  explicit ClientWriter(detail::ClientCall call) : ClientStreamBase(std::move(call)) {}
  // co_await → bool: false when the call is over; finish() tells why. `message` is borrowed until write() returns.
  auto write(const Request& message, WriteOptions options = {}) {
    return detail::write_message(call_, message, options);
  }
  // Closes our direction and waits for the answer.
  Task<Result<Response>> finish() {
    auto closing = call_.close();
    co_await closing;
    detail::ReadAwaiter<Response, detail::ReceiveOperation> reading([this] { return call_.receive({}); });
    std::optional<Response> response = co_await reading;
    auto finishing = call_.finish();
    Status status = co_await finishing;
    if (!status.ok()) co_return status;
    if (!response) co_return Status(StatusCode::kInternal, "the call ended with OK but without a response");
    co_return std::move(*response);
  }
};

// A bidirectional call. Destroying it cancels what has not ended.
template <class Request, class Response>
class ClientStream : public ClientStreamBase {
 public:
  explicit ClientStream(detail::ClientCall call) : ClientStreamBase(std::move(call)) {}
  // co_await → bool: false when the call is over. `message` is borrowed until write() returns.
  auto write(const Request& message, WriteOptions options = {}) {
    return detail::write_message(call_, message, options);
  }
  // co_await → bool: closes our direction; the peer's read() ends.
  auto writes_done() { return call_.close(); }
  // co_await → std::optional<Response>.
  auto read() { return detail::ReadAwaiter<Response, detail::ReceiveOperation>([this] { return call_.receive({}); }); }
  // co_await → Status. Closes our direction where that was not done.
  auto finish() { return call_.finish(); }
};

// The requests of a client-streaming or bidirectional call, in its handler.
template <class Request>
class ServerReader {
 public:
  explicit ServerReader(detail::ServerCall& call) : call_(call) {}
  // co_await → std::optional<Request>: nullopt when the client has sent all, or the call is over
  // (ServerContext::cancelled() tells which).
  auto read() { return detail::ReadAwaiter<Request, detail::ServerReceiveOperation>([this] { return call_.receive(); }); }

 private:
  detail::ServerCall& call_;
};

// The responses of a server-streaming or bidirectional call, in its handler.
template <class Response>
class ServerWriter {
 public:
  explicit ServerWriter(detail::ServerCall& call) : call_(call) {}
  // co_await → bool: false when the call is over. `message` is borrowed until write() returns.
  auto write(const Response& message, WriteOptions options = {}) {
    return detail::write_message(call_, message, options);
  }

 private:
  detail::ServerCall& call_;
};

// Both directions of a bidirectional call, in its handler.
template <class Request, class Response>
class ServerStream : public ServerReader<Request>, public ServerWriter<Response> {
 public:
  explicit ServerStream(detail::ServerCall& call)
      : ServerReader<Request>(call), ServerWriter<Response>(call), call_(call) {}

  // Ends the call with `status` at once, for a handler of which one task finds a reason while another waits in read():
  // reads and writes end. What the handler returns has no effect then.
  void finish(Status status) { call_.end(std::move(status)); }

 private:
  detail::ServerCall& call_;
};

}  // namespace minigrpc
