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

using NameValues = std::vector<nghttp2_nv>;
const NameValues& name_values(std::span<const HeaderView> headers) {
  static thread_local NameValues converted;
  converted.clear();
  for (const HeaderView& header : headers)
    converted.push_back({bytes_of(header.name), bytes_of(header.value), header.name.size(), header.value.size(),
                         NGHTTP2_NV_FLAG_NONE});
  return converted;
}

// nghttp2 allocates several small objects for every stream. They come from the thread's blocks, each behind its size.
struct alignas(std::max_align_t) BlockHeader {
  std::size_t size;
};

void* allocate(std::size_t size, void*) {
  auto* header = static_cast<BlockHeader*>(detail::allocate_block(sizeof(BlockHeader) + size));
  header->size = size;
  return header + 1;
}
void deallocate(void* memory, void*) {
  if (memory == nullptr) return;
  BlockHeader* header = static_cast<BlockHeader*>(memory) - 1;
  detail::deallocate_block(header, sizeof(BlockHeader) + header->size);
}
void* allocate_zeroed(std::size_t count, std::size_t size, void*) {
  void* memory = allocate(count * size, nullptr);  // nghttp2 passes sizes of its own types: no overflow
  std::memset(memory, 0, count * size);
  return memory;
}
void* reallocate(void* memory, std::size_t size, void*) {
  void* larger = allocate(size, nullptr);
  if (memory != nullptr) std::memcpy(larger, memory, std::min(size, (static_cast<BlockHeader*>(memory) - 1)->size));
  deallocate(memory, nullptr);
  return larger;
}

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

void StoredHeaders::view(std::vector<HeaderView>& out) const {
  out.clear();
  std::string_view rest = bytes_;
  for (const auto& [name_size, value_size] : lengths_) {
    out.push_back({rest.substr(0, name_size), rest.substr(name_size, value_size)});
    rest.remove_prefix(name_size + value_size);
  }
}

// ---- Stream ----

