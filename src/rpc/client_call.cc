#include "rpc/client_call.h"

#include <charconv>

#include "base/limits.h"
#include "rpc/call_credentials.h"
#include "rpc/channel_impl.h"
#include "rpc/client_connection.h"
#include "rpc/client_interception.h"
#include "rpc/load_report.h"
#include "wire/base64.h"
#include "wire/compression.h"
#include "wire/message.h"
#include "wire/status_mapping.h"
#include "wire/status_trailers.h"
#include "wire/timeout.h"

namespace minigrpc {

// ---- the public skin ----

namespace detail {

ClientCall::ClientCall(const Channel& channel, const MethodDescriptor& method, CallOptions options)
    : core_(new rpc::ClientCallCore(channel.impl().shared_from_this(), method, std::move(options), std::nullopt)) {}
ClientCall::ClientCall(const Channel& channel, const MethodDescriptor& method, CallOptions options,
                       Result<Buffer> request)
    : core_(new rpc::ClientCallCore(channel.impl().shared_from_this(), method, std::move(options),
                                    std::move(request))) {}
ClientCall::~ClientCall() {
  if (core_ == nullptr) return;
  if (!core_->over()) core_->cancel(StatusCode::kCancelled);
  core_->release();
}
void ClientCall::cancel() { core_->cancel(StatusCode::kCancelled); }

void CallOperation::on_cancel() noexcept { call->cancel(context->cancel_reason()); }
bool ReceiveOperation::start() { return call->start(*this); }
bool SendOperation::start() { return call->start(*this); }
bool FinishOperation::start() { return call->start(*this); }
bool HeadersOperation::start() { return call->start(*this); }

}  // namespace detail

namespace rpc {

using detail::ReceiveOutcome;

// Whatever an event leads to (a resumed task may drop its call), the call is there until the event is handled.
class ClientCallCore::Keep {
 public:
  explicit Keep(ClientCallCore& call) : call_(call) { call_.retain(); }
  ~Keep() { call_.release(); }
  Keep(const Keep&) = delete;
  Keep& operator=(const Keep&) = delete;

