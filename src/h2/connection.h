// One HTTP/2 connection without I/O, over nghttp2: bytes in, events out; submissions in, bytes out (RFC 9113).
//
//   receive(bytes) ─▶ take_events() ─▶ submit_…() / send() / consume() ─▶ output() ─▶ write ─▶ consume_output(n)
//
// Thread rule: none of its own; one thread at a time. Pure: it never reads a clock or a socket.
#pragma once

#include <minigrpc/buffer.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/header_view.h"
#include "h2/frame_headers.h"
#include "h2/reset_streams.h"

struct nghttp2_session;

namespace minigrpc::h2 {

enum class Role : std::uint8_t { kClient, kServer };

// RFC 9113, section 7.
enum class ErrorCode : std::uint32_t {
  kNoError = 0x0,
  kProtocolError = 0x1,
  kInternalError = 0x2,
  kFlowControlError = 0x3,
  kSettingsTimeout = 0x4,
  kStreamClosed = 0x5,
  kFrameSizeError = 0x6,
  kRefusedStream = 0x7,
  kCancel = 0x8,
  kCompressionError = 0x9,
  kConnectError = 0xa,
  kEnhanceYourCalm = 0xb,
  kInadequateSecurity = 0xc,
  kHttp11Required = 0xd,
};

// The peer broke the protocol so that the connection cannot go on.
struct Error {
  ErrorCode code;
  std::string reason;  // for logs, never for the peer
};

struct Settings {
  std::uint32_t concurrent_streams_max;
  std::uint32_t stream_window_size;
  std::uint32_t connection_window_size;
  std::uint32_t header_list_size_max;
};

// A header list to be sent later, in one allocation that is reused.
class StoredHeaders {
 public:
  void assign(std::span<const HeaderView> headers);
  void clear() { bytes_.clear(), lengths_.clear(); }
  bool empty() const { return lengths_.empty(); }
  // Borrowed until the next assign().
  void view(std::vector<HeaderView>& out) const;

 private:
  std::string bytes_;
  std::vector<std::pair<std::uint32_t, std::uint32_t>> lengths_;
};

// One stream, owned by its connection; valid until the events that carry its kClosed were replaced by the next ones.
class Stream {
 public:
  std::int32_t id() const { return id_; }
  // Bytes given to send() that have not gone into output() yet.
  std::size_t queued_size() const { return queued_size_; }
  // Whether the request's headers have gone out: a server may have seen it (client side).
  bool request_sent() const { return request_sent_; }
  // Whether a response was submitted (server side).
  bool answered() const { return answered_; }

  void* user = nullptr;  // the owner's; set it when the stream appears

 private:
  friend class Connection;
  friend struct Callbacks;
  void reset();
  void copy_out(std::size_t size, std::vector<std::byte>& out);

  std::int32_t id_ = 0;
  bool request_sent_ = false;
  bool answered_ = false;
  bool deferred_ = false;      // nghttp2 waits for resume_data
  bool end_queued_ = false;    // END_STREAM or trailers follow the queued bytes
  bool body_open_ = false;     // a data provider is installed
  bool refused_ = false;       // its header fields were too large or illegal; the rest of it is dropped
  bool wants_writable_ = false;
  bool request_begun_ = false; // its first header block is complete (server side)
  std::uint32_t header_size_ = 0;
  std::int64_t body_left_ = -1;  // of the content-length that was promised; -1: none was
  std::size_t queued_size_ = 0;
  std::vector<Buffer> queue_;  // from queue_begin_; keeps its capacity from stream to stream
  std::size_t queue_begin_ = 0;
  StoredHeaders trailers_;
};

enum class EventKind : std::uint8_t {
  kHeaders,   // stream, headers(event), end_stream: a request, a response, or trailers
  kData,      // stream, data, end_stream
  kWritable,  // stream: its queue has shrunk below the size asked for
  kClosed,    // stream, error_code: both directions are over; nothing follows
  kGoaway,    // last_stream_id, error_code
  kSettings,  // the peer's SETTINGS have arrived
  kPing,      // the peer's; it has been answered
  kPingAck,   // ping_data
};

struct Event {
  EventKind kind;
  bool end_stream = false;
  Stream* stream = nullptr;
  std::uint32_t error_code = 0;
  std::int32_t last_stream_id = 0;
  std::uint32_t headers_begin = 0;
  std::uint32_t headers_count = 0;
  std::uint64_t ping_data = 0;
  std::span<const std::byte> data{};  // borrowed from the bytes given to receive()
};

class Connection {
 public:
  // Queues the preface and SETTINGS.
  Connection(Role role, const Settings& settings);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // Takes all of `bytes`. On an error the connection is over: write what output() still has, then close.
  std::optional<Error> receive(std::span<const std::byte> bytes);
  // What has happened since the last call, in order. Borrowed until the next take_events(); headers and data also only
  // until the next receive().
  std::span<const Event> take_events();
  std::span<const HeaderView> headers(const Event& event) const;

