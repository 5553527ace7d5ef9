// The floor of what a call can cost: GetProdStock over one epoll loop, nghttp2 and protobuf, and nothing else. No
// routing, no deadlines, no metadata, no limits: what a runtime adds is measured against this.
//
//   bare_nghttp2 [PORT]     serves 127.0.0.1:PORT (0, the default: any), says "listening PORT", runs until killed
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <nghttp2/nghttp2.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "Prod.pb.h"

namespace {

constexpr std::size_t kPrefixSize = 5;    // gRPC's compressed flag and length
constexpr std::size_t kMessageMax = 256;  // GetProdStock's messages are a few bytes
constexpr std::size_t kReadSize = 64 << 10;

[[noreturn]] void die(const char* what) {
  std::perror(what);
  std::exit(1);
}

struct Stream {
  std::array<std::uint8_t, kMessageMax> bytes;  // the request as it arrives, then the response
  std::uint32_t size = 0;
  std::uint32_t sent = 0;
};

struct Connection {
  int socket = -1;
  nghttp2_session* session = nullptr;
  std::vector<Stream*> streams;  // for use again
  std::vector<std::uint8_t> output;
  std::size_t output_sent = 0;
  bool waits_to_write = false;

  ~Connection() {
    nghttp2_session_del(session);
    for (Stream* stream : streams) delete stream;
    close(socket);
  }
};

template <std::size_t kName, std::size_t kValue>
constexpr nghttp2_nv header(const char (&name)[kName], const char (&value)[kValue]) {
  return {reinterpret_cast<std::uint8_t*>(const_cast<char*>(name)),
          reinterpret_cast<std::uint8_t*>(const_cast<char*>(value)), kName - 1, kValue - 1,
          NGHTTP2_NV_FLAG_NO_COPY_NAME | NGHTTP2_NV_FLAG_NO_COPY_VALUE};
}

ssize_t read_response(nghttp2_session* session, std::int32_t id, std::uint8_t* target, std::size_t room,
                      std::uint32_t* flags, nghttp2_data_source* source, void*) {
  auto* stream = static_cast<Stream*>(source->ptr);
  const std::size_t size = std::min<std::size_t>(room, stream->size - stream->sent);
  std::memcpy(target, stream->bytes.data() + stream->sent, size);
  stream->sent += static_cast<std::uint32_t>(size);
  if (stream->sent == stream->size) {
    *flags |= NGHTTP2_DATA_FLAG_EOF | NGHTTP2_DATA_FLAG_NO_END_STREAM;
    const nghttp2_nv trailers[] = {header("grpc-status", "0")};
    nghttp2_submit_trailer(session, id, trailers, 1);
  }
  return static_cast<ssize_t>(size);
}

void answer(nghttp2_session* session, std::int32_t id, Stream& stream) {
  ProdRequest request;
  if (stream.size < kPrefixSize ||
      !request.ParseFromArray(stream.bytes.data() + kPrefixSize, static_cast<int>(stream.size - kPrefixSize))) {
    nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, id, NGHTTP2_PROTOCOL_ERROR);
    return;
  }
  ProdResponse response;
  response.set_prod_stock(request.prod_id() * 20);
  const auto size = static_cast<std::uint32_t>(response.ByteSizeLong());
  const std::uint32_t size_big_endian = htonl(size);
  stream.bytes[0] = 0;
  std::memcpy(stream.bytes.data() + 1, &size_big_endian, sizeof(size_big_endian));
  response.SerializeWithCachedSizesToArray(stream.bytes.data() + kPrefixSize);
  stream.size = kPrefixSize + size;
  stream.sent = 0;
  const nghttp2_nv headers[] = {header(":status", "200"), header("content-type", "application/grpc")};
  nghttp2_data_provider provider{};
  provider.source.ptr = &stream;
  provider.read_callback = read_response;
  nghttp2_submit_response(session, id, headers, 2, &provider);
}

int on_begin_headers(nghttp2_session* session, const nghttp2_frame* frame, void* user) {
  auto& connection = *static_cast<Connection*>(user);
  Stream* stream;
  if (connection.streams.empty()) {
    stream = new Stream;
  } else {
    stream = connection.streams.back();
    connection.streams.pop_back();
  }
  stream->size = stream->sent = 0;
  nghttp2_session_set_stream_user_data(session, frame->hd.stream_id, stream);
  return 0;
}

int on_data(nghttp2_session* session, std::uint8_t, std::int32_t id, const std::uint8_t* data, std::size_t size,
            void*) {
  auto* stream = static_cast<Stream*>(nghttp2_session_get_stream_user_data(session, id));
  if (stream == nullptr || size > stream->bytes.size() - stream->size) return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
  std::memcpy(stream->bytes.data() + stream->size, data, size);
  stream->size += static_cast<std::uint32_t>(size);
  return 0;
}

