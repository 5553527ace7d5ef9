#include "h2/connection.h"

#include <minigrpc/result.h>
#include <nghttp2/nghttp2.h>

#include <algorithm>
#include <cstring>

#include "base/limits.h"
#include "h2/http_rules.h"

namespace minigrpc::h2 {

namespace {

std::string_view view_of(nghttp2_rcbuf* buffer) {
  const nghttp2_vec bytes = nghttp2_rcbuf_get_buf(buffer);
  return {reinterpret_cast<const char*>(bytes.base), bytes.len};
}

// nghttp2 takes mutable pointers and does not write through them.
std::uint8_t* bytes_of(std::string_view text) {
  return reinterpret_cast<std::uint8_t*>(const_cast<char*>(text.data()));
}

// A header list as nghttp2 takes it.
class NameValues {
 public:
  NameValues(std::size_t count, Lifetime lifetime)
      : flags_(lifetime == Lifetime::kStatic ? NGHTTP2_NV_FLAG_NO_COPY_NAME | NGHTTP2_NV_FLAG_NO_COPY_VALUE
                                             : NGHTTP2_NV_FLAG_NONE) {
    if (count <= kInlineCount) return;
    more_.resize(count);
    data_ = more_.data();
  }
  NameValues(std::span<const HeaderView> headers, Lifetime lifetime) : NameValues(headers.size(), lifetime) {
    for (const HeaderView& header : headers) add(header);
  }
  NameValues(const NameValues&) = delete;
  NameValues& operator=(const NameValues&) = delete;
  // At most `count` times.
  void add(const HeaderView& header) {
    data_[size_++] = {bytes_of(header.name), bytes_of(header.value), header.name.size(), header.value.size(),
                      flags_};
  }
  const nghttp2_nv* data() const { return data_; }
  std::size_t size() const { return size_; }

 private:
  static constexpr std::size_t kInlineCount = 16;
  const std::uint8_t flags_;
  std::size_t size_ = 0;
  nghttp2_nv few_[kInlineCount];
  std::vector<nghttp2_nv> more_;
  nghttp2_nv* data_ = few_;
};

// A failure that only a lack of memory or a misuse of ours can cause.
void must(int result, const char* what) { detail::require(result >= 0 || nghttp2_is_fatal(result) == 0, what); }

}  // namespace

// ---- StoredHeaders ----

void StoredHeaders::assign(std::span<const HeaderView> headers) {
  clear();
  for (const HeaderView& header : headers) {
    bytes_.append(header.name).append(header.value);
    lengths_.emplace_back(static_cast<std::uint32_t>(header.name.size()),
                          static_cast<std::uint32_t>(header.value.size()));
  }
}

template <class Visit>
void StoredHeaders::for_each(Visit visit) const {
  std::string_view rest = bytes_;
  for (const auto& [name_size, value_size] : lengths_) {
    visit(HeaderView{rest.substr(0, name_size), rest.substr(name_size, value_size)});
    rest.remove_prefix(name_size + value_size);
  }
}

// ---- Stream ----

void Stream::copy_out(std::size_t size, std::vector<std::byte>& out) {
  queued_size_ -= size;
  while (size > 0) {
    Buffer& chunk = queue_[queue_begin_];
    const std::size_t part = std::min(size, chunk.size());
    out.insert(out.end(), chunk.data(), chunk.data() + part);
    chunk.remove_prefix(part);
    size -= part;
    if (!chunk.empty()) continue;
    chunk = Buffer();
    if (++queue_begin_ < queue_.size()) continue;
    queue_.clear();
    queue_begin_ = 0;
  }
}

// ---- the session's callbacks ----

struct Callbacks {
  static Connection& self(void* user) { return *static_cast<Connection*>(user); }

  static int on_begin_headers(nghttp2_session* session, const nghttp2_frame* frame, void* user) {
    Connection& connection = self(user);
    if (frame->headers.cat == NGHTTP2_HCAT_REQUEST && connection.role_ == Role::kServer) {
      Stream* stream = connection.new_stream();
      stream->id_ = frame->hd.stream_id;
      connection.last_received_id_ = stream->id_;
      nghttp2_session_set_stream_user_data(session, frame->hd.stream_id, stream);
      connection.recent_ = stream;
    }
    connection.block_memory_ =
        frame->headers.cat == NGHTTP2_HCAT_HEADERS ? &connection.trailer_fields_ : &connection.first_fields_;
    connection.block_stream_ = connection.stream_of(frame->hd.stream_id);
    if (connection.block_stream_ != nullptr) connection.begin_block();
    return 0;
  }

