// ClientCallCore: one call on the client, between its stream of operations and its HTTP/2 stream.
//
//   first operation ─▶ begin() ─▶ channel picks a connection ─▶ attach() ─▶ events ─▶ end(status)
//                                        ▲                          │
//                                        ├─ no server has seen it ──┤
//                                        └─ pause ─ retryPolicy ────┘
//
// Reference-counted: by its handle, by what is posted, and by the channel or stream that it is with. Thread rule: the
// channel's loop, but where it says otherwise.
#pragma once

#include <minigrpc/detail/client_call.h>

#include <atomic>
#include <cstdint>
#include <limits>
#include <memory>
#include <vector>

#include "h2/connection.h"
#include "net/loop.h"
#include "rpc/attempt.h"
#include "rpc/header_list.h"
#include "rpc/hedging.h"
#include "rpc/inbox.h"
#include "rpc/retry.h"

namespace minigrpc::rpc {

class ChannelImpl;
class ClientConnection;
class ClientInterception;

class ClientCallCore final : public Attempt, private net::Timer {
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

  // ---- from its interceptors ----
  CallOptions& options() { return options_; }
  TimePoint deadline() const { return deadline_; }
  void shorten_deadline(TimePoint deadline);
  std::uint64_t messages_sent() const { return messages_sent_; }
  std::uint64_t messages_received() const { return messages_received_; }
  // Sends it.
  void proceed();
  // What the outermost one returned: what the caller is told, unless it has been told already.
  void conclude(Status status);

  // ---- from the channel ----
  ClientCallCore& call() override { return *this; }
  const MethodDescriptor& method() const { return method_; }
  const Metadata& metadata() const { return options_.metadata; }
  bool wait_for_ready() const { return wait_for_ready_; }
  bool ended() const { return ended_.load(std::memory_order_relaxed); }
  bool configured() const { return configured_; }
  // What the service config says of its method; null: nothing. Once, before it is placed. True: the call needs no
  // placing, since it has ended or sends its attempts by itself.
  bool configure(const MethodConfig* config);
  void attach(ClientConnection& connection) override;
  void refuse(Status why, bool final) override;
  // The call is over; the caller is told by way of the interceptors.
  void end(Status status);

  // ---- from its connection ----
  void on_headers(std::span<const HeaderView> fields, bool end_stream) override;
  void on_data(std::span<const std::byte> bytes, bool end_stream) override;
  void on_writable() override;
  void on_closed(std::uint32_t error_code, Reach reach) override;
  void on_connection_lost(const Status& why, Reach reach) override;

  // ---- from its hedging ----
  ChannelImpl& channel() { return *channel_; }
  net::Loop& loop() { return loop_; }
  // Sends the request's headers there, for `user`; null where the connection takes no stream.
  h2::Stream* open_stream(ClientConnection& connection, Attempt& user, int previous_attempts);
  // Sends the whole request, and keeps it.
  void send_copies(ClientConnection& connection, h2::Stream& stream);
  // That attempt's stream is the call's from now on.
  void adopt(ClientConnection& connection, h2::Stream& stream);
  // Of a stream that was closed without a status.
  Status status_of_reset(std::uint32_t error_code) const;

 private:
  class Keep;
  template <class Operation>
  bool dispatch(Operation& operation, bool (ClientCallCore::*handle)(Operation&));
  bool receive(detail::ReceiveOperation& operation);
  bool send(detail::SendOperation& operation);
  bool finish(detail::FinishOperation& operation);
  bool headers(detail::HeadersOperation& operation);
  void begin(const TaskContext& context);
  // end(), but the caller is told at once.
  void end_now(Status status);
  // Lets go of the channel and the stream.
  void stop(const Status& status);
  // Tells the caller.
  void tell(Status status);
  bool needs_credentials() const;
  void ask_credentials();
  bool check_request_size(const Buffer& message);
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
  // True: the call is sent again, now or later.
  bool send_again_unseen(Reach reach);
  bool send_again_by_policy(const Status& status, Pushback pushback);
  void on_pause_over();
  std::size_t replay_size_max() const;
  void give_back_window();
  void detach_stream();
  void complete_all();
  static void complete(detail::CallOperation& operation);

  std::atomic<int> references_{1};
  std::shared_ptr<ChannelImpl> channel_;
  net::Loop& loop_;
  const MethodDescriptor& method_;
  CallOptions options_;
  TimePoint begun_at_{};
  TimePoint deadline_ = TimePoint::max();

  ClientConnection* connection_ = nullptr;
  h2::Stream* stream_ = nullptr;

  // What was sent until an answer came, or more than is worth keeping; then nothing.
  std::vector<Buffer, detail::BlockAllocator<Buffer>> replay_;
  std::size_t replay_size_ = 0;
  bool replayable_ = true;
  bool half_closed_ = false;
  TransparentRetries transparent_retries_;
  // Of a call with a retryPolicy, until an answer comes.
  struct Retrying {
    Retrying(ClientCallCore& call, const RetryPolicy& of) : policy(of), pauses(of), timer(call) {}
    RetryPolicy policy;
    RetryPauses pauses;
    int failed = 0;
    net::TimerOf<ClientCallCore, &ClientCallCore::on_pause_over> timer;
  };
  std::unique_ptr<Retrying> retrying_;
  std::unique_ptr<Hedging> hedging_;  // of a call with a hedgingPolicy, until an answer comes
  std::size_t request_size_max_ = std::numeric_limits<std::size_t>::max();
  const Compression compression_;  // of what we send

  Inbox inbox_;
  class CredentialsRun;
  CredentialsRun* asking_ = nullptr;  // the credentials' metadata is awaited
  ClientInterception* interception_ = nullptr;  // while the interceptors run
  std::uint64_t messages_sent_ = 0;
  std::uint64_t messages_received_ = 0;
  bool begun_ = false;
  bool stopped_ = false;  // nothing more comes or goes
  bool configured_ = false;
  bool wait_for_ready_ = false;
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

// The value of ":status"; 0 without one.
int http_status_of(std::span<const HeaderView> fields);
// Counts a call that ended with those trailers, and reads the load that they report where that is wanted.
void tally(CallTally& tally, StatusCode code, std::span<const HeaderView> trailers);

}  // namespace minigrpc::rpc
