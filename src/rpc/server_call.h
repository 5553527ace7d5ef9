// ServerCallCore: one call on the server, between its HTTP/2 stream and its handler.
//
//   headers ─▶ [request message, half-close] ─▶ handler runs ─▶ finish(): headers, message, trailers
//        a method that takes a stream starts its handler at the headers
//
// Deletes itself when its stream has closed and its handler's coroutine is gone. Thread rule: the connection's loop.
#pragma once

#include <minigrpc/detail/server_call.h>
#include <minigrpc/server.h>

#include <optional>
#include <span>

#include "h2/connection.h"
#include "net/timer.h"
#include "rpc/inbox.h"
#include "rpc/server_connection.h"
#include "wire/compression.h"

namespace minigrpc::rpc {

class ServerCallCore final : public detail::ServerCall, public ServerContext, private net::Timer {
 public:
  ServerCallCore(ServerConnection& connection, h2::Stream& stream, const BoundMethod& bound,
                 CallerRef caller);
  ~ServerCallCore() override;
  static void* operator new(std::size_t size) { return detail::allocate_block(size); }
  static void operator delete(void* call, std::size_t size) noexcept { detail::deallocate_block(call, size); }

  // ---- from the connection ----
  // Of the request's messages.
  void set_encoding(Compression encoding) { inbox_.set_encoding(encoding); }
  void set_timeout(std::chrono::nanoseconds timeout);
  // The request's headers are complete.
  void begin(bool end_stream);
  void on_data(std::span<const std::byte> bytes, bool end_stream);
  void on_writable();
  // The stream is over; the call may be gone afterwards.
  void on_closed();

  // ---- from detail::ServerCall, the handler's side ----
  // What the handler ends with; the client is told of it by way of the interceptors.
  void finish(Status status, std::optional<Buffer> response);
  // Ends the call, and the handler hears that it is over.
  void fail(Status status);
  void run(detail::Detached handler);
  bool start_receive(detail::ServerReceiveOperation& operation);
  bool start_send(detail::ServerSendOperation& operation);

  // ---- from its interceptors ----
  // The interceptor of that index, or the handler after the last.
  Task<Status> next(std::size_t index);
  // What the outermost one returned.
  void conclude(Status status);
  void shorten_deadline(TimePoint deadline);

 private:
  struct Interception;
  bool single_request() const {
    return bound_.method->descriptor.kind == MethodKind::kUnary ||
           bound_.method->descriptor.kind == MethodKind::kServerStreaming;
  }
  bool single_response() const {
    return bound_.method->descriptor.kind == MethodKind::kUnary ||
           bound_.method->descriptor.kind == MethodKind::kClientStreaming;
  }
  // `request` as for Service::Method::start.
  void start_handler(std::span<const std::byte> request);
  Task<Status> run_handler();
  // Tells the client.
  void end_call(Status status, std::optional<Buffer> response);
  void on_timer() noexcept override;
  void on_single_data(std::span<const std::byte> bytes, bool end_stream);
  void end_single();
  // The client's messages are over, orderly or not.
  void close_receiving();
  bool deliver(detail::ServerReceiveOperation& operation, wire::MessageView message);
  // The message's bytes, inflated into `storage` if they have to be; nothing once that has failed the call.
  std::optional<std::span<const std::byte>> open(wire::MessageView message, Buffer& storage);
  void send_headers();
  void send_response(Buffer response);
  void count_end(StatusCode code);
  void give_back_window();
  // Tells the handler's task and what it waits for.
  void cancel_handler(StatusCode reason);
  void wake(std::coroutine_handle<>& waiter);
  void release_when_done();

  ServerConnection* connection_;  // null once the stream is over
  h2::Stream* stream_;
  ServerImpl& server_;
  ServerImpl::LoopShare& share_;
  const BoundMethod& bound_;
  const CallerRef caller_;

  Inbox inbox_;
  detail::ServerReceiveOperation* receiving_ = nullptr;
  detail::ServerSendOperation* sending_ = nullptr;

  Compression response_encoding_ = Compression::kIdentity;  // as our headers say

  bool handler_started_ = false;
  int running_ = 0;  // coroutines: the handler's, the interceptors'
  bool headers_sent_ = false;
  bool finished_ = false;         // status sent, or nobody left to send it to
  bool receive_closed_ = false;   // no message will come any more
  std::unique_ptr<Interception> interception_;  // of a server with interceptors, from where they begin
};

}  // namespace minigrpc::rpc