  static int on_header(nghttp2_session*, const nghttp2_frame*, nghttp2_rcbuf* name, nghttp2_rcbuf* value,
                       std::uint8_t, void* user) {
    Connection& connection = self(user);
    Stream* stream = connection.block_stream_;
    if (stream == nullptr || stream->refused_) return 0;
    std::vector<HeaderView>& fields = connection.turn().fields;
    const std::size_t position = fields.size() - connection.block_begin_;
    const ReceivedField* field = connection.block_memory_->find(position, name, value);
    ReceivedField other;
    if (field == nullptr) {
      other = connection.look_at(name, value);
      field = &other;
    }
    connection.block_size_ += static_cast<std::uint32_t>(field->size());
    if (connection.block_size_ > connection.header_list_size_max_) {
      connection.refuse(*stream, ErrorCode::kEnhanceYourCalm);
      return 0;
    }
    HeaderView& view = fields.emplace_back();
    view.name = {field->name_text, field->name_size};
    view.value = {field->value_text, field->value_size};
    view.known = field->known;
    if (connection.role_ == Role::kServer) connection.block_rules_.add(view, field->legal);
    return 0;
  }

  static int on_frame(nghttp2_session*, const nghttp2_frame* frame, void* user) {
    Connection& connection = self(user);
    const bool end_stream = (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
    switch (frame->hd.type) {
      case NGHTTP2_HEADERS: {
        Stream* stream = std::exchange(connection.block_stream_, nullptr);
        if (stream != nullptr && end_stream) stream->peer_ended_ = true;
        if (stream == nullptr || stream->refused_ || !connection.accept_block(*stream, end_stream)) break;
        connection.add_event({.kind = EventKind::kHeaders,
                              .end_stream = end_stream,
                              .stream = stream,
                              .headers_begin = static_cast<std::uint32_t>(connection.block_begin_),
                              .headers_count = static_cast<std::uint32_t>(connection.turn().fields.size() -
                                                                          connection.block_begin_)});
        connection.block_begin_ = connection.turn().fields.size();
        connection.block_held_begin_ = connection.turn().held.size();
        break;
      }
      case NGHTTP2_DATA:
        if (end_stream) end_of_data(connection, connection.stream_of(frame->hd.stream_id));
        break;
      case NGHTTP2_GOAWAY:
        connection.goaway_debug_data_.assign(
            reinterpret_cast<const char*>(frame->goaway.opaque_data),
            std::min(frame->goaway.opaque_data_len, limits::kGoawayDebugDataMax));
        connection.add_event({.kind = EventKind::kGoaway,
                              .error_code = frame->goaway.error_code,
                              .last_stream_id = frame->goaway.last_stream_id});
        break;
      case NGHTTP2_SETTINGS:
        if ((frame->hd.flags & NGHTTP2_FLAG_ACK) == 0) connection.add_event({.kind = EventKind::kSettings});
        break;
      case NGHTTP2_PING:
        if ((frame->hd.flags & NGHTTP2_FLAG_ACK) != 0) {
          Event event{.kind = EventKind::kPingAck};
          std::memcpy(&event.ping_data, frame->ping.opaque_data, sizeof event.ping_data);
          connection.add_event(event);
        } else {
          connection.add_event({.kind = EventKind::kPing});
        }
        break;
      default:  // PRIORITY, WINDOW_UPDATE, RST_STREAM (on_stream_close follows), unknown types
        break;
    }
    return 0;
  }

  static void end_of_data(Connection& connection, Stream* stream) {
    if (stream != nullptr) stream->peer_ended_ = true;
    if (stream == nullptr || stream->refused_ || !connection.accept_data(*stream, 0, true)) return;
    if (std::vector<Event>& events = connection.turn().events; !events.empty()) {
      Event& last = events.back();
      if (last.kind == EventKind::kData && last.stream == stream) {
        last.end_stream = true;
        return;
      }
    }
    connection.add_event({.kind = EventKind::kData, .end_stream = true, .stream = stream});
  }

  static int on_data(nghttp2_session* session, std::uint8_t, std::int32_t stream_id, const std::uint8_t* data,
                     std::size_t size, void* user) {
    Connection& connection = self(user);
    nghttp2_session_consume_connection(session, size);
    Stream* stream = connection.stream_of(stream_id);
    if (stream == nullptr || stream->refused_ || !connection.accept_data(*stream, size, false)) return 0;
    connection.add_event({.kind = EventKind::kData,
                          .stream = stream,
                          .data = {reinterpret_cast<const std::byte*>(data), size}});
    return 0;
  }

  static int on_stream_close(nghttp2_session*, std::int32_t stream_id, std::uint32_t error_code, void* user) {
    Connection& connection = self(user);
    Stream* stream = connection.stream_of(stream_id);
    if (stream == nullptr) return 0;
    connection.recent_ = nullptr;
    if (connection.block_stream_ == stream) connection.block_stream_ = nullptr;
    stream->closed_ = true;
    connection.add_event({.kind = EventKind::kClosed, .stream = stream, .error_code = error_code});
    --connection.stream_count_;
    return 0;
  }

  static int on_frame_sent(nghttp2_session* session, const nghttp2_frame* frame, void* user) {
    Connection& connection = self(user);
    const std::int32_t id = frame->hd.stream_id;
    const bool server = connection.role_ == Role::kServer;
    if (server && frame->hd.type == NGHTTP2_RST_STREAM) connection.reset_streams_.add(id);
    if (frame->hd.type != NGHTTP2_HEADERS && frame->hd.type != NGHTTP2_DATA) return 0;
    connection.content_sent_ = true;
    if (!server) {
      if (frame->hd.type != NGHTTP2_HEADERS || frame->headers.cat != NGHTTP2_HCAT_REQUEST) return 0;
      if (Stream* stream = connection.stream_of(id)) stream->request_sent_ = true;
      return 0;
    }
    if ((frame->hd.flags & NGHTTP2_FLAG_END_STREAM) == 0) return 0;
    // A complete response before the request's end asks the client to stop sending (RFC 9113, 8.1).
    const Stream* stream = connection.stream_of(id);
    if (stream != nullptr && !stream->peer_ended_)
      nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, id, NGHTTP2_NO_ERROR);
    return 0;
  }

