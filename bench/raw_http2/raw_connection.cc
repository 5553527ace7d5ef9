#include "raw_http2/raw_connection.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <utility>

namespace bench {

namespace {

// RFC 9113, section 6.
constexpr std::uint8_t kData = 0x0, kHeaders = 0x1, kReset = 0x3, kSettings = 0x4, kPing = 0x6, kGoaway = 0x7,
                       kWindowUpdate = 0x8;
constexpr std::uint8_t kEndStream = 0x1, kAck = 0x1, kEndHeaders = 0x4;
constexpr std::size_t kFrameHeaderSize = 9;
constexpr std::size_t kPrefixSize = 5;  // gRPC's compressed flag and length
constexpr std::size_t kReadSize = 64 << 10;

[[noreturn]] void die(const std::string& what) {
  std::fprintf(stderr, "raw_http2: %s\n", what.c_str());
  std::exit(1);
}

void append_uint32(std::string& bytes, std::uint32_t value) {
  for (int shift = 24; shift >= 0; shift -= 8) bytes.push_back(static_cast<char>(value >> shift));
}

std::uint32_t uint32_at(std::string_view bytes) {
  std::uint32_t value = 0;
  for (std::size_t i = 0; i < 4; ++i) value = value << 8 | static_cast<std::uint8_t>(bytes[i]);
  return value;
}

// A string of HPACK (RFC 7541, section 5.2), shorter than 127 bytes.
void append_string(std::string& block, std::string_view text) {
  block.push_back(static_cast<char>(text.size()));
  block.append(text);
}

// Fields of RFC 7541's static table by their index; each of the last four is added to the dynamic table.
std::string first_headers(std::string_view path) {
  std::string block("\x83\x86", 2);  // :method POST, :scheme http
  block.push_back(0x40 | 4);
  append_string(block, path);
  block.push_back(0x40 | 1);
  append_string(block, "localhost");
  block.push_back(0x40 | 31);
  append_string(block, "application/grpc");
  block.push_back(0x40);
  append_string(block, "te");
  append_string(block, "trailers");
  return block;
}
// What stands in the dynamic table then: te is 62, content-type 63, :authority 64, :path 65.
constexpr std::string_view kLaterHeaders("\x83\x86\xc1\xc0\xbf\xbe", 6);

int connect_to(std::uint16_t port) {
  const int descriptor = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (descriptor < 0) die(std::string("socket: ") + std::strerror(errno));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  if (::connect(descriptor, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    die(std::string("connect: ") + std::strerror(errno));
  const int on = 1;
  setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  // A server that does not answer is a failure, not a wait for ever.
  const timeval patience{.tv_sec = 30, .tv_usec = 0};
  setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  return descriptor;
}

}  // namespace

RawConnection::RawConnection(std::uint16_t port, std::string_view path)
    : socket_(connect_to(port)), first_headers_(first_headers(path)) {
  output_ = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
  add_frame(kSettings, 0, 0, {});
  // All that a connection may ever be given at once: answers of a few bytes do not use it up.
  std::string increment;
  append_uint32(increment, 0x7fffffff - 65535);
  add_frame(kWindowUpdate, 0, 0, increment);
}

RawConnection::RawConnection(RawConnection&& other) noexcept
    : socket_(std::exchange(other.socket_, -1)),
      first_headers_(std::move(other.first_headers_)),
      next_stream_(other.next_stream_),
      output_(std::move(other.output_)),
      input_(std::move(other.input_)),
      messages_(other.messages_),
      ends_(other.ends_) {}

RawConnection::~RawConnection() {
  if (socket_ >= 0) ::close(socket_);
}

void RawConnection::add_frame(std::uint8_t type, std::uint8_t flags, std::uint32_t stream,
                              std::string_view payload) {
  append_uint32(output_, static_cast<std::uint32_t>(payload.size() << 8 | type));
  output_.push_back(static_cast<char>(flags));
  append_uint32(output_, stream);
  output_.append(payload);
}

std::uint32_t RawConnection::begin_call() {
  const std::uint32_t stream = next_stream_;
  next_stream_ += 2;
  add_frame(kHeaders, kEndHeaders, stream, stream == 1 ? std::string_view(first_headers_) : kLaterHeaders);
  return stream;
}

void RawConnection::add_message(std::uint32_t stream, std::string_view message, Ends ends) {
  std::string data(1, '\0');
  append_uint32(data, static_cast<std::uint32_t>(message.size()));
  data.append(message);
  add_frame(kData, ends == Ends::kYes ? kEndStream : 0, stream, data);
}

void RawConnection::send() {
  std::string_view left = output_;
  while (!left.empty()) {
    const ssize_t size = ::send(socket_, left.data(), left.size(), MSG_NOSIGNAL);
    if (size < 0) die(std::string("send: ") + std::strerror(errno));
    left.remove_prefix(static_cast<std::size_t>(size));
  }
  output_.clear();
}

void RawConnection::receive(std::size_t messages, std::size_t ends, std::string_view expected) {
  messages_ = ends_ = 0;
  while (messages_ < messages || ends_ < ends) {
    const std::size_t filled = input_.size();
    input_.resize(filled + kReadSize);
    const ssize_t size = ::recv(socket_, input_.data() + filled, kReadSize, 0);
    if (size < 0) die(std::string("recv: ") + std::strerror(errno));
    if (size == 0) die("the server closed a connection");
    input_.resize(filled + static_cast<std::size_t>(size));
    read_frames(expected);
  }
  if (messages_ != messages || ends_ != ends) die("more answers than calls");
  if (!output_.empty()) send();
}

void RawConnection::read_frames(std::string_view expected) {
  std::string_view left = input_;
  while (left.size() >= kFrameHeaderSize) {
    const FrameHeader frame{.size = uint32_at(left) >> 8,
                            .type = static_cast<std::uint8_t>(left[3]),
                            .flags = static_cast<std::uint8_t>(left[4]),
                            .stream = uint32_at(left.substr(5)) & 0x7fffffff};
    if (left.size() < kFrameHeaderSize + frame.size) break;
    on_frame(frame, left.substr(kFrameHeaderSize, frame.size), expected);
    left.remove_prefix(kFrameHeaderSize + frame.size);
  }
  input_.erase(0, input_.size() - left.size());
}

// Headers are not decoded: a call that fails has no message, and that shows.
void RawConnection::on_frame(const FrameHeader& frame, std::string_view payload, std::string_view expected) {
  switch (frame.type) {
    case kData:
      // An empty one may end the stream.
      if (!payload.empty()) {
        if (payload.size() != kPrefixSize + expected.size() || payload.substr(kPrefixSize) != expected)
          die("a wrong answer");
        ++messages_;
      }
      [[fallthrough]];
    case kHeaders:
      if ((frame.flags & kEndStream) != 0) ++ends_;
      return;
    case kSettings:
      if ((frame.flags & kAck) == 0) add_frame(kSettings, kAck, 0, {});
      return;
    case kPing:
      if ((frame.flags & kAck) == 0) add_frame(kPing, kAck, 0, payload);
      return;
    case kReset:
      die("the server reset a stream, error " + std::to_string(uint32_at(payload)));
    case kGoaway:
      die("the server sent GOAWAY, error " + std::to_string(uint32_at(payload.substr(4))));
    default:
      return;  // WINDOW_UPDATE: little is sent
  }
}

}  // namespace bench
