#include "rpc/client_connection.h"

#include "base/limits.h"
#include "rpc/attempt.h"
#include "wire/status_mapping.h"

namespace minigrpc::rpc {

namespace {

// What a server that speaks something else has said, by its first bytes; empty for HTTP/2.
std::string_view other_protocol(std::span<const std::byte> bytes) {
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  if (text.starts_with("\x15\x03")) return "TLS: this channel's credentials are for cleartext";
  if (text.starts_with("HTTP/1.")) return "HTTP/1.1, not HTTP/2";
  return {};
}

}  // namespace

ClientConnection::ClientConnection(net::Loop& loop, net::Transport transport, std::string address,
                                   const ChannelKeepaliveOptions& keepalive, std::shared_ptr<CallTally> tally)
    : loop_(loop),
      transport_(std::move(transport)),
      h2_(h2::Role::kClient, {.concurrent_streams_max = 0,
                              .stream_window_size = limits::kStreamWindowSize,
                              .connection_window_size = limits::kConnectionWindowSize,
                              .header_list_size_max = limits::kHeaderListSizeMax}),
      address_(std::move(address)),
      entity_(channelz::Socket::Side::kClient, transport_, address_),
      tally_(std::move(tally)),
      keepalive_(keepalive.time, keepalive.timeout, net::Loop::now()),
      keepalive_without_calls_(keepalive.without_calls) {}

ClientConnection::~ClientConnection() = default;

void ClientConnection::start(Owner& owner, TimePoint settings_deadline) {
  owner_ = &owner;
  loop_.arm(*this, settings_deadline);
  arm_keepalive(net::Loop::now());
  touch();
  wait_readable();
}

void ClientConnection::on_timer() noexcept {
  close(Status(StatusCode::kUnavailable, address_ + " did not answer as an HTTP/2 server in time"));
}

h2::Stream* ClientConnection::open_stream(std::span<const HeaderView> headers, StreamUser& user) {
  // Never END_STREAM on the headers: a request ends with a DATA frame, if an empty one (grpc: doc/PROTOCOL-HTTP2.md,
  // Requests). grpc-go waits for it.
  h2::Stream* stream = h2_.submit_request(headers, false, &user);
  if (stream == nullptr) return nullptr;
  counters().stream_started();
  tally_->calls.started.add();
  called_ = true;
  return stream;
}

void ClientConnection::wait_readable() {
  transport_.wait_readable([self = shared_from_this()](const boost::system::error_code& error) {
    if (error || self->closed_) return;
    self->on_readable();
  });
}

void ClientConnection::on_readable() {
  if (keepalive_.enabled()) {
    const TimePoint now = net::Loop::now();
    if (keepalive_.heard(now)) arm_keepalive(now);
  }
  const std::span<std::byte> buffer = loop_.receive_buffer();
  h2_.begin_turn(spare_turn());
  in_turn_ = true;
  for (int i = 0; i < limits::kReadsPerTurnMax && !closed_; ++i) {
    const net::Transport::IoResult read = transport_.receive(buffer);
    if (read.state == net::Transport::IoState::kWouldBlock) break;
    if (read.state == net::Transport::IoState::kClosed) {
      lost(read);
      break;
    }
    if (const std::string_view other = ready_ ? "" : other_protocol(buffer.first(read.size)); !other.empty()) {
      close(Status(StatusCode::kUnavailable, address_ + " speaks " + std::string(other)));
      break;
    }
    const std::optional<h2::Error> error = h2_.receive(buffer.first(read.size));
    process_events();
    if (error) {
      close(Status(StatusCode::kUnavailable, address_ + " does not speak HTTP/2 as expected: " + error->reason));
      break;
    }
    if (read.size < buffer.size()) break;
  }
  in_turn_ = false;
  if (closed_) return;
  flush();
  if (!closed_) wait_readable();
}

void ClientConnection::process_events() {
  for (std::span<const h2::Event> events = h2_.take_events(); !events.empty(); events = h2_.take_events())
    for (const h2::Event& event : events) process(event);
}

void ClientConnection::process(const h2::Event& event) {
  StreamUser* call = event.stream != nullptr ? StreamUser::of(*event.stream) : nullptr;
  switch (event.kind) {
    case h2::EventKind::kHeaders:
      if (call != nullptr) call->on_headers(h2_.headers(event), event.end_stream);
      break;
    case h2::EventKind::kData:
      measure(event.data.size());
      if (call != nullptr)
        call->on_data(event.data, event.end_stream);
      else
        h2_.consume(*event.stream, event.data.size());
      break;
    case h2::EventKind::kWritable:
      if (call != nullptr) call->on_writable();
      break;
    case h2::EventKind::kClosed:
      if (!closed_) {
        if (event.stream->peer_ended())
          counters().stream_succeeded();
        else
          counters().stream_failed();
        tally_->calls.ended.add();
      }
      if (call != nullptr) {
        const bool refused = event.error_code == static_cast<std::uint32_t>(h2::ErrorCode::kRefusedStream);
        const Reach reach = !event.stream->request_sent() ? Reach::kUnsent
                            : refused                     ? Reach::kRefused
                                                          : Reach::kPerhapsSeen;
        event.stream->user = nullptr;
        call->on_closed(event.error_code, reach);
      }
      break;
    case h2::EventKind::kSettings:
      if (ready_) break;
      ready_ = true;
      loop_.disarm(*this);
      if (owner_ != nullptr) owner_->on_ready(*this);
      break;
    case h2::EventKind::kGoaway:
      on_goaway(event);
      break;
    case h2::EventKind::kPing:
      break;
    case h2::EventKind::kPingAck:
      if (static_cast<PingPurpose>(event.ping_data) != PingPurpose::kBandwidth) break;
      if (const auto window = bandwidth_.ping_acked(net::Loop::now()))
        h2_.grow_windows(*window, std::max(2 * *window, limits::kConnectionWindowSize));
      break;
  }
}

void ClientConnection::on_goaway(const h2::Event& event) {
  draining_ = true;
  std::string reason = address_ + " is going away";
  if (event.error_code != 0) reason += ": " + std::string(wire::http2_error_name(event.error_code));
  const bool too_many_pings = event.error_code == static_cast<std::uint32_t>(h2::ErrorCode::kEnhanceYourCalm) &&
                              h2_.goaway_debug_data() == "too_many_pings";
  if (too_many_pings) {
    reason += " (too_many_pings)";
    if (owner_ != nullptr) owner_->on_too_many_pings();
  }
  going_away_ = reason;
  unusable(Status(StatusCode::kUnavailable, std::move(reason)));
}

// ---- keeping it ----

void ClientConnection::arm_keepalive(TimePoint now) {
  const TimePoint next = keepalive_.next(now, anxious());
  if (next != TimePoint::max()) loop_.arm(keepalive_timer_, next);
}

void ClientConnection::keep_alive() {
  const auto keep = shared_from_this();
  const TimePoint now = net::Loop::now();
  const Keepalive::Step step = keepalive_.step(now, anxious());
  if (step == Keepalive::Step::kDead)
    return close(Status(StatusCode::kUnavailable, address_ + ": no answer to a keepalive PING"));
  if (step == Keepalive::Step::kPing) {
    h2_.submit_ping(static_cast<std::uint64_t>(PingPurpose::kKeepalive));
    counters().keepalive_sent();
    touch();
  }
  arm_keepalive(now);
}

void ClientConnection::measure(std::size_t received_size) {
  if (!bandwidth_.received(received_size)) return;
  bandwidth_.ping_sent(net::Loop::now());
  h2_.submit_ping(static_cast<std::uint64_t>(PingPurpose::kBandwidth));
}

void ClientConnection::flush() {
  if (closed_ || waiting_writable_) return;
  const auto keep = shared_from_this();
  h2_.begin_turn(spare_turn());
  in_turn_ = true;
  for (int writes = 0; !closed_; ++writes) {
    const std::span<const std::byte> bytes = h2_.output();
    process_events();
    if (closed_ || bytes.empty()) break;
    if (writes == limits::kWritesPerTurnMax) {
      wait_writable();
      break;
    }
    const net::Transport::IoResult sent = transport_.send(bytes);
    if (sent.state == net::Transport::IoState::kWouldBlock) {
      wait_writable();
      break;
    }
    if (sent.state == net::Transport::IoState::kClosed) {
      lost(sent);
      break;
    }
    h2_.consume_output(sent.size);
  }
  in_turn_ = false;
  h2_.end_turn(spare_turn());
  account();
  close_if_idle();
}

void ClientConnection::account() {
  counters().set_windows(h2_.local_window(), h2_.peer_window());
  if (!counters().has_news()) return;
  const TimePoint now = net::Loop::coarse_now();
  counters().stamp(now);
  if (std::exchange(called_, false)) tally_->calls.last_started.set(now);
}

void ClientConnection::lost(const net::Transport::IoResult& result) {
  std::string text = !going_away_.empty() ? going_away_ : address_ + ": " + transport_.why_closed(result);
  if (!ready_) text += transport_.tls() ? " before it answered as an HTTP/2 server"
                                        : " before it answered as an HTTP/2 server: does it expect TLS?";
  close(Status(StatusCode::kUnavailable, std::move(text)));
}

void ClientConnection::wait_writable() {
  waiting_writable_ = true;
  transport_.wait_writable([self = shared_from_this()](const boost::system::error_code& error) {
    if (error || self->closed_) return;
    self->waiting_writable_ = false;
    self->flush();
  });
}

void ClientConnection::unusable(const Status& why) {
  if (Owner* owner = std::exchange(owner_, nullptr)) owner->on_unusable(*this, why);
}

void ClientConnection::drain() {
  draining_ = true;
  owner_ = nullptr;
  if (!closed_) touch();  // flush() closes it once it is idle
}

void ClientConnection::close_if_idle() {
  if (closed_) return;
  if (!h2_.alive() || (draining_ && h2_.stream_count() == 0 && !waiting_writable_))
    close(Status(StatusCode::kUnavailable, address_ + ": connection closed"));
}

void ClientConnection::close(const Status& why) {
  if (closed_) return;
  const auto keep = shared_from_this();
  closed_ = true;
  tally_->calls.ended.add(counters().streams_open());
  entity_.leave();
  transport_.close();
  loop_.disarm(*this);
  loop_.disarm(keepalive_timer_);
  loop_.cancel_flush(*this);
  // The owner first: a call that may be sent again must find another connection.
  unusable(why);
  h2_.for_each_stream([&why](h2::Stream& stream) {
    StreamUser* call = StreamUser::of(stream);
    stream.user = nullptr;
    call->on_connection_lost(why, stream.request_sent() ? Reach::kPerhapsSeen : Reach::kUnsent);
  });
}

}  // namespace minigrpc::rpc