  static ssize_t read_body(nghttp2_session* session, std::int32_t, std::uint8_t*, std::size_t length,
                           std::uint32_t* flags, nghttp2_data_source* source, void*) {
    auto& stream = *static_cast<Stream*>(source->ptr);
    if (stream.queued_size_ == 0 && !stream.end_queued_) {
      stream.deferred_ = true;
      return NGHTTP2_ERR_DEFERRED;
    }
    const std::size_t size = std::min(length, stream.queued_size_);
    *flags |= NGHTTP2_DATA_FLAG_NO_COPY;
    if (size == stream.queued_size_ && stream.end_queued_) {
      *flags |= NGHTTP2_DATA_FLAG_EOF;
      if (!submit_trailers(session, stream, flags)) return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    }
    return static_cast<ssize_t>(size);
  }

  static bool submit_trailers(nghttp2_session* session, const Stream& stream, std::uint32_t* flags) {
    const bool stored = !stream.trailers_.empty();
    if (!stored && stream.static_trailers_.empty()) return true;
    *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
    const auto submit = [&](const NameValues& trailers) {
      return nghttp2_submit_trailer(session, stream.id_, trailers.data(), trailers.size()) == 0;
    };
    if (!stored) return submit(NameValues(stream.static_trailers_, Lifetime::kStatic));
    NameValues trailers(stream.trailers_.count(), Lifetime::kBorrowed);
    stream.trailers_.for_each([&trailers](const HeaderView& header) { trailers.add(header); });
    return submit(trailers);
  }

