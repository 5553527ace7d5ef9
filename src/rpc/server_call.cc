#include "rpc/server_call.h"

#include <minigrpc/interceptor.h>

#include "base/limits.h"
#include "rpc/header_list.h"
#include "wire/status_trailers.h"

namespace minigrpc {

// ---- the public skin ----

namespace detail {

namespace {
rpc::ServerCallCore& core(ServerCall& call) { return static_cast<rpc::ServerCallCore&>(call); }
}  // namespace

ServerContext& ServerCall::context() { return core(*this); }
ServerReceiveOperation ServerCall::receive() {
  ServerReceiveOperation operation;
  operation.call = &core(*this);
  return operation;
}
ServerSendOperation ServerCall::send(Buffer message, SendOptions options) {
  ServerSendOperation operation;
  operation.message = std::move(message);
  operation.compress = options.compress;
  operation.call = &core(*this);
  return operation;
}
void ServerCall::finish(Status status, std::optional<Buffer> response) {
  core(*this).finish(std::move(status), std::move(response));
}
void ServerCall::end(Status status) { core(*this).fail(std::move(status)); }
void ServerCall::cancel() {
  core(*this).finish(Status(StatusCode::kInternal, "the response could not be serialized"), std::nullopt);
}
void ServerCall::run(Detached handler) { core(*this).run(handler); }

bool ServerReceiveOperation::start() { return call->start_receive(*this); }
bool ServerSendOperation::start() { return call->start_send(*this); }

Status status_of_exception() noexcept { return Status(StatusCode::kUnknown, "the handler failed with an exception"); }
Status status_of_unparsable_request() {
  return Status(StatusCode::kInternal, "the request message could not be parsed");
}

}  // namespace detail

void ServerContext::shorten_deadline(TimePoint deadline) {
  static_cast<rpc::ServerCallCore&>(*this).shorten_deadline(deadline);
}

Task<Status> NextServer::operator()() { return call_->next(index_); }

namespace rpc {

namespace {
constexpr HeaderView kStatus200{":status", "200"};
constexpr HeaderView kContentType{"content-type", "application/grpc"};
// Those of nearly every call.
constexpr HeaderView kPlainHeaders[] = {kStatus200, kContentType};
constexpr HeaderView kOkTrailers[] = {{"grpc-status", "0"}};
}  // namespace

// Between the handler's end and what the client is told.
struct ServerCallCore::Interception {
  Buffer request;  // of a method that takes a single one, until the handler starts
  bool handler_started = false;
  bool handler_ended = false;
  Status status;                   // the handler's
  std::optional<Buffer> response;  // the handler's
  std::optional<Status> ended;     // what the call ended with by itself
  std::coroutine_handle<> waiter;  // run_handler()

