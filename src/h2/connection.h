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
#include "h2/event.h"
#include "h2/field_memory.h"
#include "h2/frame_headers.h"
#include "h2/http_rules.h"
#include "h2/recent_frames.h"
#include "h2/reset_streams.h"
#include "h2/session_memory.h"
#include "h2/turn.h"

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

// How long the names and values of a header list are there.
enum class Lifetime : std::uint8_t {
  kBorrowed,  // until the call returns
  kStatic,    // as long as the program: they are not copied
};

// A header list to be sent later, in one allocation that is reused.
class StoredHeaders {
 public:
  void assign(std::span<const HeaderView> headers);
  void clear() { bytes_.clear(), lengths_.clear(); }
  bool empty() const { return lengths_.empty(); }
  std::size_t count() const { return lengths_.size(); }
  // Calls visit(header) for each, borrowed until the next assign().
  template <class Visit>
  void for_each(Visit visit) const;

 private:
  std::string bytes_;
  std::vector<std::pair<std::uint32_t, std::uint32_t>> lengths_;
};

// One stream, owned by its connection; gone when the events that carry its kClosed are replaced by the next
// ones.
class Stream {
 public:
  std::int32_t id() const { return id_; }
  // Bytes given to send() that have not gone into output() yet.
  std::size_t queued_size() const { return queued_size_; }
  // Whether the request's headers have gone out: a server may have seen it (client side).
  bool request_sent() const { return request_sent_; }
  // Whether the peer's END_STREAM has arrived.
  bool peer_ended() const { return peer_ended_; }
  // Whether a response was submitted (server side).
  bool answered() const { return answered_; }

  void* user = nullptr;  // the owner's; set it when the stream appears

  static void* operator new(std::size_t size) { return detail::allocate_block(size); }
  static void operator delete(void* stream, std::size_t size) noexcept {
    detail::deallocate_block(stream, size);
  }

 private:
  friend class Connection;
  friend struct Callbacks;
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
  bool peer_ended_ = false;    // END_STREAM has arrived
  bool closed_ = false;        // kClosed is on its way
  std::int64_t body_left_ = -1;  // of the content-length that was promised; -1: none was
  Stream* next_ = nullptr;       // in its connection's list
  Stream* previous_ = nullptr;
  std::size_t queued_size_ = 0;
  std::vector<Buffer, detail::BlockAllocator<Buffer>> queue_;  // from queue_begin_
  std::size_t queue_begin_ = 0;
  StoredHeaders trailers_;
  std::span<const HeaderView> static_trailers_;
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
  void submit_response(Stream& stream, std::span<const HeaderView> headers, bool end_stream,
                       Lifetime lifetime = Lifetime::kBorrowed);
  // Queues body bytes, as DATA frames as flow control allows.
  void send(Stream& stream, Buffer bytes);
  // Ends the body: END_STREAM on the last DATA frame, or trailers.
  void end(Stream& stream);
  void end_with_trailers(Stream& stream, std::span<const HeaderView> trailers,
                         Lifetime lifetime = Lifetime::kBorrowed);
  // Nothing where both directions are over.
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
  // Optional, around receive() and what follows until consume_output(): takes the spare Turn, and gives one
  // back where nothing is left in it. Ends what take_events() and output() lent.
  void begin_turn(SpareTurn& spare);
  void end_turn(SpareTurn& spare);

  // False once the connection has nothing more to do: close it.
  bool alive() const;
  // Whether the peer takes new streams from us.
  bool accepts_requests() const;
  std::size_t stream_count() const { return stream_count_; }
  // Bytes that this side may send now, and that it lets the peer send, over all streams (RFC 9113, 5.2).
  std::int32_t local_window() const;
  std::int32_t peer_window() const;
  // Every stream that has an owner: for the end of the connection.
  template <class F>
  void for_each_stream(F visit) {
    for (Stream* stream = streams_; stream != nullptr; stream = stream->next_)
      if (stream->user != nullptr) visit(*stream);
  }

 private:
  friend struct Callbacks;
  Stream* new_stream();
  void delete_stream(Stream* stream);
  void begin_block();
  ReceivedField look_at(nghttp2_rcbuf* name, nghttp2_rcbuf* value);
  void refuse(Stream& stream, ErrorCode code);
  bool accept_block(Stream& stream, bool end_stream);
  void check_frame(const FrameHeaders::Header& frame);
  Stream* stream_of(std::int32_t id);
  bool accept_data(Stream& stream, std::size_t size, bool end_stream);
  void add_event(Event event) { turn().events.push_back(event); }
  Turn& turn() {
    if (!turn_) turn_ = std::make_unique<Turn>();
    return *turn_;
  }
  void release_taken();
  void resume(Stream& stream);

  SessionMemory memory_;
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
  RecentFrames recent_frames_;
  FrameHeaders frame_headers_{24};  // behind the client's preface (RFC 9113, 3.4)

  std::unique_ptr<Turn> turn_;  // null: nothing is in it
  // From where the block being received is in the turn's fields, and in what they hold.
  std::size_t block_begin_ = 0;
  std::size_t block_held_begin_ = 0;
  Stream* block_stream_ = nullptr;  // whose block is being received
  std::uint32_t block_size_ = 0;
  FieldMemory* block_memory_ = nullptr;
  BlockRules block_rules_;    // server
  FieldMemory first_fields_;  // of requests or responses
  FieldMemory trailer_fields_;
  Stream* recent_ = nullptr;  // the one that was asked for last

  std::size_t output_begin_ = 0;
  bool output_full_ = false;  // and so nghttp2 was stopped in the middle
  Stream* streams_ = nullptr;  // a list, each owned
};

}  // namespace minigrpc::h2
