// ClientCallCore: one call on the client, between its stream of operations and its HTTP/2 stream.
//
//   first operation ─▶ begin() ─▶ channel picks a connection ─▶ attach() ─▶ events ─▶ end(status)
//                                        ▲                          │
//                                        └── retry: no server saw it ┘
//
// Reference-counted: by its handle, by what is posted, and by the channel or stream that it is with. Thread rule: the
// channel's loop, but where it says otherwise.
#pragma once

#include <minigrpc/detail/client_call.h>

#include <atomic>
#include <memory>
#include <vector>

#include "h2/connection.h"
#include "net/loop.h"
#include "rpc/header_list.h"
#include "rpc/inbox.h"

namespace minigrpc::rpc {

class ChannelImpl;
class ClientConnection;

class ClientCallCore final : private net::Timer {
 public:
  ClientCallCore(std::shared_ptr<ChannelImpl> channel, const MethodDescriptor& method, CallOptions options,
                 std::optional<Result<Buffer>> request);

  static void* operator new(std::size_t size) { return detail::allocate_block(size); }
  static void operator delete(void* call, std::size_t size) noexcept { detail::deallocate_block(call, size); }

  // ---- any thread ----
  void retain() { references_.fetch_add(1, std::memory_order_relaxed); }
  void release();
  void cancel(StatusCode reason);
  // The status is final.
  bool over() const { return ended_.load(std::memory_order_acquire); }
  // Each returns false where the operation is complete already.
  bool start(detail::ReceiveOperation& operation);
  bool start(detail::SendOperation& operation);
  bool start(detail::FinishOperation& operation);
  bool start(detail::HeadersOperation& operation);

  // ---- from the channel ----
  bool wait_for_ready() const { return options_.wait_for_ready; }
  bool ended() const { return ended_.load(std::memory_order_relaxed); }
  // Sends the call on `connection`.
  void attach(ClientConnection& connection);
  void end(Status status);

  // ---- from the connection ----
  void on_headers(std::span<const HeaderView> fields, bool end_stream);
  void on_data(std::span<const std::byte> bytes, bool end_stream);
  void on_writable();
  // The stream is over; `unseen`: no server can have processed it.
  void on_closed(std::uint32_t error_code, bool unseen);
  void on_connection_lost(const Status& why, bool unseen);

 private:
  class Keep;
  template <class Operation>
  bool dispatch(Operation& operation, bool (ClientCallCore::*handle)(Operation&));
  bool receive(detail::ReceiveOperation& operation);
  bool send(detail::SendOperation& operation);
  bool finish(detail::FinishOperation& operation);
  bool headers(detail::HeadersOperation& operation);
  void begin(const TaskContext& context);
  bool needs_credentials() const;
  void ask_credentials();
  void submit(Buffer message);
  void half_close();
  void on_timer() noexcept override;
  bool single_response() const {
    return method_.kind == MethodKind::kUnary || method_.kind == MethodKind::kClientStreaming;
  }
  bool deliver(wire::MessageView message);
  bool parse(detail::ReceiveOperation& operation, wire::MessageView message);
  void read_headers(std::span<const HeaderView> fields);
  void read_trailers(std::span<const HeaderView> fields);
  bool retry(bool unseen);
  void give_back_window();
  void detach_stream();
  void complete_all();
  static void complete(detail::CallOperation& operation);

  std::atomic<int> references_{1};
  std::shared_ptr<ChannelImpl> channel_;
  net::Loop& loop_;
  const MethodDescriptor& method_;
  CallOptions options_;
  TimePoint deadline_ = TimePoint::max();

  ClientConnection* connection_ = nullptr;
  h2::Stream* stream_ = nullptr;

  // What was sent until an answer came, or more than is worth keeping; then nothing.
  std::vector<Buffer> replay_;
  std::size_t replay_size_ = 0;
  bool replayable_ = true;
  bool half_closed_ = false;
  int retries_left_;
  const Compression compression_;  // of what we send

  Inbox inbox_;
  class CredentialsRun;
  CredentialsRun* asking_ = nullptr;  // the credentials' metadata is awaited
  bool begun_ = false;
  bool entrusted_ = false;    // a reference is with the channel or the stream
  bool discarding_ = false;   // finish() waits: nobody will read
  bool headers_arrived_ = false;
  bool message_delivered_ = false;  // single response: parsed into the waiting operation's target
  int http_status_ = 0;

  detail::ReceiveOperation* receiving_ = nullptr;
  detail::SendOperation* sending_ = nullptr;
  detail::FinishOperation* finishing_ = nullptr;
  detail::HeadersOperation* heading_ = nullptr;

  std::atomic<bool> ended_{false};  // status_ is final: readable from any thread after an acquiring load
  Status status_;
};

}  // namespace minigrpc::rpc