void Stream::reset() {
  user = nullptr;
  id_ = 0;
  request_sent_ = answered_ = deferred_ = end_queued_ = body_open_ = refused_ = wants_writable_ = request_begun_ = false;
  body_left_ = -1;
  header_size_ = 0;
  queued_size_ = 0;
  queue_.clear();
  queue_begin_ = 0;
  trailers_.clear();
}

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
    }
    if (Stream* stream = stream_of(session, frame->hd.stream_id)) connection.begin_headers(*stream);
    return 0;
  }

  static int on_begin_frame(nghttp2_session*, const nghttp2_frame_hd* head, void* user) {
    const bool empty = head->type == NGHTTP2_DATA && head->length == 0 && (head->flags & NGHTTP2_FLAG_END_STREAM) == 0;
    const bool settings = head->type == NGHTTP2_SETTINGS && (head->flags & NGHTTP2_FLAG_ACK) == 0;
    if (empty || settings || head->type == NGHTTP2_PRIORITY) ++self(user).barren_frames_;
    return 0;
  }

  static Stream* stream_of(nghttp2_session* session, std::int32_t id) {
    return static_cast<Stream*>(nghttp2_session_get_stream_user_data(session, id));
  }

  static int on_header(nghttp2_session* session, const nghttp2_frame* frame, nghttp2_rcbuf* name,
                       nghttp2_rcbuf* value, std::uint8_t, void* user) {
    Connection& connection = self(user);
    Stream* stream = stream_of(session, frame->hd.stream_id);
    if (stream == nullptr || stream->refused_) return 0;
    const HeaderView header{view_of(name), view_of(value)};
    stream->header_size_ += static_cast<std::uint32_t>(header.name.size() + header.value.size() + 32);
    if (stream->header_size_ > connection.header_list_size_max_) {
      connection.refuse(*stream, ErrorCode::kEnhanceYourCalm);
      return 0;
    }
    nghttp2_rcbuf_incref(name);
    nghttp2_rcbuf_incref(value);
    connection.held_.push_back(name);
    connection.held_.push_back(value);
    connection.fields_.push_back(header);
    return 0;
  }

  static int on_frame(nghttp2_session* session, const nghttp2_frame* frame, void* user) {
    Connection& connection = self(user);
    const bool end_stream = (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
    switch (frame->hd.type) {
      case NGHTTP2_HEADERS: {
        Stream* stream = stream_of(session, frame->hd.stream_id);
        if (stream == nullptr || stream->refused_ || !connection.accept_block(*stream, end_stream)) break;
        connection.add_event(
            {.kind = EventKind::kHeaders,
             .end_stream = end_stream,
             .stream = stream,
             .headers_begin = static_cast<std::uint32_t>(connection.block_begin_),
             .headers_count = static_cast<std::uint32_t>(connection.fields_.size() - connection.block_begin_)});
        connection.block_begin_ = connection.fields_.size();
        connection.block_held_begin_ = connection.held_.size();
        break;
      }
      case NGHTTP2_DATA:
        if (end_stream) end_of_data(connection, stream_of(session, frame->hd.stream_id));
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
    if (stream == nullptr || stream->refused_ || !connection.accept_data(*stream, 0, true)) return;
    if (!connection.events_.empty()) {
      Event& last = connection.events_.back();
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
    Stream* stream = stream_of(session, stream_id);
    if (stream == nullptr || stream->refused_ || !connection.accept_data(*stream, size, false)) return 0;
    connection.add_event({.kind = EventKind::kData,
                          .stream = stream,
                          .data = {reinterpret_cast<const std::byte*>(data), size}});
    return 0;
  }

  static int on_stream_close(nghttp2_session* session, std::int32_t stream_id, std::uint32_t error_code, void* user) {
    Connection& connection = self(user);
    Stream* stream = stream_of(session, stream_id);
    if (stream == nullptr) return 0;
    connection.add_event({.kind = EventKind::kClosed, .stream = stream, .error_code = error_code});
    --connection.stream_count_;
    return 0;
  }

  static int on_frame_sent(nghttp2_session* session, const nghttp2_frame* frame, void* user) {
    const std::int32_t id = frame->hd.stream_id;
    const bool server = self(user).role_ == Role::kServer;
    if (server && frame->hd.type == NGHTTP2_RST_STREAM) self(user).reset_streams_.add(id);
    if (frame->hd.type != NGHTTP2_HEADERS && frame->hd.type != NGHTTP2_DATA) return 0;
    self(user).content_sent_ = true;
    if (!server) {
      if (frame->hd.type != NGHTTP2_HEADERS || frame->headers.cat != NGHTTP2_HCAT_REQUEST) return 0;
      if (Stream* stream = stream_of(session, id)) stream->request_sent_ = true;
      return 0;
    }
    // A complete response before the request's end asks the client to stop sending (RFC 9113, 8.1).
    const bool end_stream = (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
    if (end_stream && nghttp2_session_get_stream_remote_close(session, id) == 0)
      nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, id, NGHTTP2_NO_ERROR);
    return 0;
  }

  static ssize_t read_body(nghttp2_session* session, std::int32_t stream_id, std::uint8_t*, std::size_t length,
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
      if (!stream.trailers_.empty()) {
        *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
        static thread_local std::vector<HeaderView> trailers;
        stream.trailers_.view(trailers);
        const NameValues& converted = name_values(trailers);
        if (nghttp2_submit_trailer(session, stream_id, converted.data(), converted.size()) != 0)
          return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
      }
    }
    return static_cast<ssize_t>(size);
  }

  static int send_body(nghttp2_session*, nghttp2_frame*, const std::uint8_t* frame_header, std::size_t length,
                       nghttp2_data_source* source, void* user) {
    Connection& connection = self(user);
    auto& stream = *static_cast<Stream*>(source->ptr);
    // nghttp2 goes from one frame with a body to the next without coming back to output().
    if (connection.output_.size() - connection.output_begin_ >= limits::kOutputSizeMax) {
      connection.output_full_ = true;
      return NGHTTP2_ERR_WOULDBLOCK;
    }
    const auto* header = reinterpret_cast<const std::byte*>(frame_header);
    connection.output_.insert(connection.output_.end(), header, header + 9);
    stream.copy_out(length, connection.output_);
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
    nghttp2_session_callbacks_set_on_begin_frame_callback(callbacks, on_begin_frame);
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
  nghttp2_mem memory{nullptr, allocate, deallocate, allocate_zeroed, reallocate};
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
  release_taken();
  for (void* buffer : held_) nghttp2_rcbuf_decref(static_cast<nghttp2_rcbuf*>(buffer));
}

Stream* Connection::new_stream() {
  ++stream_count_;
  if (free_.empty()) {
    streams_.push_back(std::make_unique<Stream>());
    return streams_.back().get();
  }
  Stream* stream = free_.back();
  free_.pop_back();
  return stream;
}

// Fields of a block that was given up (its stream is over the limit) are dropped with the next block's begin.
void Connection::begin_headers(Stream& stream) {
  stream.header_size_ = 0;
  while (held_.size() > block_held_begin_) {
    nghttp2_rcbuf_decref(static_cast<nghttp2_rcbuf*>(held_.back()));
    held_.pop_back();
  }
  fields_.resize(block_begin_);
}

void Connection::refuse(Stream& stream, ErrorCode code) {
  stream.refused_ = true;
  reset(stream, code);
}

// A client's connection has nghttp2 check what servers send.
bool Connection::accept_block(Stream& stream, bool end_stream) {
  if (role_ == Role::kClient) return true;
  const auto block = std::span<const HeaderView>(fields_).subspan(block_begin_);
  if (std::exchange(stream.request_begun_, true)) {
    if (end_stream && is_legal_trailers(block) && accept_data(stream, 0, true)) return true;
  } else if (const auto promised = promised_length(block); promised && is_legal_request(block)) {
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

// A frame on a stream that is over, or that was passed over: nghttp2 says nothing of it, since it forgets such streams.
void Connection::check_frame(std::uint8_t type, std::int32_t id) {
  if (id == 0 || id > settled_id_ || nghttp2_session_find_stream(session_, id) != nullptr) return;
  if (type == NGHTTP2_RST_STREAM) reset_streams_.remove(id);
  const bool matters = type == NGHTTP2_DATA || type == NGHTTP2_HEADERS;
  if (matters && !reset_streams_.may_have(id)) nghttp2_session_terminate_session(session_, NGHTTP2_STREAM_CLOSED);
}

std::optional<Error> Connection::receive(std::span<const std::byte> bytes) {
  if (role_ == Role::kServer)
    frame_headers_.feed(bytes, [this](std::uint8_t type, std::int32_t id) { check_frame(type, id); });
  const ssize_t used =
      nghttp2_session_mem_recv(session_, reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
  if (used >= 0) return std::nullopt;
  const bool flooded = used == NGHTTP2_ERR_FLOODED || used == NGHTTP2_ERR_TOO_MANY_CONTINUATIONS;
  const ErrorCode code = flooded ? ErrorCode::kEnhanceYourCalm : ErrorCode::kProtocolError;
  must(nghttp2_session_terminate_session(session_, static_cast<std::uint32_t>(code)), "GOAWAY");
  return Error{code, nghttp2_strerror(static_cast<int>(used))};
}

void Connection::release_taken() {
  for (void* buffer : taken_held_) nghttp2_rcbuf_decref(static_cast<nghttp2_rcbuf*>(buffer));
  taken_held_.clear();
  taken_fields_.clear();
  for (const Event& event : taken_) {
    if (event.kind != EventKind::kClosed) continue;
    queued_size_ -= event.stream->queued_size_;
    event.stream->reset();
    free_.push_back(event.stream);
  }
  taken_.clear();
}

std::span<const Event> Connection::take_events() {
  release_taken();
  if (events_.empty()) return {};
  taken_.swap(events_);
  // The block under way, if any, moves to the front of the next lot.
  const auto begun = static_cast<std::ptrdiff_t>(block_begin_);
  const auto begun_held = static_cast<std::ptrdiff_t>(block_held_begin_);
  taken_fields_.swap(fields_);
  taken_held_.swap(held_);
  fields_.assign(taken_fields_.begin() + begun, taken_fields_.end());
  held_.assign(taken_held_.begin() + begun_held, taken_held_.end());
  taken_fields_.resize(block_begin_);
  taken_held_.resize(block_held_begin_);
  block_begin_ = block_held_begin_ = 0;
  return taken_;
}

std::span<const HeaderView> Connection::headers(const Event& event) const {
  return std::span(taken_fields_).subspan(event.headers_begin, event.headers_count);
}

Stream* Connection::submit_request(std::span<const HeaderView> headers, bool end_stream, void* user) {
  Stream* stream = new_stream();
  const NameValues& converted = name_values(headers);
  nghttp2_data_provider body{.source = {.ptr = stream}, .read_callback = Callbacks::read_body};
  const std::int32_t id = nghttp2_submit_request(session_, nullptr, converted.data(), converted.size(),
                                                 end_stream ? nullptr : &body, stream);
  if (id < 0) {
    --stream_count_;
    free_.push_back(stream);
    return nullptr;
  }
  stream->id_ = id;
  stream->user = user;
  stream->body_open_ = !end_stream;
  return stream;
}

void Connection::submit_response(Stream& stream, std::span<const HeaderView> headers, bool end_stream) {
  const NameValues& converted = name_values(headers);
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

void Connection::end_with_trailers(Stream& stream, std::span<const HeaderView> trailers) {
  stream.trailers_.assign(trailers);
  end(stream);
}

void Connection::reset(Stream& stream, ErrorCode code) {
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
  output_full_ = false;
  while (!output_full_ && output_.size() - output_begin_ < limits::kOutputSizeMax) {
    const std::uint8_t* bytes = nullptr;
    const ssize_t size = nghttp2_session_mem_send(session_, &bytes);
    if (size < 0) {
      // Only memory or a misuse of ours ends here.
      detail::contract_violation(nghttp2_strerror(static_cast<int>(size)));
    }
    if (size == 0) {
      if (!output_full_) settled_id_ = last_received_id_;
      break;
    }
    const auto* begin = reinterpret_cast<const std::byte*>(bytes);
    output_.insert(output_.end(), begin, begin + size);
  }
  return std::span(output_).subspan(output_begin_);
}

void Connection::consume_output(std::size_t size) {
  output_begin_ += size;
  if (output_begin_ < output_.size()) return;
  output_.clear();
  output_begin_ = 0;
  if (output_.capacity() > limits::kIdleOutputCapacityMax && stream_count_ == 0) output_.shrink_to_fit();
}

bool Connection::alive() const {
  return output_begin_ < output_.size() || nghttp2_session_want_read(session_) != 0 ||
         nghttp2_session_want_write(session_) != 0;
}

bool Connection::accepts_requests() const { return nghttp2_session_check_request_allowed(session_) != 0; }

}  // namespace minigrpc::h2