  // Awaited: until the handler has ended.
  struct HandlerEnd {
    Interception& at;
    bool await_ready() const noexcept { return at.handler_ended; }
    void await_suspend(std::coroutine_handle<> waiting) noexcept { at.waiter = waiting; }
    void await_resume() const noexcept {}
  };
};

ServerCallCore::ServerCallCore(ServerConnection& connection, h2::Stream& stream, const BoundMethod& bound,
                               CallerRef caller)
    : ServerContext(connection.loop()),
      connection_(&connection),
      stream_(&stream),
      server_(connection.server()),
      share_(connection.share()),
      bound_(bound),
      caller_(std::move(caller)),
      inbox_(connection.server().options().received_message_size_max) {
  method_ = bound.method->descriptor.path;
  kind_ = bound.method->descriptor.kind;
  compression_ = server_.options().compression;
  metadata_ = &caller_->metadata();
  authority_ = caller_->authority();
  Peer& peer = caller_->peer();
  peer_ = peer.address;
  ++peer.calls_running;
  peer_identity_ = peer.identity.get();
  server_.one_more(share_);
}

ServerCallCore::~ServerCallCore() { --caller_->peer().calls_running; }

void ServerCallCore::set_timeout(std::chrono::nanoseconds timeout) {
  const TimePoint now = net::Loop::now();
  if (timeout >= TimePoint::max() - now) return;
  const TimePoint deadline = now + std::chrono::duration_cast<TimePoint::duration>(timeout);
  task_context_.set_deadline(deadline);
  share_.loop.arm(*this, deadline);
}

void ServerCallCore::on_timer() noexcept {
  end_call(Status(StatusCode::kDeadlineExceeded, "the deadline passed on the server"), std::nullopt);
  cancel_handler(StatusCode::kDeadlineExceeded);
}

// ---- receiving ----

void ServerCallCore::begin(bool end_stream) {
  if (single_request()) {
    if (end_stream) end_single();
    return;
  }
  receive_closed_ = end_stream;
  start_handler({});
}

void ServerCallCore::on_data(std::span<const std::byte> bytes, bool end_stream) {
  if (finished_ && running_ == 0) return;
  if (single_request()) return on_single_data(bytes, end_stream);
  channelz::SocketCounters& counters = connection_->counters();
  // A waiting reader has its message without a copy where it lies whole in this frame.
  Status fed = inbox_.feed(bytes, [this](wire::MessageView message) {
    if (receiving_ == nullptr) return false;
    detail::ServerReceiveOperation& operation = *std::exchange(receiving_, nullptr);
    if (deliver(operation, message)) operation.waiter.resume();
    return true;
  });
  counters.messages_received(inbox_.take_arrived());
  if (!fed.ok()) return fail(std::move(fed));
  give_back_window();
  if (!end_stream || receive_closed_) return;
  if (Status cut = inbox_.finish(); !cut.ok()) return fail(std::move(cut));
  close_receiving();
}

void ServerCallCore::on_single_data(std::span<const std::byte> bytes, bool end_stream) {
  if (handler_started_) return;
  // The usual call: one frame with the whole message and the end. It is parsed where it lies.
  if (end_stream) {
    if (const auto request = inbox_.take_only(bytes); request.data() != nullptr) {
      receive_closed_ = true;
      return start_handler(request);
    }
  }
  Status fed = inbox_.feed(bytes, [](wire::MessageView) { return false; });
  if (!fed.ok()) return fail(std::move(fed));
  if (inbox_.count() > 1)
    return fail(Status(StatusCode::kUnimplemented, "the method takes one request message, the client sent more"));
  connection_->h2().consume(*stream_, bytes.size());  // bounded by the one message
  if (end_stream) end_single();
}

void ServerCallCore::end_single() {
  receive_closed_ = true;
  if (Status cut = inbox_.finish(); !cut.ok()) return fail(std::move(cut));
  if (inbox_.count() == 0)
    return fail(Status(StatusCode::kUnimplemented, "the method takes one request message, the client sent none"));
  const wire::Message message = inbox_.pop();
  Buffer inflated;
  const auto request = open({.bytes = message.bytes.bytes(), .compressed = message.compressed}, inflated);
  if (!request) return;
  start_handler(*request);
}

std::optional<std::span<const std::byte>> ServerCallCore::open(wire::MessageView message, Buffer& storage) {
  request_compressed_ = message.compressed;
  if (!message.compressed) return message.bytes;
  Result<Buffer> inflated = inbox_.inflate(message.bytes);
  if (!inflated) return fail(std::move(inflated).error()), std::nullopt;
  storage = *std::move(inflated);
  return storage.bytes();
}

// Parses into the operation's target. False: the call has failed, and the operation has been told.
bool ServerCallCore::deliver(detail::ServerReceiveOperation& operation, wire::MessageView message) {
  Buffer inflated;
  operation.outcome = detail::ReceiveOutcome::kEnd;
  if (const auto bytes = open(message, inflated)) {
    if (operation.target.parse(operation.target.message, *bytes)) {
      operation.outcome = detail::ReceiveOutcome::kMessage;
      ++messages_received_;
      return true;
    }
    fail(detail::status_of_unparsable_request());
  }
  if (operation.waiter) share_.loop.post(operation.waiter);
  return false;
}

bool ServerCallCore::start_receive(detail::ServerReceiveOperation& operation) {
  operation.outcome = detail::ReceiveOutcome::kEnd;
  if (inbox_.count() > 0) {
    const wire::Message message = inbox_.pop();
    give_back_window();
    if (connection_ != nullptr) connection_->touch();
    operation.waiter = nullptr;
    deliver(operation, {.bytes = message.bytes.bytes(), .compressed = message.compressed});
    return false;
  }
  if (receive_closed_) return false;
  receiving_ = &operation;
  return true;
}

void ServerCallCore::give_back_window() {
  if (connection_ != nullptr) connection_->h2().consume(*stream_, inbox_.release_window());
}

void ServerCallCore::close_receiving() {
  receive_closed_ = true;
  if (receiving_ == nullptr) return;
  wake(std::exchange(receiving_, nullptr)->waiter);
}

// ---- sending ----

void ServerCallCore::send_headers() {
  headers_sent_ = true;
  if (caller_->accepted().contains(compression_)) response_encoding_ = compression_;
  const bool encoded = response_encoding_ != Compression::kIdentity;
  if (headers_.empty() && !encoded)
    return connection_->h2().submit_response(*stream_, kPlainHeaders, false, h2::Lifetime::kStatic);
  HeaderList fields;
  fields.add(kStatus200);
  fields.add(kContentType);
  if (encoded) fields.add({"grpc-encoding", wire::compression_name(response_encoding_)});
  if (Status bad = fields.add_metadata(headers_); !bad.ok()) {
    fields.clear();
    fields.add(kStatus200);
    fields.add(kContentType);
    connection_->h2().submit_response(*stream_, fields.views(), false);
    return end_call(std::move(bad), std::nullopt);
  }
  connection_->h2().submit_response(*stream_, fields.views(), false);
}

bool ServerCallCore::start_send(detail::ServerSendOperation& operation) {
  operation.accepted = false;
  if (finished_ || connection_ == nullptr) return false;
  if (!headers_sent_) send_headers();
  if (finished_) return false;
  wire::encode_message(operation.message, operation.compress ? response_encoding_ : Compression::kIdentity);
  connection_->h2().send(*stream_, std::move(operation.message));
  connection_->touch();
  operation.accepted = true;
  ++messages_sent_;
  connection_->counters().message_sent();
  if (stream_->queued_size() <= limits::kStreamQueuedSizeMax) return false;
  connection_->h2().notify_writable(*stream_);
  sending_ = &operation;
  return true;
}

void ServerCallCore::on_writable() {
  if (sending_ != nullptr) std::exchange(sending_, nullptr)->waiter.resume();
}

void ServerCallCore::finish(Status status, std::optional<Buffer> response) {
  if (!interception_) return end_call(std::move(status), std::move(response));
  Interception& at = *interception_;
  if (at.handler_ended) return;
  at.handler_ended = true;
  at.status = at.ended ? *at.ended : std::move(status);
  at.response = std::move(response);
  if (auto waiter = std::exchange(at.waiter, nullptr)) waiter.resume();
}

void ServerCallCore::end_call(Status status, std::optional<Buffer> response) {
  if (finished_) return;
  finished_ = true;
  if (interception_) interception_->ended = status;
  if (armed()) share_.loop.disarm(*this);
  if (connection_ == nullptr) return;
  h2::Connection& h2 = connection_->h2();
  connection_->touch();

  const bool trailers_only = !headers_sent_ && !response && headers_.empty();
  if (!trailers_only && !headers_sent_) {
    finished_ = false;  // send_headers() may end the call itself, over bad metadata
    send_headers();
    if (std::exchange(finished_, true)) return;
  }
  if (!trailers_only && status.ok() && trailers_.empty()) {
    count_end(StatusCode::kOk);
    if (response) send_response(*std::move(response));
    return h2.end_with_trailers(*stream_, kOkTrailers, h2::Lifetime::kStatic);
  }
  HeaderList trailers;
  if (trailers_only) {
    trailers.add(kStatus200);
    trailers.add(kContentType);
  }
  StatusCode code = status.code();
  const wire::StatusTrailers fields(status);
  for (const HeaderView& field : fields.headers()) trailers.add(field);
  if (!trailers_.empty() && !trailers.add_metadata(trailers_).ok()) {
    trailers.clear();
    if (trailers_only) {
      trailers.add(kStatus200);
      trailers.add(kContentType);
    }
    trailers.add({"grpc-status", "13"});
    trailers.add({"grpc-message", "the handler's trailing metadata is not legal"});
    code = StatusCode::kInternal;
  }
  count_end(code);
  if (trailers_only) return h2.submit_response(*stream_, trailers.views(), true);
  if (response) send_response(*std::move(response));
  h2.end_with_trailers(*stream_, trailers.views());
}

void ServerCallCore::count_end(StatusCode code) {
  if (code == StatusCode::kOk)
    share_.calls.end_with_ok();
  else
    share_.calls.ended.add();
}

void ServerCallCore::send_response(Buffer response) {
  wire::encode_message(response, response_encoding_);
  ++messages_sent_;
  connection_->counters().message_sent();
  connection_->h2().send(*stream_, std::move(response));
}

void ServerCallCore::fail(Status status) {
  end_call(std::move(status), std::nullopt);
  close_receiving();
  cancel_handler(StatusCode::kCancelled);
}

// ---- interceptors ----

namespace {
detail::Detached drive_interceptors(ServerCallCore& call) {
  Status status(StatusCode::kUnknown, "");
  try {
    Task<Status> outermost = call.next(0);
    status = co_await outermost;
  } catch (...) {
    status = detail::status_of_exception();
  }
  call.conclude(std::move(status));
}
}  // namespace

void ServerCallCore::start_handler(std::span<const std::byte> request) {
  handler_started_ = true;
  if (single_request()) {
    ++messages_received_;
    connection_->counters().message_received();
  }
  if (server_.options().interceptors.empty()) return bound_.method->start(*bound_.service, *this, request);
  interception_ = std::make_unique<Interception>();
  interception_->request = Buffer::copy_of(request);
  run(drive_interceptors(*this));
}

Task<Status> ServerCallCore::next(std::size_t index) {
  const auto& interceptors = server_.options().interceptors;
  if (index == interceptors.size()) return run_handler();
  return interceptors[index]->intercept(*this, NextServer(*this, index + 1));
}

Task<Status> ServerCallCore::run_handler() {
  Interception& at = *interception_;
  detail::require(!std::exchange(at.handler_started, true), "an interceptor called next() twice");
  if (at.ended) co_return *at.ended;
  const Buffer request = std::move(at.request);
  bound_.method->start(*bound_.service, *this, request.bytes());
  Interception::HandlerEnd end{at};
  co_await end;
  co_return at.status;
}

void ServerCallCore::conclude(Status status) {
  if (finished_) return;
  std::optional<Buffer> response;
  if (status.ok()) response = std::move(interception_->response);
  if (status.ok() && single_response() && !response)
    status = Status(StatusCode::kInternal, "an interceptor ended the call with OK, and without a response");
  end_call(std::move(status), std::move(response));
}

void ServerCallCore::shorten_deadline(TimePoint deadline) {
  if (deadline >= task_context_.deadline()) return;
  task_context_.set_deadline(deadline);
  if (!finished_) share_.loop.arm(*this, deadline);
}

// ---- the handler's life ----

void ServerCallCore::run(detail::Detached handler) {
  ++running_;
  handler.start(task_context_,
                [](void* self) noexcept {
                  auto* call = static_cast<ServerCallCore*>(self);
                  --call->running_;
                  call->release_when_done();
                },
                this);
}

void ServerCallCore::cancel_handler(StatusCode reason) {
  if (running_ == 0) return;
  task_context_.cancel(reason);
  inbox_.close();
  close_receiving();
  if (sending_ != nullptr) {
    sending_->accepted = false;
    wake(std::exchange(sending_, nullptr)->waiter);
  }
}

// Later, not here: the handler might end, and the call with it, under the feet of whoever found out.
void ServerCallCore::wake(std::coroutine_handle<>& waiter) { share_.loop.post(waiter); }

void ServerCallCore::on_closed() {
  connection_ = nullptr;
  stream_ = nullptr;
  if (armed()) share_.loop.disarm(*this);
  const bool abandoned = !finished_ || running_ > 0;
  if (!finished_) count_end(StatusCode::kCancelled);
  if (!finished_ && interception_)
    interception_->ended = Status(StatusCode::kCancelled, "the client cancelled the call, or its connection was lost");
  finished_ = true;
  if (abandoned) cancel_handler(StatusCode::kCancelled);
  release_when_done();
}

void ServerCallCore::release_when_done() {
  if (running_ > 0 || stream_ != nullptr) return;
  ServerImpl& server = server_;
  ServerImpl::LoopShare& share = share_;
  delete this;
  server.one_less(share);
}

}  // namespace rpc
}  // namespace minigrpc