  static int send_body(nghttp2_session*, nghttp2_frame*, const std::uint8_t* frame_header, std::size_t length,
                       nghttp2_data_source* source, void* user) {
    Connection& connection = self(user);
    auto& stream = *static_cast<Stream*>(source->ptr);
    // nghttp2 goes from one frame with a body to the next without coming back to output().
    std::vector<std::byte>& output = connection.turn().output;
    if (output.size() - connection.output_begin_ >= limits::kOutputSizeMax) {
      connection.output_full_ = true;
      return NGHTTP2_ERR_WOULDBLOCK;
    }
    const auto* header = reinterpret_cast<const std::byte*>(frame_header);
    output.insert(output.end(), header, header + 9);
    stream.copy_out(length, output);
    connection.queued_size_ -= length;
    if (stream.wants_writable_ && stream.queued_size_ <= limits::kStreamQueuedSizeMax) {
      stream.wants_writable_ = false;
      connection.add_event({.kind = EventKind::kWritable, .stream = &stream});
    }
    return 0;
  }

  static nghttp2_session_callbacks* make() {
    nghttp2_session_callbacks* callbacks = nullptr;
    must(nghttp2_session_callbacks_new(&callbacks), "out of memory");
    nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, on_begin_headers);
    nghttp2_session_callbacks_set_on_header_callback2(callbacks, on_header);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_stream_close);
    nghttp2_session_callbacks_set_on_frame_send_callback(callbacks, on_frame_sent);
    nghttp2_session_callbacks_set_send_data_callback(callbacks, send_body);
    return callbacks;
  }
};

// ---- Connection ----

Connection::Connection(Role role, const Settings& settings)
    : role_(role), header_list_size_max_(settings.header_list_size_max) {
  nghttp2_session_callbacks* callbacks = Callbacks::make();
  nghttp2_option* option = nullptr;
  must(nghttp2_option_new(&option), "out of memory");
  nghttp2_option_set_no_auto_window_update(option, 1);
  nghttp2_option_set_no_closed_streams(option, 1);
  nghttp2_option_set_max_continuations(option, limits::kContinuationsMax);
  nghttp2_option_set_max_outbound_ack(option, limits::kOutboundAcksMax);
  // Who owns the connection bounds resets, also those that are sent; nghttp2's own bound would count less and say less.
  nghttp2_option_set_stream_reset_rate_limit(option, 2 * limits::kStreamResetsBurst, 2 * limits::kStreamResetsPerSecond);
  if (role == Role::kServer) nghttp2_option_set_no_http_messaging(option, 1);  // http_rules.h says why
  // Other stacks send a grpc-message that begins or ends in a space as it is; nghttp2 would drop the whole field.
  nghttp2_option_set_no_rfc9113_leading_and_trailing_ws_validation(option, 1);
  nghttp2_mem memory{&memory_, SessionMemory::allocate, SessionMemory::deallocate,
                     SessionMemory::allocate_zeroed, SessionMemory::reallocate};
  const int made = role == Role::kServer ? nghttp2_session_server_new3(&session_, callbacks, this, option, &memory)
                                         : nghttp2_session_client_new3(&session_, callbacks, this, option, &memory);
  nghttp2_option_del(option);
  nghttp2_session_callbacks_del(callbacks);
  detail::require(made == 0, "out of memory");

  std::vector<nghttp2_settings_entry> entries = {
      {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, settings.stream_window_size},
      {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, settings.header_list_size_max},
  };
  if (role == Role::kServer)
    entries.push_back({NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, settings.concurrent_streams_max});
  else
    entries.push_back({NGHTTP2_SETTINGS_ENABLE_PUSH, 0});
  must(nghttp2_submit_settings(session_, NGHTTP2_FLAG_NONE, entries.data(), entries.size()), "SETTINGS");
  must(nghttp2_session_set_local_window_size(session_, NGHTTP2_FLAG_NONE, 0,
                                             static_cast<std::int32_t>(settings.connection_window_size)),
       "connection window");
}

Connection::~Connection() {
  nghttp2_session_del(session_);
  if (turn_) {
    for (nghttp2_rcbuf* buffer : turn_->taken_held) nghttp2_rcbuf_decref(buffer);
    for (nghttp2_rcbuf* buffer : turn_->held) nghttp2_rcbuf_decref(buffer);
  }
  while (streams_ != nullptr) delete_stream(streams_);
  for (const FieldMemory* memory : {&first_fields_, &trailer_fields_}) {
    for (const ReceivedField& field : memory->fields()) {
      if (field.name == nullptr) continue;
      nghttp2_rcbuf_decref(field.name);
      nghttp2_rcbuf_decref(field.value);
    }
  }
}