 private:
  ClientCallCore& call_;
};

ClientCallCore::ClientCallCore(std::shared_ptr<ChannelImpl> channel, const MethodDescriptor& method,
                               CallOptions options, std::optional<Result<Buffer>> request)
    : channel_(std::move(channel)),
      loop_(channel_->loop()),
      method_(method),
      options_(std::move(options)),
      compression_(options_.compression.value_or(channel_->options().compression)),
      inbox_(channel_->options().received_message_size_max),
      wait_for_ready_(options_.wait_for_ready.value_or(false)) {
  if (!request) return;
  half_closed_ = true;
  if (*request) {
    wire::encode_message(**request, compression_);
    replay_size_ = (*request)->size();
    messages_sent_ = 1;
    replay_.push_back(std::move(**request));
  } else {
    status_ = std::move(*request).error();  // begin() ends the call with it
  }
}

void ClientCallCore::release() {
  if (references_.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
  delete this;
}

// ---- from any thread to the loop ----

template <class Operation>
bool ClientCallCore::dispatch(Operation& operation, bool (ClientCallCore::*handle)(Operation&)) {
  if (loop_.is_current()) {
    if (!begun_) begin(*operation.context);
    return (this->*handle)(operation);
  }
  retain();
  loop_.post([this, &operation, handle] {
    if (!begun_) begin(*operation.context);
    if (!(this->*handle)(operation)) complete(operation);
    release();
  });
  return true;
}

bool ClientCallCore::start(detail::ReceiveOperation& operation) { return dispatch(operation, &ClientCallCore::receive); }
bool ClientCallCore::start(detail::SendOperation& operation) { return dispatch(operation, &ClientCallCore::send); }
bool ClientCallCore::start(detail::HeadersOperation& operation) { return dispatch(operation, &ClientCallCore::headers); }
bool ClientCallCore::start(detail::FinishOperation& operation) {
  if (over()) {  // the usual case: the answer and the status came together
    operation.status = status_;
    return false;
  }
  return dispatch(operation, &ClientCallCore::finish);
}

void ClientCallCore::cancel(StatusCode reason) {
  retain();
  loop_.post([this, reason] {
    begun_ = true;
    end_now(Status(reason, reason == StatusCode::kDeadlineExceeded ? "the deadline passed" : "the call was cancelled"));
    release();
  });
}

// ---- the start ----

void ClientCallCore::begin(const TaskContext& context) {
  begun_ = true;
  begun_at_ = net::Loop::now();
  channel_->calls().started.add();
  channel_->calls().last_started.set(begun_at_);
  if (!status_.ok()) return end(std::move(status_));
  deadline_ = context.deadline();
  if (options_.timeout) {
    const auto timeout = std::chrono::duration_cast<TimePoint::duration>(*options_.timeout);
    if (timeout < TimePoint::max() - begun_at_) deadline_ = std::min(deadline_, begun_at_ + timeout);
  }
  if (deadline_ <= begun_at_)
    return end(Status(StatusCode::kDeadlineExceeded, "the deadline had passed before the call began"));
  HeaderList check;
  if (Status legal = check.add_metadata(options_.metadata); !legal.ok()) return end(std::move(legal));
  if (deadline_ != TimePoint::max()) loop_.arm(*this, deadline_);
  entrusted_ = true;  // the channel or the stream holds it until the end
  retain();
  if (channel_->options().interceptors.empty()) return proceed();
  interception_ = new ClientInterception(*this, context);
  interception_->start();
}

void ClientCallCore::proceed() {
  if (interception_ != nullptr) {
    HeaderList check;
    if (Status legal = check.add_metadata(options_.metadata); !legal.ok()) return end(std::move(legal));
  }
  if (needs_credentials()) return ask_credentials();
  channel_->start(*this);
}

void ClientCallCore::shorten_deadline(TimePoint deadline) {
  if (deadline >= deadline_ || stopped_) return;
  deadline_ = deadline;
  loop_.arm(*this, deadline_);
}

bool ClientCallCore::configure(const MethodConfig* config) {
  configured_ = true;
  if (config == nullptr) return false;
  const Keep keep(*this);
  if (!options_.wait_for_ready && config->wait_for_ready) wait_for_ready_ = *config->wait_for_ready;
  if (config->timeout) {
    const auto timeout = std::chrono::duration_cast<TimePoint::duration>(*config->timeout);
    if (timeout < deadline_ - begun_at_) {
      deadline_ = begun_at_ + timeout;
      loop_.arm(*this, deadline_);
      if (deadline_ <= net::Loop::now())
        return end(Status(StatusCode::kDeadlineExceeded, "the service config's timeout has passed")), true;
    }
  }
  if (config->response_size_max) inbox_.lower_message_size_max(*config->response_size_max);
  if (config->request_size_max) {
    request_size_max_ = *config->request_size_max;
    for (const Buffer& message : replay_)
      if (!check_request_size(message)) return true;
  }
  if (config->retry) retrying_ = std::make_unique<Retrying>(*this, *config->retry);
  const bool hedged = config->hedging && half_closed_ && replay_size_ <= limits::kRetryBufferSizeMax;
  if (!hedged) return false;
  hedging_ = std::make_unique<Hedging>(*this, *config->hedging);
  channel_->add_absent(*this);
  hedging_->begin();
  return true;
}

// False: `message`, with its prefix, is larger than the service config permits, and the call has ended.
bool ClientCallCore::check_request_size(const Buffer& message) {
  const std::size_t size = message.size() - wire::kMessagePrefixSize;
  if (size <= request_size_max_) return true;
  end(Status(StatusCode::kResourceExhausted, "the request has " + std::to_string(size) + " bytes, " +
                                                 std::to_string(request_size_max_) + " are permitted"));
  return false;
}

// ---- credentials ----

// Awaits what the call's credentials have to say, then lets the call go on. Deletes itself; outlives a call that ends
// meanwhile, as long as a plugin takes to notice its cancellation.
class ClientCallCore::CredentialsRun {
 public:
  CredentialsRun(ClientCallCore& call, CallCredentials credentials)
      : call_(&call), credentials_(std::move(credentials)), context_(call.loop_, call.deadline_) {}

  void start() {
    CallCredentialsRequest request{.service_url = service_url(call_->channel_->authority(), call_->method_.path),
                                   .method = std::string(call_->method_.path)};
    Task<Result<Metadata>> asked = ask_all(credentials_, std::move(request));
    detail::run_detached(detail::capture<Result<Metadata>>(std::move(asked), &outcome_))
        .start(context_, [](void* self) noexcept { static_cast<CredentialsRun*>(self)->done(); }, this);
  }
  void abandon() {
    call_ = nullptr;
    context_.cancel();
  }

 private:
  void done() {
    const std::unique_ptr<CredentialsRun> self(this);
    if (call_ == nullptr) return;
    ClientCallCore& call = *call_;
    const Keep keep(call);
    call.asking_ = nullptr;
    if (outcome_.failure) return call.end(Status(StatusCode::kUnavailable, "a credentials plugin failed with an exception"));
    Result<Metadata>& answer = *outcome_.value;
    if (!answer) return call.end(std::move(answer).error());
    HeaderList check;
    if (Status legal = check.add_metadata(*answer); !legal.ok()) return call.end(std::move(legal));
    for (const Metadata::Entry& entry : *answer) call.options_.metadata.add(entry.name, entry.value);
    call.channel_->start(call);
  }

  ClientCallCore* call_;
  const CallCredentials credentials_;
  TaskContext context_;
  detail::Outcome<Result<Metadata>> outcome_;
};

bool ClientCallCore::needs_credentials() const {
  return !options_.credentials.empty() || !channel_->options().call_credentials.empty();
}

void ClientCallCore::ask_credentials() {
  if (!channel_->options().credentials.is_tls())
    return end(Status(StatusCode::kUnauthenticated,
                      "call credentials travel over TLS only, and this channel is in cleartext: nothing was sent"));
  asking_ = new CredentialsRun(*this, CallCredentials::combine(channel_->options().call_credentials,
                                                               options_.credentials));
  asking_->start();
}

void ClientCallCore::on_timer() noexcept {
  const Keep keep(*this);
  if (connection_ != nullptr) connection_->tally().add(StatusCode::kDeadlineExceeded);
  end_now(Status(StatusCode::kDeadlineExceeded,
             stream_ == nullptr ? channel_->why_waiting() : std::string("the deadline passed before the answer came")));
}

h2::Stream* ClientCallCore::open_stream(ClientConnection& connection, Attempt& user, int previous_attempts) {
  char timeout[12];
  char previous[12];
  HeaderList fields;
  fields.add({":method", "POST"});
  fields.add({":scheme", channel_->scheme()});
  fields.add({":path", method_.path});
  fields.add({":authority", channel_->authority()});
  fields.add({"te", "trailers"});
  fields.add({"content-type", "application/grpc"});
  fields.add({"user-agent", channel_->user_agent()});
  fields.add({"grpc-accept-encoding", wire::kAcceptEncoding});
  if (compression_ != Compression::kIdentity)
    fields.add({"grpc-encoding", wire::compression_name(compression_)});
  if (deadline_ != TimePoint::max())
    fields.add({"grpc-timeout", wire::format_timeout(deadline_ - net::Loop::now(), timeout)});
  if (previous_attempts > 0) {
    const auto [end, error] = std::to_chars(previous, previous + sizeof previous, previous_attempts);
    fields.add({"grpc-previous-rpc-attempts", {previous, static_cast<std::size_t>(end - previous)}});
  }
  const Status legal = fields.add_metadata(options_.metadata);
  detail::require(legal.ok(), "metadata was checked at the call's begin");

  h2::Stream* stream = connection.open_stream(fields.views(), user);
  if (stream == nullptr || options_.details == nullptr) return stream;
  options_.details->peer = connection.address();
  ++options_.details->attempts;
  return stream;
}

void ClientCallCore::attach(ClientConnection& connection) {
  const Keep keep(*this);
  h2::Stream* stream = open_stream(connection, *this, retrying_ ? retrying_->failed : 0);
  if (stream == nullptr) return channel_->start(*this);  // its ids are used up: another one
  connection_ = &connection;
  stream_ = stream;
  const bool replay = replayable_ && replay_size_ <= replay_size_max();
  for (Buffer& message : replay_) {
    connection.h2().send(*stream, replay ? Buffer::copy_of(message.bytes()) : std::move(message));
    connection.counters().message_sent();
  }
  if (!replay) {
    replay_.clear();
    replayable_ = false;
  }
  if (half_closed_) connection.h2().end(*stream);
  if (sending_ != nullptr && stream->queued_size() <= limits::kStreamQueuedSizeMax)
    complete(*std::exchange(sending_, nullptr));
  else if (sending_ != nullptr)
    connection.h2().notify_writable(*stream);
  connection.touch();
}

void ClientCallCore::send_copies(ClientConnection& connection, h2::Stream& stream) {
  for (const Buffer& message : replay_) {
    connection.h2().send(stream, Buffer::copy_of(message.bytes()));
    connection.counters().message_sent();
  }
  connection.h2().end(stream);
  connection.touch();
}

void ClientCallCore::adopt(ClientConnection& connection, h2::Stream& stream) {
  connection_ = &connection;
  stream_ = &stream;
  stream.user = static_cast<StreamUser*>(this);
  channel_->forget(*this);
  hedging_.reset();
}

void ClientCallCore::refuse(Status why, bool final) {
  const Keep keep(*this);
  if (!final && send_again_by_policy(why, {})) return;
  end(std::move(why));
}

// ---- sending ----

bool ClientCallCore::send(detail::SendOperation& operation) {
  if (ended() || stopped_ || half_closed_) return false;
  if (operation.message) {
    wire::encode_message(*operation.message,
                         operation.options.compress ? compression_ : Compression::kIdentity);
    if (!check_request_size(*operation.message)) return false;
    submit(*std::move(operation.message));
  }
  if (operation.options.last) half_close();
  operation.accepted = true;
  const std::size_t queued = stream_ != nullptr ? stream_->queued_size() : replay_size_;
  if (queued <= limits::kStreamQueuedSizeMax) return false;
  if (stream_ != nullptr) connection_->h2().notify_writable(*stream_);
  sending_ = &operation;
  return true;
}

void ClientCallCore::submit(Buffer message) {
  ++messages_sent_;
  if (replayable_) {
    replay_size_ += message.size();
    if (stream_ == nullptr) {
      replay_.push_back(std::move(message));
      return;
    }
    if (replay_size_ <= replay_size_max()) {
      replay_.push_back(Buffer::copy_of(message.bytes()));
    } else {
      replayable_ = false;
      replay_.clear();
    }
  }
  connection_->h2().send(*stream_, std::move(message));
  connection_->counters().message_sent();
  connection_->touch();
}

void ClientCallCore::half_close() {
  half_closed_ = true;
  if (stream_ == nullptr) return;
  connection_->h2().end(*stream_);
  connection_->touch();
}

void ClientCallCore::on_writable() {
  const Keep keep(*this);
  if (sending_ != nullptr) complete(*std::exchange(sending_, nullptr));
}

// ---- receiving ----

void ClientCallCore::on_headers(std::span<const HeaderView> fields, bool end_stream) {
  const Keep keep(*this);
  if (headers_arrived_ || (end_stream && http_status_ == 0)) return read_trailers(fields);  // or Trailers-Only
  read_headers(fields);
}

int http_status_of(std::span<const HeaderView> fields) {
  int http_status = 0;
  for (const HeaderView& field : fields)
    if (field.name == ":status") std::from_chars(field.value.data(), field.value.data() + field.value.size(), http_status);
  return http_status;
}

void ClientCallCore::read_headers(std::span<const HeaderView> fields) {
  std::string_view content_type;
  std::string_view encoding;
  const int http_status = http_status_of(fields);
  for (const HeaderView& field : fields) {
    if (field.name == "content-type") content_type = field.value;
    if (field.name == "grpc-encoding") encoding = field.value;
  }
  if (http_status >= 100 && http_status < 200) return;
  http_status_ = http_status;
  headers_arrived_ = true;
  replay_.clear();
  replayable_ = false;
  retrying_.reset();
  if (http_status != 200) {
    connection_->tally().add(StatusCode::kUnavailable);
    return end(Status(wire::status_code_from_http(http_status),
                      "the server answered with HTTP status " + std::to_string(http_status)));
  }
  if (!wire::grpc_content_subtype(content_type)) {
    return end(Status(StatusCode::kUnknown,
                      "the server's answer is not gRPC: content-type '" + std::string(content_type) + "'"));
  }
  if (!encoding.empty()) {
    const std::optional<Compression> known = wire::compression_from_name(encoding);
    if (!known)
      return end(Status(StatusCode::kInternal, "the server chose grpc-encoding '" + std::string(encoding) +
                                                   "', which was not offered"));
    inbox_.set_encoding(*known);
  }
  if (options_.details != nullptr) {
    for (const HeaderView& field : fields) {
      if (!receive_metadata(field, options_.details->headers))
        return end(Status(StatusCode::kInternal, "malformed base64 in metadata '" + std::string(field.name) + "'"));
    }
  }
  if (heading_ == nullptr) return;
  heading_->arrived = true;
  complete(*std::exchange(heading_, nullptr));
}

void tally(CallTally& tally, StatusCode code, std::span<const HeaderView> trailers) {
  tally.add(code);
  if (code == StatusCode::kOk) tally.calls.succeeded.add();
  if (!tally.wants_load) return;
  for (const HeaderView& field : trailers) {
    if (field.name != kLoadReportHeader) continue;
    const auto values = wire::base64_decode_list(field.value);
    std::optional<LoadReport> report;
    if (values && !values->empty()) report = parse_load_report(values->front());
    if (!report) return;
    report->received_at = net::Loop::now();
    tally.load = report;
  }
}

void ClientCallCore::read_trailers(std::span<const HeaderView> fields) {
  Status status = wire::status_from_trailers(fields, headers_arrived_ ? http_status_ : http_status_of(fields));
  tally(connection_->tally(), status.code(), fields);
  if (send_again_by_policy(status, retrying_ ? pushback_of(fields) : Pushback())) return;
  if (options_.details != nullptr)
    for (const HeaderView& field : fields) receive_metadata(field, options_.details->trailers);
  if (status.ok())
    if (Status cut = inbox_.finish(); !cut.ok()) status = std::move(cut);
  end(std::move(status));
}

void ClientCallCore::on_data(std::span<const std::byte> bytes, bool end_stream) {
  const Keep keep(*this);
  if (!headers_arrived_) return end(Status(StatusCode::kInternal, "the server sent data before its headers"));
  channelz::SocketCounters& counters = connection_->counters();
  Status fed = inbox_.feed(bytes, [this](wire::MessageView message) { return deliver(message); });
  counters.messages_received(inbox_.take_arrived());
  if (!fed.ok()) return end(std::move(fed));
  if (stopped_) return;
  if (single_response() && inbox_.count() + (message_delivered_ ? 1 : 0) > 1)
    return end(Status(StatusCode::kUnimplemented, "the method answers with one message, the server sent more"));
  give_back_window();
  if (end_stream) end(wire::status_from_trailers({}, http_status_));
}

// Into the waiting operation's target; false where none waits.
bool ClientCallCore::deliver(wire::MessageView message) {
  if (receiving_ == nullptr || message_delivered_) return false;
  detail::ReceiveOperation& operation = *receiving_;
  if (!parse(operation, message)) return true;
  if (single_response()) {
    message_delivered_ = true;  // the operation completes with the status: one resumption, not two
  } else {
    receiving_ = nullptr;
    complete(operation);
  }
  return true;
}

// Into the operation's target. False: it was no message, and the call has ended.
bool ClientCallCore::parse(detail::ReceiveOperation& operation, wire::MessageView message) {
  Buffer inflated;
  std::span<const std::byte> bytes = message.bytes;
  if (message.compressed) {
    Result<Buffer> result = inbox_.inflate(bytes);
    if (!result) return end(std::move(result).error()), false;
    inflated = *std::move(result);
    bytes = inflated.bytes();
  }
  if (options_.details != nullptr) options_.details->message_compressed = message.compressed;
  if (!operation.target.parse(operation.target.message, bytes))
    return end(Status(StatusCode::kInternal, "the response message could not be parsed")), false;
  operation.outcome = ReceiveOutcome::kMessage;
  ++messages_received_;
  return true;
}

bool ClientCallCore::receive(detail::ReceiveOperation& operation) {
  operation.outcome = ReceiveOutcome::kEnd;
  if (inbox_.count() > 0) {
    const wire::Message message = inbox_.pop();
    give_back_window();
    parse(operation, {.bytes = message.bytes.bytes(), .compressed = message.compressed});
    return false;
  }
  if (ended()) return false;
  receiving_ = &operation;
  return true;
}

bool ClientCallCore::finish(detail::FinishOperation& operation) {
  if (!ended() && !half_closed_) half_close();
  if (ended()) {
    operation.status = status_;
    return false;
  }
  // What nobody will read must not stop the server.
  inbox_.discard();
  discarding_ = true;
  give_back_window();
  finishing_ = &operation;
  return true;
}

bool ClientCallCore::headers(detail::HeadersOperation& operation) {
  operation.arrived = headers_arrived_;
  if (headers_arrived_ || ended()) return false;
  heading_ = &operation;
  return true;
}

void ClientCallCore::give_back_window() {
  if (discarding_) inbox_.discard();
  if (stream_ == nullptr) return;
  connection_->h2().consume(*stream_, inbox_.release_window());
  connection_->touch();
}

// ---- the end ----

std::size_t ClientCallCore::replay_size_max() const {
  return retrying_ ? limits::kRetryBufferSizeMax : limits::kReplaySizeMax;
}

bool ClientCallCore::send_again_unseen(Reach reach) {
  if (headers_arrived_ || !replayable_ || channel_->is_shut_down() || !transparent_retries_.take(reach))
    return false;
  channel_->start(*this);
  return true;
}

bool ClientCallCore::send_again_by_policy(const Status& status, Pushback pushback) {
  if (!retrying_ || headers_arrived_ || status.ok()) return false;
  const RetryPolicy& policy = retrying_->policy;
  if (!policy.retryable.contains(status.code())) return false;
  std::optional<RetryThrottle>& throttle = channel_->throttle();
  if (throttle) throttle->failed();
  if (++retrying_->failed >= policy.attempts_max || !replayable_ || pushback.never || channel_->is_shut_down() ||
      (throttle && !throttle->allows()))
    return false;
  const TimePoint now = net::Loop::now();
  const std::chrono::nanoseconds pause =
      pushback.pause ? *pushback.pause : retrying_->pauses.next(uniform_random());
  // A failure now says more than a passed deadline later.
  if (pause >= deadline_ - now) return false;
  if (pushback.pause) retrying_->pauses.reset();
  detach_stream();
  channel_->add_absent(*this);
  loop_.arm(retrying_->timer, now + std::chrono::duration_cast<TimePoint::duration>(pause));
  return true;
}

void ClientCallCore::on_pause_over() {
  const Keep keep(*this);
  channel_->forget(*this);
  channel_->start(*this);
}

Status ClientCallCore::status_of_reset(std::uint32_t error_code) const {
  if (error_code == 0) return wire::status_from_trailers({}, http_status_);
  // Some servers reset a stream whose deadline has passed, which may arrive before our own timer is seen to.
  if (wire::status_code_from_http2_error(error_code) == StatusCode::kCancelled && net::Loop::now() >= deadline_)
    return Status(StatusCode::kDeadlineExceeded, "the deadline passed before the answer came");
  return Status(wire::status_code_from_http2_error(error_code),
                "the server reset the stream: " + std::string(wire::http2_error_name(error_code)));
}

void ClientCallCore::on_closed(std::uint32_t error_code, Reach reach) {
  const Keep keep(*this);
  if (reach == Reach::kPerhapsSeen) connection_->tally().add(StatusCode::kUnavailable);
  stream_ = nullptr;
  connection_ = nullptr;
  if (send_again_unseen(reach)) return;
  Status status = status_of_reset(error_code);
  if (send_again_by_policy(status, {})) return;
  end(std::move(status));
}

void ClientCallCore::on_connection_lost(const Status& why, Reach reach) {
  const Keep keep(*this);
  if (reach == Reach::kPerhapsSeen) connection_->tally().add(StatusCode::kUnavailable);
  stream_ = nullptr;
  connection_ = nullptr;
  if (send_again_unseen(reach) || send_again_by_policy(why, {})) return;
  end(why);
}

void ClientCallCore::detach_stream() {
  if (stream_ == nullptr) return;
  stream_->user = nullptr;
  connection_->h2().reset(*stream_, h2::ErrorCode::kCancel);
  connection_->touch();
  stream_ = nullptr;
  connection_ = nullptr;
}

void ClientCallCore::end(Status status) {
  if (ended() || stopped_) return;
  stop(status);
  if (interception_ == nullptr) return tell(std::move(status));
  const Keep keep(*this);
  interception_->call_ended(std::move(status));
}

void ClientCallCore::end_now(Status status) {
  if (ended()) return;
  const Keep keep(*this);
  if (!stopped_) stop(status);
  ClientInterception* const interception = interception_;
  // The caller's, which may be gone soon.
  if (interception != nullptr) options_.details = nullptr;
  const Status why = status;
  tell(std::move(status));
  if (interception == nullptr) return;
  // Here still, or it would have concluded.
  interception->cancel(why.code());
  if (interception_ != nullptr) interception_->call_ended(why);
}

void ClientCallCore::conclude(Status status) {
  interception_ = nullptr;
  if (ended()) return;
  if (!stopped_) stop(status);
  tell(std::move(status));
}

void ClientCallCore::stop(const Status& status) {
  stopped_ = true;
  if (begun_at_ != TimePoint()) status.ok() ? channel_->calls().end_with_ok() : channel_->calls().ended.add();
  if (armed()) loop_.disarm(*this);
  detach_stream();
  if (retrying_) loop_.disarm(retrying_->timer);
  if (auto* asking = std::exchange(asking_, nullptr)) asking->abandon();
  channel_->forget(*this);
  hedging_.reset();
  if (status.ok() && channel_->throttle()) channel_->throttle()->succeeded();
  inbox_.close();
  replay_.clear();
}

void ClientCallCore::tell(Status status) {
  status_ = std::move(status);
  ended_.store(true, std::memory_order_release);
  const bool entrusted = std::exchange(entrusted_, false);
  complete_all();
  if (entrusted) release();
}

void ClientCallCore::complete_all() {
  if (auto* operation = std::exchange(heading_, nullptr)) complete(*operation);
  if (auto* operation = std::exchange(sending_, nullptr)) {
    operation->accepted = false;
    complete(*operation);
  }
  if (auto* operation = std::exchange(receiving_, nullptr)) complete(*operation);
  if (auto* operation = std::exchange(finishing_, nullptr)) {
    operation->status = status_;
    complete(*operation);
  }
}

// On its task's executor. Nothing of the operation is touched afterwards.
void ClientCallCore::complete(detail::CallOperation& operation) { detail::resume(*operation.context, operation.waiter); }

}  // namespace rpc
}  // namespace minigrpc
