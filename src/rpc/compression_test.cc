// Compression between a client and a server over real sockets, with a peer that sends what a good one would
// not.
#include "wire/compression.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <minigrpc/generic.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <deque>
#include <string>

#include "h2/connection.h"
#include "wire/message.h"

namespace minigrpc {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

constexpr MethodDescriptor kUnary{"/test.Mirror/Unary", MethodKind::kUnary};
constexpr MethodDescriptor kChat{"/test.Mirror/Chat", MethodKind::kBidirectional};

const std::string kLong(50'000, 'a');

// Answers each message with itself; metadata says how to compress that.
class Mirror final : public Service {
 public:
  std::string_view service_name() const override { return "test.Mirror"; }
  std::span<const Method> service_methods() const override;

  Task<Result<RawMessage>> Unary(ServerContext& context, RawMessage request) {
    note(context);
    if (request.bytes.starts_with("inflate")) request.bytes.assign(8 << 20, 'b');
    co_return request;
  }
  Task<Status> Chat(ServerContext& context, ServerStream<RawMessage, RawMessage>& stream) {
    while (std::optional<RawMessage> message = co_await stream.read()) {
      note(context);
      const WriteOptions options{.compress = !message->bytes.starts_with("plain")};
      const bool written = co_await stream.write(*message, options);
      if (!written) break;
    }
    co_return Status();
  }

  std::string requests;  // a letter each: c for compressed, p for plain

 private:
  void note(ServerContext& context) {
    requests += context.request_compressed() ? 'c' : 'p';
    if (const auto answer = context.metadata().get("answer-with"))
      context.set_compression(*wire::compression_from_name(*answer));
  }
};

std::span<const Service::Method> Mirror::service_methods() const {
  static constexpr Method kMethods[] = {
      {kUnary, &detail::serve_unary<Mirror, RawMessage, RawMessage, &Mirror::Unary>},
      {kChat, &detail::serve_bidirectional<Mirror, RawMessage, RawMessage, &Mirror::Chat>},
  };
  return kMethods;
}

class CompressedCallTest : public testing::Test {
 protected:
  void serve(ServerOptions options = {}) {
    server_.emplace(runtime_, options);
    server_->add(mirror_);
    port_ = server_->listen("127.0.0.1:0").value();
  }
  Channel channel(ChannelOptions options = {}) {
    return Channel(runtime_, "127.0.0.1:" + std::to_string(port_), std::move(options));
  }
  static Result<RawMessage> unary(const Channel& channel, const std::string& text, CallOptions options = {}) {
    options.timeout = 20s;
    return sync_wait(GenericClient(channel).unary(kUnary, RawMessage(text), std::move(options)));
  }

  Runtime runtime_{{.loops = 1}};
  Mirror mirror_;
  std::optional<Server> server_;
  std::uint16_t port_ = 0;
};

TEST_F(CompressedCallTest, EachSideDecidesForItself) {
  serve();
  const Channel plain = channel();
  for (const Compression compression : {Compression::kDeflate, Compression::kGzip, Compression::kZstd}) {
    mirror_.requests.clear();
    CallDetails details;
    const Result<RawMessage> up = unary(plain, kLong, {.compression = compression, .details = &details});
    ASSERT_TRUE(up) << up.status().to_string();
    EXPECT_EQ(up->bytes, kLong);
    EXPECT_FALSE(details.message_compressed);
    const Metadata ask{{"answer-with", std::string(wire::compression_name(compression))}};
    const Result<RawMessage> down = unary(plain, kLong, {.metadata = ask, .details = &details});
    ASSERT_TRUE(down) << down.status().to_string();
    EXPECT_EQ(down->bytes, kLong);
    EXPECT_TRUE(details.message_compressed);
    EXPECT_EQ(mirror_.requests, "cp");
  }
}

TEST_F(CompressedCallTest, ChannelsAndServersHaveADefault) {
  serve({.compression = Compression::kZstd});
  const Channel compressing = channel({.compression = Compression::kGzip});
  CallDetails details;
  EXPECT_EQ(unary(compressing, kLong, {.details = &details})->bytes, kLong);
  EXPECT_TRUE(details.message_compressed);
  const Metadata ask{{"answer-with", "identity"}};
  EXPECT_TRUE(unary(compressing, kLong,
                    {.metadata = ask, .compression = Compression::kIdentity, .details = &details}));
  EXPECT_FALSE(details.message_compressed);
  EXPECT_TRUE(unary(compressing, "short"));
  EXPECT_EQ(mirror_.requests, "cpp");
}

Task<std::string> chat(const Channel& channel, std::vector<std::string> texts) {
  CallDetails details;
  std::string answers;
  CallOptions options{.timeout = 20s, .compression = Compression::kGzip, .details = &details};
  options.metadata.add("answer-with", "gzip");
  auto stream = GenericClient(channel).bidirectional(kChat, std::move(options));
  for (const std::string& text : texts) {
    const WriteOptions write_options{.compress = !text.starts_with("plain")};
    const RawMessage message(text);
    co_await stream.write(message, write_options);
    std::optional<RawMessage> answer = co_await stream.read();
    if (!answer || answer->bytes != text) break;
    answers += details.message_compressed ? 'c' : 'p';
  }
  co_await stream.writes_done();
  const Status status = co_await stream.finish();
  answers += status.to_string();
  co_return answers;
}

TEST_F(CompressedCallTest, EachMessageOfAStreamMayDiffer) {
  serve();
  const Channel to = channel();
  EXPECT_EQ(sync_wait(chat(to, {kLong, "plain" + kLong, kLong, "tiny"})), "cpcpOK");
  EXPECT_EQ(mirror_.requests, "cpcp");
}

TEST_F(CompressedCallTest, ABombIsRefusedByEitherSide) {
  serve({.received_message_size_max = 1 << 20});
  const Channel to = channel();
  const Status up = unary(to, std::string(3 << 20, 'a'), {.compression = Compression::kGzip}).status();
  EXPECT_EQ(up.code(), StatusCode::kResourceExhausted);
  EXPECT_EQ(up.origin(), StatusOrigin::kPeer);
  const Metadata ask{{"answer-with", "zstd"}};
  const Status down = unary(to, "inflate", {.metadata = ask}).status();
  EXPECT_EQ(down.code(), StatusCode::kResourceExhausted);
  EXPECT_EQ(down.origin(), StatusOrigin::kLocal);
  EXPECT_EQ(sync_wait(chat(to, {kLong, std::string(3 << 20, 'a')})).substr(0, 20), "cRESOURCE_EXHAUSTED:");
  EXPECT_TRUE(unary(to, "still alive"));
}

// ---- a client that we write by hand ----

// Sends one request and returns all header fields of the answer, "name: value" a line.
std::string answer_to(std::uint16_t port, std::vector<HeaderView> extra, const Buffer& framed_message) {
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  EXPECT_EQ(connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);

  h2::Connection connection(h2::Role::kClient, {.concurrent_streams_max = 0,
                                                .stream_window_size = 1 << 20,
                                                .connection_window_size = 1 << 20,
                                                .header_list_size_max = 1 << 16});
  std::vector<HeaderView> headers = {{":method", "POST"},    {":scheme", "http"},
                                     {":path", kUnary.path}, {":authority", "test"},
                                     {"te", "trailers"},     {"content-type", "application/grpc"}};
  headers.insert(headers.end(), extra.begin(), extra.end());
  int owner = 0;
  h2::Stream* stream = connection.submit_request(headers, false, &owner);
  connection.send(*stream, Buffer::copy_of(framed_message.bytes()));
  connection.end(*stream);
  std::string answer;
  for (bool closed = false; !closed;) {
    for (auto out = connection.output(); !out.empty(); out = connection.output()) {
      const ssize_t sent = write(fd, out.data(), out.size());
      if (sent <= 0) break;
      connection.consume_output(static_cast<std::size_t>(sent));
    }
    std::byte input[4096];
    const ssize_t received = read(fd, input, sizeof input);
    if (received <= 0) break;
    connection.receive({input, static_cast<std::size_t>(received)});
    for (const h2::Event& event : connection.take_events()) {
      closed |= event.kind == h2::EventKind::kClosed;
      if (event.kind != h2::EventKind::kHeaders) continue;
      for (const HeaderView& field : connection.headers(event))
        answer.append(field.name).append(": ").append(field.value).append("\n");
    }
  }
  close(fd);
  return answer;
}

Buffer framed(std::string_view text, Compression compression) {
  Buffer message = Buffer::copy_of(text);
  wire::encode_message(message, compression);
  return message;
}

TEST_F(CompressedCallTest, AnUnknownEncodingIsUnimplementedAndTheKnownOnesAreNamed) {
  serve();
  const std::string answer =
      answer_to(port_, {{"grpc-encoding", "snappy"}}, framed("x", Compression::kIdentity));
  EXPECT_THAT(answer, HasSubstr("grpc-status: 12\n"));
  EXPECT_THAT(answer, HasSubstr("grpc-accept-encoding: identity,deflate,gzip,zstd\n"));
}

TEST_F(CompressedCallTest, ACompressedMessageWithoutEncodingIsInternal) {
  serve();
  const Buffer message = framed(kLong, Compression::kGzip);
  EXPECT_THAT(answer_to(port_, {}, message), HasSubstr("grpc-status: 13\n"));
  EXPECT_THAT(answer_to(port_, {{"grpc-encoding", "identity"}}, message), HasSubstr("grpc-status: 13\n"));
  // In another format than was said.
  EXPECT_THAT(answer_to(port_, {{"grpc-encoding", "deflate"}}, message), HasSubstr("grpc-status: 13\n"));
  EXPECT_THAT(answer_to(port_, {{"grpc-encoding", "gzip"}}, message), HasSubstr("grpc-status: 0\n"));
}

TEST_F(CompressedCallTest, AnAnswerIsCompressedOnlyForWhoAcceptsIt) {
  serve({.compression = Compression::kGzip});
  const Buffer message = framed(kLong, Compression::kIdentity);
  const auto encoding = HasSubstr("grpc-encoding: gzip\n");
  EXPECT_THAT(answer_to(port_, {}, message), testing::Not(encoding));
  EXPECT_THAT(answer_to(port_, {{"grpc-accept-encoding", "identity,deflate"}}, message),
              testing::Not(encoding));
  EXPECT_THAT(answer_to(port_, {{"grpc-accept-encoding", "deflate, gzip"}}, message), encoding);
}

}  // namespace
}  // namespace minigrpc