int on_frame(nghttp2_session* session, const nghttp2_frame* frame, void*) {
  const bool ends = (frame->hd.type == NGHTTP2_DATA || frame->hd.type == NGHTTP2_HEADERS) &&
                    (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
  if (!ends) return 0;
  auto* stream = static_cast<Stream*>(nghttp2_session_get_stream_user_data(session, frame->hd.stream_id));
  if (stream != nullptr) answer(session, frame->hd.stream_id, *stream);
  return 0;
}

int on_close(nghttp2_session* session, std::int32_t id, std::uint32_t, void* user) {
  auto* stream = static_cast<Stream*>(nghttp2_session_get_stream_user_data(session, id));
  if (stream != nullptr) static_cast<Connection*>(user)->streams.push_back(stream);
  return 0;
}

void start(Connection& connection, const nghttp2_session_callbacks* callbacks, const nghttp2_option* options) {
  if (nghttp2_session_server_new2(&connection.session, callbacks, &connection, options) != 0) die("nghttp2");
  const nghttp2_settings_entry settings[] = {{NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, 1000}};
  nghttp2_submit_settings(connection.session, NGHTTP2_FLAG_NONE, settings, 1);
}

// Gathers what nghttp2 has to say into one write. False: the connection is gone.
bool flush(Connection& connection) {
  if (connection.output_sent == connection.output.size()) {
    connection.output.clear();
    connection.output_sent = 0;
  }
  const std::uint8_t* bytes = nullptr;
  for (;;) {
    const ssize_t size = nghttp2_session_mem_send(connection.session, &bytes);
    if (size < 0) return false;
    if (size == 0) break;
    connection.output.insert(connection.output.end(), bytes, bytes + size);
  }
  const std::size_t left = connection.output.size() - connection.output_sent;
  if (left == 0) return true;
  const ssize_t written = write(connection.socket, connection.output.data() + connection.output_sent, left);
  if (written < 0) return errno == EAGAIN;
  connection.output_sent += static_cast<std::size_t>(written);
  return true;
}

// One turn: one read, all of its answers, one write. False: the connection is gone.
bool turn(int poll, Connection& connection, std::uint32_t events, std::uint8_t* input) {
  if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0) {
    const ssize_t size = read(connection.socket, input, kReadSize);
    if (size == 0 || (size < 0 && errno != EAGAIN)) return false;
    if (size > 0 && nghttp2_session_mem_recv(connection.session, input, static_cast<std::size_t>(size)) < 0)
      return false;
  }
  if (!flush(connection)) return false;
  const bool blocked = connection.output_sent != connection.output.size();
  if (blocked != connection.waits_to_write) {
    connection.waits_to_write = blocked;
    epoll_event event{};
    event.events = blocked ? EPOLLIN | EPOLLOUT : EPOLLIN;
    event.data.ptr = &connection;
    epoll_ctl(poll, EPOLL_CTL_MOD, connection.socket, &event);
  }
  return true;
}

int listen_on(std::uint16_t port) {
  const int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (listener < 0) die("socket");
  const int on = 1;
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  socklen_t size = sizeof(address);
  if (bind(listener, reinterpret_cast<sockaddr*>(&address), size) != 0 || listen(listener, 128) != 0) die("bind");
  getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size);
  std::printf("listening %u\n", ntohs(address.sin_port));
  std::fflush(stdout);
  return listener;
}

}  // namespace

int main(int argc, char** argv) {
  const int listener = listen_on(static_cast<std::uint16_t>(argc > 1 ? std::atoi(argv[1]) : 0));
  nghttp2_session_callbacks* callbacks = nullptr;
  nghttp2_session_callbacks_new(&callbacks);
  nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, on_begin_headers);
  nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
  nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
  nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_close);
  nghttp2_option* options = nullptr;
  nghttp2_option_new(&options);
  nghttp2_option_set_no_closed_streams(options, 1);

  const int poll = epoll_create1(EPOLL_CLOEXEC);
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.ptr = nullptr;  // the listener
  epoll_ctl(poll, EPOLL_CTL_ADD, listener, &event);
  std::vector<std::uint8_t> input(kReadSize);
  std::array<epoll_event, 64> events;
  for (;;) {
    const int count = epoll_wait(poll, events.data(), static_cast<int>(events.size()), -1);
    for (int i = 0; i < count; ++i) {
      auto* connection = static_cast<Connection*>(events[static_cast<std::size_t>(i)].data.ptr);
      if (connection != nullptr) {
        const std::uint32_t what = events[static_cast<std::size_t>(i)].events;
        if (!turn(poll, *connection, what, input.data())) delete connection;
        continue;
      }
      const int accepted = accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
      if (accepted < 0) continue;
      const int on = 1;
      setsockopt(accepted, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
      connection = new Connection;
      connection->socket = accepted;
      start(*connection, callbacks, options);
      event.events = EPOLLIN;
      event.data.ptr = connection;
      epoll_ctl(poll, EPOLL_CTL_ADD, accepted, &event);
    }
  }
}