  // Client: opens a stream; beyond the peer's SETTINGS_MAX_CONCURRENT_STREAMS it waits its turn. Null where the
  // connection takes no further stream (GOAWAY, or ids used up). With `end_stream` no body follows.
  Stream* submit_request(std::span<const HeaderView> headers, bool end_stream, void* user);
  // Server: the response headers; with `end_stream` they are all there is (Trailers-Only).
  void submit_response(Stream& stream, std::span<const HeaderView> headers, bool end_stream);
  // Queues body bytes, as DATA frames as flow control allows.
  void send(Stream& stream, Buffer bytes);
  // Ends the body: END_STREAM on the last DATA frame, or trailers.
  void end(Stream& stream);
  void end_with_trailers(Stream& stream, std::span<const HeaderView> trailers);
  void reset(Stream& stream, ErrorCode code);
  // Asks for one kWritable as soon as at most `limits::kStreamQueuedSizeMax` bytes are queued.
  void notify_writable(Stream& stream) { stream.wants_writable_ = true; }
  // Gives `size` received bytes of that stream's window back: its reader took them.
  void consume(Stream& stream, std::size_t size);

  void submit_ping(std::uint64_t data);
  // The first of the two GOAWAYs of a graceful shutdown (RFC 9113, 6.8).
  void submit_shutdown_notice();
  // The final GOAWAY, with the last stream that was taken. `debug_data` is for the peer's logs.
  void submit_goaway(ErrorCode code, std::string_view debug_data = {});
  // What the peer's last GOAWAY gave as its reason.
  const std::string& goaway_debug_data() const { return goaway_debug_data_; }
  // Lets the peer have more bytes under way, on each stream and on the connection. Windows never shrink.
  void grow_windows(std::uint32_t stream_window_size, std::uint32_t connection_window_size);
  // Frames received since the last call that bring nothing: SETTINGS, PRIORITY, DATA without a byte or an end.
  std::uint32_t take_barren_frames() { return std::exchange(barren_frames_, 0); }
  // Bytes given to send() for all streams that have not gone into output() yet.
  std::size_t queued_size() const { return queued_size_; }
  // Whether HEADERS or DATA have gone into output() since the last call.
  bool take_content_sent() { return std::exchange(content_sent_, false); }

  // The bytes to be written, at most a frame more than limits::kOutputSizeMax; empty: there are none. Borrowed until
  // consume_output(). May add events.
  std::span<const std::byte> output();
  void consume_output(std::size_t size);

  // False once the connection has nothing more to do: close it.
  bool alive() const;
  // Whether the peer takes new streams from us.
  bool accepts_requests() const;
  std::size_t stream_count() const { return stream_count_; }
  // Every stream that has an owner: for the end of the connection.
  template <class F>
  void for_each_stream(F visit) {
    for (const auto& stream : streams_)
      if (stream->user != nullptr) visit(*stream);
  }

 private:
  friend struct Callbacks;
  Stream* new_stream();
  void begin_headers(Stream& stream);
  void refuse(Stream& stream, ErrorCode code);
  bool accept_block(Stream& stream, bool end_stream);
  void check_frame(std::uint8_t type, std::int32_t id);
  bool accept_data(Stream& stream, std::size_t size, bool end_stream);
  void add_event(Event event) { events_.push_back(event); }
  void release_taken();
  void resume(Stream& stream);

  nghttp2_session* session_ = nullptr;
  Role role_;
  std::uint32_t header_list_size_max_;
  std::size_t stream_count_ = 0;
  std::size_t queued_size_ = 0;
  std::uint32_t barren_frames_ = 0;
  bool content_sent_ = false;
  std::string goaway_debug_data_;

  // Server: what is over for both sides. nghttp2 could remember closed streams instead, at half a KiB each.
  std::int32_t last_received_id_ = 0;
  std::int32_t settled_id_ = 0;  // the last one received before the latest output: by now its reset has gone out
  ResetStreams reset_streams_;
  FrameHeaders frame_headers_{24};  // behind the client's preface (RFC 9113, 3.4)

  std::vector<Event> events_;
  std::vector<Event> taken_;
  // Header fields of the events not yet taken, then (from block_begin_) of the block being received. Their bytes are
  // nghttp2's, held by reference counts in `held_`.
  std::vector<HeaderView> fields_;
  std::vector<HeaderView> taken_fields_;
  std::vector<void*> held_;
  std::vector<void*> taken_held_;
  std::size_t block_begin_ = 0;
  std::size_t block_held_begin_ = 0;

  std::vector<std::byte> output_;
  std::size_t output_begin_ = 0;
  bool output_full_ = false;  // and so nghttp2 was stopped in the middle
  std::vector<std::unique_ptr<Stream>> streams_;  // all ever made; reused through free_
  std::vector<Stream*> free_;
};

}  // namespace minigrpc::h2