Stream* Connection::stream_of(std::int32_t id) {
  if (recent_ != nullptr && recent_->id_ == id) return recent_;
  auto* stream = static_cast<Stream*>(nghttp2_session_get_stream_user_data(session_, id));
  if (stream != nullptr) recent_ = stream;
  return stream;
}

Stream* Connection::new_stream() {
  ++stream_count_;
  auto* stream = new Stream;
  stream->next_ = streams_;
  if (streams_ != nullptr) streams_->previous_ = stream;
  streams_ = stream;
  return stream;
}

void Connection::delete_stream(Stream* stream) {
  (stream->previous_ != nullptr ? stream->previous_->next_ : streams_) = stream->next_;
  if (stream->next_ != nullptr) stream->next_->previous_ = stream->previous_;
  delete stream;
}

// Fields of a block that was given up (its stream is over the limit) are dropped with the next block's begin.
void Connection::begin_block() {
  block_size_ = 0;
  block_rules_.begin();
  turn().fields.resize(block_begin_);
  block_held_begin_ = turn().held.size();
}

// A field that is not the one remembered at its position. Its bytes stay until what was received with it is
// released.
ReceivedField Connection::look_at(nghttp2_rcbuf* name, nghttp2_rcbuf* value) {
  HeaderView view{view_of(name), view_of(value)};
  ReceivedField field{.name = name,
                      .value = value,
                      .name_text = view.name.data(),
                      .value_text = view.value.data(),
                      .name_size = static_cast<std::uint32_t>(view.name.size()),
                      .value_size = static_cast<std::uint32_t>(view.value.size())};
  if (role_ == Role::kServer) {
    view.known = field.known = header_name(view.name);
    field.legal = is_legal_field(view);
  }
  nghttp2_rcbuf_incref(name);
  nghttp2_rcbuf_incref(value);
  const std::size_t position = turn().fields.size() - block_begin_;
  const ReceivedField released =
      FieldMemory::takes(position, field) ? block_memory_->remember(position, field) : field;
  if (released.name == nullptr) return field;
  turn().held.push_back(released.name);
  turn().held.push_back(released.value);
  return field;
}

void Connection::refuse(Stream& stream, ErrorCode code) {
  stream.refused_ = true;
  reset(stream, code);
}

// A client's connection has nghttp2 check what servers send.
bool Connection::accept_block(Stream& stream, bool end_stream) {
  if (role_ == Role::kClient) return true;
  if (std::exchange(stream.request_begun_, true)) {
    if (end_stream && block_rules_.is_legal_trailers() && accept_data(stream, 0, true)) return true;
  } else if (const auto promised = block_rules_.promised_length();
             promised && block_rules_.is_legal_request()) {
    stream.body_left_ = *promised;
    if (!end_stream || *promised <= 0) return true;
  }
  if (!stream.refused_) refuse(stream, ErrorCode::kProtocolError);
  return false;
}

bool Connection::accept_data(Stream& stream, std::size_t size, bool end_stream) {
  if (stream.body_left_ < 0) return true;
  const bool fits = size <= static_cast<std::uint64_t>(stream.body_left_);
  if (fits) stream.body_left_ -= static_cast<std::int64_t>(size);
  if (fits && (!end_stream || stream.body_left_ == 0)) return true;
  refuse(stream, ErrorCode::kProtocolError);
  return false;
}

// nghttp2 says nothing of a frame on a stream that is over, or that was passed over, since it forgets such
// streams.
void Connection::check_frame(const FrameHeaders::Header& frame) {
  const bool empty =
      frame.type == NGHTTP2_DATA && frame.length == 0 && (frame.flags & NGHTTP2_FLAG_END_STREAM) == 0;
  const bool settings = frame.type == NGHTTP2_SETTINGS && (frame.flags & NGHTTP2_FLAG_ACK) == 0;
  if (empty || settings || frame.type == NGHTTP2_PRIORITY) ++barren_frames_;
  const std::int32_t id = frame.stream_id;
  if (frame.type == NGHTTP2_RST_STREAM) {
    recent_frames_.reset(id);
    reset_streams_.remove(id);
  }
  if (frame.type != NGHTTP2_DATA && frame.type != NGHTTP2_HEADERS) return;
  if (frame.type == NGHTTP2_HEADERS && recent_frames_.open(id)) return;
  const bool unknown = id != 0 && id <= settled_id_ && nghttp2_session_find_stream(session_, id) == nullptr;
  if (recent_frames_.was_reset(id) || (unknown && !reset_streams_.may_have(id)))
    nghttp2_session_terminate_session(session_, NGHTTP2_STREAM_CLOSED);
  else if (recent_frames_.was_passed_over(id))
    nghttp2_session_terminate_session(session_, NGHTTP2_PROTOCOL_ERROR);
}

