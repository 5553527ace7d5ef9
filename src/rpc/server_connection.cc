#include "rpc/server_connection.h"

#include <random>

#include "base/limits.h"
#include "rpc/header_list.h"
#include "rpc/server_call.h"
#include "wire/compression.h"
#include "wire/status_mapping.h"
#include "wire/status_trailers.h"
#include "wire/timeout.h"

namespace minigrpc::rpc {

namespace {

h2::Settings settings_of(const ServerOptions& options) {
  return {.concurrent_streams_max = options.concurrent_streams_max,
          .stream_window_size = limits::kStreamWindowSize,
          .connection_window_size = limits::kConnectionWindowSize,
          .header_list_size_max = limits::kHeaderListSizeMax};
}

std::shared_ptr<Peer> peer_at(const net::Transport& transport) {
  auto peer = std::make_shared<Peer>();
  peer->address = transport.peer();
  if (auto identity = transport.peer_identity())
    peer->identity = std::make_unique<PeerIdentity>(*std::move(identity));
  return peer;
}

// A tenth earlier or later: the connections of one moment must not end in one moment.
TimePoint age_limit(std::chrono::milliseconds age_max, TimePoint now) {
  static thread_local std::minstd_rand random{std::random_device{}()};
  if (age_max == kNever) return TimePoint::max();
  const double factor = std::uniform_real_distribution<double>(0.9, 1.1)(random);
  return later(now, std::chrono::duration_cast<std::chrono::milliseconds>(age_max * factor));
}

// What a request's header block says in gRPC's terms, besides its Caller's.
struct RequestHeaders {
  std::string_view method;
  std::string_view path;
  std::string_view content_type;
  std::string_view encoding;
  std::optional<std::chrono::nanoseconds> timeout;
  Status problem;
};

RequestHeaders read_request(std::span<const HeaderView> fields) {
  RequestHeaders request;
  for (const HeaderView& field : fields) {
    switch (field.known) {
      case HeaderName::kMethod:
        request.method = field.value;
        break;
      case HeaderName::kPath:
        request.path = field.value;
        break;
      case HeaderName::kContentType:
        request.content_type = field.value;
        break;
      case HeaderName::kGrpcEncoding:
        request.encoding = field.value;
        break;
      case HeaderName::kGrpcTimeout:
        request.timeout = wire::parse_timeout(field.value);
        if (!request.timeout) request.problem = Status(StatusCode::kInternal, "malformed grpc-timeout");
        break;
      case HeaderName::kScheme:
      case HeaderName::kTe:
      case HeaderName::kContentLength:
      case HeaderName::kOfConnections:
      case HeaderName::kAuthority:
      case HeaderName::kHost:
      case HeaderName::kUserAgent:
      case HeaderName::kGrpcAcceptEncoding:
      case HeaderName::kOther:
        break;
    }
  }
  return request;
}

Status unknown_method(const ServerImpl& server, std::string_view path) {
  const std::size_t slash = path.rfind('/');
  if (!path.starts_with('/') || slash == 0 || slash == std::string_view::npos)
    return Status(StatusCode::kUnimplemented, "malformed method name");
  const std::string service(path.substr(1, slash - 1));
  if (!server.has_service(service)) return Status(StatusCode::kUnimplemented, "unknown service " + service);
  return Status(StatusCode::kUnimplemented,
                "unknown method " + std::string(path.substr(slash + 1)) + " for service " + service);
}

}  // namespace

ServerConnection::ServerConnection(std::shared_ptr<ServerImpl> server, ServerImpl::LoopShare& share,
                                   net::Transport transport)
    : server_(std::move(server)),
      share_(share),
      transport_(std::move(transport)),
      h2_(h2::Role::kServer, settings_of(server_->options())),
      peer_(peer_at(transport_)),
      entity_(channelz::Socket::Side::kServer, transport_, peer_->address),
      keepalive_(server_->options().keepalive.time, server_->options().keepalive.timeout, net::Loop::now()),
      strikes_(server_->options().keepalive),
      stalled_at_(later(net::Loop::now(), server_->options().stalled_send_max)),
      ages_at_(age_limit(server_->options().connection_age_max, net::Loop::now())),
      idle_at_(later(net::Loop::now(), server_->options().connection_idle_max)) {}

ServerConnection::~ServerConnection() = default;

void ServerConnection::start(std::string_view received) {
  server_->joined(share_, *this);
  server_->channelz().join(entity_, &server_->entity());
  const TimePoint now = net::Loop::now();
  share_.loop.arm(*this, later(now, server_->options().handshake_timeout));
  arm_housekeeping(now);
  in_turn_ = true;
  if (!received.empty()) feed(std::as_bytes(std::span(received)));
  in_turn_ = false;
  flush();
  if (!closed_) wait_readable();
}

void ServerConnection::wait_readable() {
  transport_.wait_readable([self = shared_from_this()](const boost::system::error_code& error) {
    if (error || self->closed_) return;
    self->on_readable();
  });
}

void ServerConnection::on_readable() {
  if (keepalive_.enabled()) {
    const TimePoint now = net::Loop::now();
    if (keepalive_.heard(now)) arm_housekeeping(now);
  }
  h2_.begin_turn(spare_turn());
  in_turn_ = true;
  const bool open = read_and_process();
  in_turn_ = false;
  if (!open) return close();
  flush();
  if (!closed_) wait_readable();
}

// False: the peer is gone.
bool ServerConnection::read_and_process() {
  const std::span<std::byte> buffer = share_.loop.receive_buffer();
  for (int i = 0; i < limits::kReadsPerTurnMax; ++i) {
    const net::Transport::IoResult read = transport_.receive(buffer);
    if (read.state == net::Transport::IoState::kWouldBlock) return true;
    if (read.state == net::Transport::IoState::kClosed) return false;
    feed(buffer.first(read.size));
    if (read.size < buffer.size()) return true;
  }
  return true;
}

void ServerConnection::feed(std::span<const std::byte> bytes) {
  if (lingering_ || failed_) return;
  const std::optional<h2::Error> error = h2_.receive(bytes);
  process_events();
  if (error && !failed_) {
    failed_ = true;
    const bool flooding = error->code == h2::ErrorCode::kEnhanceYourCalm;
    server_->count(flooding ? &ServerCounters::connections_flooding : &ServerCounters::connections_broken);
  }
  bound_floods();
}

void ServerConnection::process_events() {
  for (std::span<const h2::Event> events = h2_.take_events(); !events.empty(); events = h2_.take_events())
    for (const h2::Event& event : events) process(event);
}

void ServerConnection::process(const h2::Event& event) {
  auto* call = event.stream != nullptr ? static_cast<ServerCallCore*>(event.stream->user) : nullptr;
  switch (event.kind) {
    case h2::EventKind::kHeaders:
      if (call != nullptr)  // request trailers: gRPC has none, but their end counts
        call->on_data({}, event.end_stream);
      else if (!event.stream->answered())
        begin_call(event);
      else if (event.end_stream)
        h2_.end(*event.stream);
      break;
    case h2::EventKind::kData:
      measure(event.data.size());
      if (call != nullptr)
        call->on_data(event.data, event.end_stream);
      else
        drop_data(event);
      break;
    case h2::EventKind::kWritable:
      if (call != nullptr) call->on_writable();
      break;
    case h2::EventKind::kClosed:
      if (event.error_code == 0) {
        counters().stream_succeeded();
      } else {
        ++resets_;
        counters().stream_failed();
      }
      if (call != nullptr) {
        event.stream->user = nullptr;
        call->on_closed();
      }
      break;
    case h2::EventKind::kSettings:
      if (!settled_) share_.loop.disarm(*this);
      settled_ = true;
      break;
    case h2::EventKind::kPing:
      on_ping();
      break;
    case h2::EventKind::kPingAck:
      on_ping_ack(static_cast<PingPurpose>(event.ping_data));
      break;
    case h2::EventKind::kGoaway:  // the client opens no more; its calls go on
      break;
  }
}

void ServerConnection::begin_call(const h2::Event& event) {
  used_ = true;
  counters().stream_started();
  h2::Stream& stream = *event.stream;
  const std::span<const HeaderView> fields = h2_.headers(event);
  const RequestHeaders request = read_request(fields);
  if (request.method != "POST") return refuse_http(event, "405", "gRPC calls are POST requests\n");
  if (!wire::grpc_content_subtype(request.content_type))
    return refuse_http(event, "415", "this server speaks gRPC: content-type application/grpc\n");
  if (!request.problem.ok()) return refuse(stream, request.problem);
  const BoundMethod* bound = server_->find(request.path);
  if (bound == nullptr) return refuse(stream, unknown_method(*server_, request.path));
  const std::optional<Compression> encoding =
      request.encoding.empty() ? Compression::kIdentity : wire::compression_from_name(request.encoding);
  if (!encoding)
    return refuse(stream, Status(StatusCode::kUnimplemented,
                                 "grpc-encoding '" + std::string(request.encoding) + "' is not supported"));
  if (!caller_ || !caller_->is_repeated_by(fields)) {
    Result<CallerRef> made = Caller::of(peer_, fields);
    if (!made) return refuse(stream, made.error());
    caller_ = *std::move(made);
  }
  if (peer_->calls_running / limits::kCallsPerStreamMax >= server_->options().concurrent_streams_max) {
    server_->count(&ServerCounters::calls_refused);
    return h2_.reset(stream, h2::ErrorCode::kRefusedStream);
  }
  called_ = true;
  share_.calls.started.add();
  auto* call = new ServerCallCore(*this, stream, *bound, caller_);  // deletes itself
  stream.user = call;
  call->set_encoding(*encoding);
  if (request.timeout) call->set_timeout(*request.timeout);
  call->begin(event.end_stream);
}

void ServerConnection::refuse(h2::Stream& stream, const Status& status) {
  const wire::StatusTrailers fields(status);
  HeaderList headers;
  headers.add({":status", "200"});
  headers.add({"content-type", "application/grpc"});
  for (const HeaderView& field : fields.headers()) headers.add(field);
  if (status.code() == StatusCode::kUnimplemented)
    headers.add({"grpc-accept-encoding", wire::kAcceptEncoding});
  h2_.submit_response(stream, headers.views(), true);
}

// The answer ends when the request does: until then it may turn out to be malformed, which counts for more.
void ServerConnection::refuse_http(const h2::Event& request, std::string_view http_status, std::string_view text) {
  h2::Stream& stream = *request.stream;
  const HeaderView headers[] = {{":status", http_status}, {"content-type", "text/plain"}};
  h2_.submit_response(stream, headers, false);
  h2_.send(stream, Buffer::copy_of(text));
  if (request.end_stream) h2_.end(stream);
}

// Of a request that was refused.
void ServerConnection::drop_data(const h2::Event& event) {
  h2_.consume(*event.stream, event.data.size());
  if (event.end_stream) h2_.end(*event.stream);
}

// ---- writing ----

void ServerConnection::flush() {
  if (closed_ || waiting_writable_ || lingering_) return;
  const auto keep = shared_from_this();
  h2_.begin_turn(spare_turn());
  in_turn_ = true;
  const Flushed flushed = write_output();
  in_turn_ = false;
  h2_.end_turn(spare_turn());
  account();
  switch (flushed) {
    case Flushed::kAll:
      if (failed_ || !h2_.alive()) linger();
      return;
    case Flushed::kBlocked:
      return wait_writable();
    case Flushed::kClosed:
      return close();
  }
}

void ServerConnection::account() {
  counters().set_windows(h2_.local_window(), h2_.peer_window());
  if (!counters().has_news()) return;
  const TimePoint now = net::Loop::coarse_now();
  counters().stamp(now);
  if (std::exchange(called_, false)) share_.calls.last_started.set(now);
}

ServerConnection::Flushed ServerConnection::write_output() {
  for (int writes = 0;; ++writes) {
    const std::span<const std::byte> bytes = h2_.output();
    process_events();
    if (bytes.empty()) return Flushed::kAll;
    if (writes == limits::kWritesPerTurnMax) return Flushed::kBlocked;
    const net::Transport::IoResult sent = transport_.send(bytes);
    if (sent.state == net::Transport::IoState::kWouldBlock) return Flushed::kBlocked;
    if (sent.state == net::Transport::IoState::kClosed) return Flushed::kClosed;
    h2_.consume_output(sent.size);
  }
}

void ServerConnection::wait_writable() {
  waiting_writable_ = true;
  transport_.wait_writable([self = shared_from_this()](const boost::system::error_code& error) {
    if (error || self->closed_) return;
    self->waiting_writable_ = false;
    self->flush();
  });
}

// ---- keeping it ----

void ServerConnection::arm_housekeeping(TimePoint now) {
  const TimePoint next =
      std::min({keepalive_.next(now, true), stalled_at_, ages_at_, idle_at_, drained_at_, ends_at_});
  if (next != TimePoint::max()) share_.loop.arm(housekeeping_, next);
}

void ServerConnection::housekeep() {
  const auto keep = shared_from_this();
  if (lingering_) return;
  const TimePoint now = net::Loop::now();
  const Keepalive::Step step = keepalive_.step(now, true);
  if (step == Keepalive::Step::kDead || now >= ends_at_ || stalled(now)) return close();
  if (step == Keepalive::Step::kPing) {
    h2_.submit_ping(static_cast<std::uint64_t>(PingPurpose::kKeepalive));
    counters().keepalive_sent();
  }
  if (now >= drained_at_) finish_drain();
  if (now >= ages_at_) {
    ages_at_ = TimePoint::max();
    ends_at_ = later(now, server_->options().connection_age_grace);
    drain();
  }
  if (now >= idle_at_) {
    idle_at_ = later(now, server_->options().connection_idle_max);
    if (!std::exchange(used_, false) && h2_.stream_count() == 0) drain();
  }
  touch();
  arm_housekeeping(now);
}

void ServerConnection::measure(std::size_t received_size) {
  if (!bandwidth_.received(received_size)) return;
  bandwidth_.ping_sent(net::Loop::now());
  h2_.submit_ping(static_cast<std::uint64_t>(PingPurpose::kBandwidth));
}

// Also where the socket takes no more for now, and so a flush() never comes to its end.
void ServerConnection::note_progress() {
  if (!h2_.take_content_sent()) return;
  progress_ = true;
  strikes_.reset();
}

void ServerConnection::on_ping() {
  note_progress();
  if (!strikes_.on_ping(net::Loop::now(), h2_.stream_count() > 0)) return;
  send_off("too_many_pings");
}

void ServerConnection::bound_floods() {
  const std::uint32_t barren = h2_.take_barren_frames();
  const std::uint32_t resets = std::exchange(resets_, 0);
  if (failed_ || (barren == 0 && resets == 0)) return;
  const TimePoint now = net::Loop::now();
  if (!resets_allowance_.spend(resets, now)) return send_off("too_many_resets");
  if (!barren_allowance_.spend(barren, now)) send_off("too_many_empty_frames");
}

void ServerConnection::send_off(std::string_view why) {
  if (std::exchange(failed_, true)) return;
  server_->count(&ServerCounters::connections_flooding);
  h2_.submit_goaway(h2::ErrorCode::kEnhanceYourCalm, why);
}

// Looked at from time to time: what waits at two looks, without anything having gone out in between, is stuck.
bool ServerConnection::stalled(TimePoint now) {
  if (now < stalled_at_) return false;
  stalled_at_ = later(now, server_->options().stalled_send_max);
  const bool waits = waiting_writable_ || h2_.queued_size() > 0;
  note_progress();
  const bool progressed = std::exchange(progress_, false);
  const bool stuck = waits && stalling_ && !progressed;
  stalling_ = waits;
  if (stuck) server_->count(&ServerCounters::connections_stalled);
  return stuck;
}

void ServerConnection::on_ping_ack(PingPurpose purpose) {
  if (purpose == PingPurpose::kDrain && draining_) finish_drain();
  if (purpose != PingPurpose::kBandwidth) return;
  if (const auto window = bandwidth_.ping_acked(net::Loop::now()))
    h2_.grow_windows(*window, std::max(2 * *window, limits::kConnectionWindowSize));
}

// ---- the end ----

void ServerConnection::drain() {
  if (draining_ || closed_ || lingering_) return;
  draining_ = true;
  h2_.submit_shutdown_notice();
  h2_.submit_ping(static_cast<std::uint64_t>(PingPurpose::kDrain));
  const TimePoint now = net::Loop::now();
  drained_at_ = now + limits::kDrainAckMax;
  arm_housekeeping(now);
  touch();
}

// The client knows by now that it should open no more streams; what it opened before has arrived.
void ServerConnection::finish_drain() {
  drained_at_ = TimePoint::max();
  if (std::exchange(drained_, true)) return;
  h2_.submit_goaway(h2::ErrorCode::kNoError);
  touch();
}

void ServerConnection::abort() {
  const auto keep = shared_from_this();
  close();
}

// Closing at once would reset the connection when bytes of the peer are still unread, and our last words with it.
void ServerConnection::linger() {
  if (lingering_) return;
  lingering_ = true;
  share_.loop.disarm(housekeeping_);
  transport_.shutdown_send();
  share_.loop.arm(*this, net::Loop::now() + limits::kLingerMax);
}

void ServerConnection::on_timer() noexcept {
  if (!settled_ && !lingering_) server_->count(&ServerCounters::handshakes_failed);
  close();
}

void ServerConnection::close() {
  if (closed_) return;
  const auto keep = shared_from_this();
  closed_ = true;
  entity_.leave();
  transport_.close();
  share_.loop.disarm(*this);
  share_.loop.disarm(housekeeping_);
  share_.loop.cancel_flush(*this);
  h2_.for_each_stream([](h2::Stream& stream) {
    if (auto* call = static_cast<ServerCallCore*>(std::exchange(stream.user, nullptr))) call->on_closed();
  });
  server_->left(share_, *this);
}

}  // namespace minigrpc::rpc