std::optional<Error> Connection::receive(std::span<const std::byte> bytes) {
  if (role_ == Role::kServer)
    frame_headers_.feed(bytes, [this](const FrameHeaders::Header& frame) { check_frame(frame); });
  const ssize_t used =
      nghttp2_session_mem_recv(session_, reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
  if (used >= 0) return std::nullopt;
  const bool flooded = used == NGHTTP2_ERR_FLOODED || used == NGHTTP2_ERR_TOO_MANY_CONTINUATIONS;
  const ErrorCode code = flooded ? ErrorCode::kEnhanceYourCalm : ErrorCode::kProtocolError;
  must(nghttp2_session_terminate_session(session_, static_cast<std::uint32_t>(code)), "GOAWAY");
  return Error{code, nghttp2_strerror(static_cast<int>(used))};
}

void Connection::release_taken() {
  if (!turn_) return;
  for (nghttp2_rcbuf* buffer : turn_->taken_held) nghttp2_rcbuf_decref(buffer);
  turn_->taken_held.clear();
  turn_->taken_fields.clear();
  for (const Event& event : turn_->taken) {
    if (event.kind != EventKind::kClosed) continue;
    queued_size_ -= event.stream->queued_size_;
    delete_stream(event.stream);
  }
  turn_->taken.clear();
}

std::span<const Event> Connection::take_events() {
  release_taken();
  if (!turn_ || turn_->events.empty()) return {};
  Turn& turn = *turn_;
  turn.taken.swap(turn.events);
  // The block under way, if any, moves to the front of the next lot.
  const auto begun = static_cast<std::ptrdiff_t>(block_begin_);
  const auto begun_held = static_cast<std::ptrdiff_t>(block_held_begin_);
  turn.taken_fields.swap(turn.fields);
  turn.taken_held.swap(turn.held);
  turn.fields.assign(turn.taken_fields.begin() + begun, turn.taken_fields.end());
  turn.held.assign(turn.taken_held.begin() + begun_held, turn.taken_held.end());
  turn.taken_fields.resize(block_begin_);
  turn.taken_held.resize(block_held_begin_);
  block_begin_ = block_held_begin_ = 0;
  return turn.taken;
}

std::span<const HeaderView> Connection::headers(const Event& event) const {
  return std::span(turn_->taken_fields).subspan(event.headers_begin, event.headers_count);
}

void Connection::begin_turn(SpareTurn& spare) {
  if (!turn_) turn_ = std::move(spare.turn);
}

void Connection::end_turn(SpareTurn& spare) {
  release_taken();
  if (turn_ && turn_->is_empty()) spare.turn = std::move(turn_);
}

Stream* Connection::submit_request(std::span<const HeaderView> headers, bool end_stream, void* user) {
  Stream* stream = new_stream();
  const NameValues converted(headers, Lifetime::kBorrowed);
  nghttp2_data_provider body{.source = {.ptr = stream}, .read_callback = Callbacks::read_body};
  const std::int32_t id = nghttp2_submit_request(session_, nullptr, converted.data(), converted.size(),
                                                 end_stream ? nullptr : &body, stream);
  if (id < 0) {
    --stream_count_;
    delete_stream(stream);
    return nullptr;
  }
  stream->id_ = id;
  stream->user = user;
  stream->body_open_ = !end_stream;
  return stream;
}

void Connection::submit_response(Stream& stream, std::span<const HeaderView> headers, bool end_stream,
                                 Lifetime lifetime) {
  const NameValues converted(headers, lifetime);
  nghttp2_data_provider body{.source = {.ptr = &stream}, .read_callback = Callbacks::read_body};
  stream.body_open_ = !end_stream;
  stream.answered_ = true;
  must(nghttp2_submit_response(session_, stream.id_, converted.data(), converted.size(), end_stream ? nullptr : &body),
       "submit_response");
}

void Connection::resume(Stream& stream) {
  if (!stream.deferred_) return;
  stream.deferred_ = false;
  nghttp2_session_resume_data(session_, stream.id_);  // a stream that is closing meanwhile is no error
}

void Connection::send(Stream& stream, Buffer bytes) {
  if (bytes.empty()) return;
  stream.queued_size_ += bytes.size();
  queued_size_ += bytes.size();
  stream.queue_.push_back(std::move(bytes));
  resume(stream);
}

void Connection::end(Stream& stream) {
  stream.end_queued_ = true;
  resume(stream);
}

void Connection::end_with_trailers(Stream& stream, std::span<const HeaderView> trailers, Lifetime lifetime) {
  if (lifetime == Lifetime::kStatic)
    stream.static_trailers_ = trailers;
  else
    stream.trailers_.assign(trailers);
  end(stream);
}

void Connection::reset(Stream& stream, ErrorCode code) {
  if (stream.closed_) return;
  nghttp2_submit_rst_stream(session_, NGHTTP2_FLAG_NONE, stream.id_, static_cast<std::uint32_t>(code));
}

void Connection::consume(Stream& stream, std::size_t size) {
  if (size > 0) nghttp2_session_consume_stream(session_, stream.id_, size);  // no error where it has closed
}

void Connection::submit_ping(std::uint64_t data) {
  std::uint8_t opaque[8];
  std::memcpy(opaque, &data, sizeof opaque);
  must(nghttp2_submit_ping(session_, NGHTTP2_FLAG_NONE, opaque), "PING");
}

void Connection::submit_shutdown_notice() { must(nghttp2_submit_shutdown_notice(session_), "GOAWAY"); }

void Connection::submit_goaway(ErrorCode code, std::string_view debug_data) {
  must(nghttp2_submit_goaway(session_, NGHTTP2_FLAG_NONE, nghttp2_session_get_last_proc_stream_id(session_),
                             static_cast<std::uint32_t>(code), bytes_of(debug_data), debug_data.size()),
       "GOAWAY");
}

void Connection::grow_windows(std::uint32_t stream_window_size, std::uint32_t connection_window_size) {
  const nghttp2_settings_entry entry{NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, stream_window_size};
  must(nghttp2_submit_settings(session_, NGHTTP2_FLAG_NONE, &entry, 1), "SETTINGS");
  must(nghttp2_session_set_local_window_size(session_, NGHTTP2_FLAG_NONE, 0,
                                             static_cast<std::int32_t>(connection_window_size)),
       "connection window");
}

std::span<const std::byte> Connection::output() {
  std::vector<std::byte>& output = turn().output;
  // What a slow peer leaves behind must not make it grow for ever.
  if (output_begin_ >= limits::kOutputSizeMax) {
    output.erase(output.begin(), output.begin() + static_cast<std::ptrdiff_t>(output_begin_));
    output_begin_ = 0;
  }
  output_full_ = false;
  while (!output_full_ && output.size() - output_begin_ < limits::kOutputSizeMax) {
    const std::uint8_t* bytes = nullptr;
    const ssize_t size = nghttp2_session_mem_send(session_, &bytes);
    if (size < 0) {
      // Only memory or a misuse of ours ends here.
      detail::contract_violation(nghttp2_strerror(static_cast<int>(size)));
    }
    if (size == 0) {
      if (!output_full_) {
        settled_id_ = last_received_id_;
        recent_frames_.clear();
      }
      break;
    }
    const auto* begin = reinterpret_cast<const std::byte*>(bytes);
    output.insert(output.end(), begin, begin + size);
  }
  return std::span(output).subspan(output_begin_);
}

void Connection::consume_output(std::size_t size) {
  output_begin_ += size;
  if (!turn_ || output_begin_ < turn_->output.size()) return;
  turn_->output.clear();
  output_begin_ = 0;
}

bool Connection::alive() const {
  return (turn_ && output_begin_ < turn_->output.size()) || nghttp2_session_want_read(session_) != 0 ||
         nghttp2_session_want_write(session_) != 0;
}

std::int32_t Connection::local_window() const { return nghttp2_session_get_remote_window_size(session_); }
std::int32_t Connection::peer_window() const { return nghttp2_session_get_local_window_size(session_); }

bool Connection::accepts_requests() const { return nghttp2_session_check_request_allowed(session_) != 0; }

}  // namespace minigrpc::h2
