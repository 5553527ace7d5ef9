// Two connections that talk to each other in memory, whole and byte by byte.
#include "h2/connection.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "base/limits.h"

namespace minigrpc::h2 {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsSupersetOf;
using testing::Not;

constexpr Settings kSettings{.concurrent_streams_max = 100,
                             .stream_window_size = limits::kStreamWindowSize,
                             .connection_window_size = limits::kConnectionWindowSize,
                             .header_list_size_max = 1024};

// What happened, in words: "headers 1 :path=/x", "data 1 abc", "end 1", "closed 1 0".
class Peer {
 public:
  explicit Peer(Role role) : connection(role, kSettings) {}

  void collect() {
    for (const Event& event : connection.take_events()) {
      const std::string id = event.stream != nullptr ? " " + std::to_string(event.stream->id()) : "";
      switch (event.kind) {
        case EventKind::kHeaders: {
          std::string text = "headers" + id;
          for (const HeaderView& field : connection.headers(event))
            text += " " + std::string(field.name) + "=" + std::string(field.value);
          log.push_back(text);
          stream = event.stream;
          break;
        }
        case EventKind::kData:
          if (!event.data.empty()) body.append(reinterpret_cast<const char*>(event.data.data()), event.data.size());
          received += event.data.size();
          if (consumes) connection.consume(*event.stream, event.data.size());
          break;
        case EventKind::kWritable: log.push_back("writable" + id); break;
        case EventKind::kClosed: log.push_back("closed" + id + " " + std::to_string(event.error_code)); break;
        case EventKind::kGoaway: log.push_back("goaway " + std::to_string(event.last_stream_id)); break;
        case EventKind::kSettings: break;
        case EventKind::kPing: break;
        case EventKind::kPingAck: log.push_back("pong " + std::to_string(event.ping_data)); break;
      }
      if (event.end_stream) log.push_back("end" + id);
    }
  }

  Connection connection;
  Stream* stream = nullptr;
  std::vector<std::string> log;
  std::string body;
  std::size_t received = 0;
  bool consumes = true;
};

class ConnectionTest : public testing::TestWithParam<std::size_t> {
 protected:
  // Carries everything across, in pieces of the parameter's size, until neither has more to say.
  void exchange() {
    while (carry(client, server) + carry(server, client) > 0) {
    }
  }
  std::size_t carry(Peer& from, Peer& to) {
    const std::span<const std::byte> output = from.connection.output();
    const std::vector<std::byte> bytes(output.begin(), output.end());
    from.connection.consume_output(bytes.size());
    from.collect();
    for (std::size_t at = 0; at < bytes.size(); at += GetParam()) {
      const auto piece = std::span(bytes).subspan(at, std::min(GetParam(), bytes.size() - at));
      EXPECT_FALSE(to.connection.receive(piece).has_value());
      to.collect();
    }
    return bytes.size();
  }
  Stream& request(bool end_stream) {
    const HeaderView fields[] = {{":method", "POST"}, {":scheme", "http"}, {":path", "/x"}, {":authority", "a"}};
    Stream* stream = client.connection.submit_request(fields, end_stream, this);
    EXPECT_NE(stream, nullptr);
    return *stream;
  }
  void respond(bool end_stream) {
    const HeaderView fields[] = {{":status", "200"}};
    server.connection.submit_response(*server.stream, fields, end_stream);
  }

  Peer client{Role::kClient};
  Peer server{Role::kServer};
};

TEST_P(ConnectionTest, ARequestAndItsAnswerWithTrailers) {
  Stream& stream = request(false);
  client.connection.send(stream, Buffer::copy_of("ping"));
  client.connection.end(stream);
  exchange();
  EXPECT_THAT(server.log, ElementsAre("headers 1 :method=POST :scheme=http :path=/x :authority=a", "end 1"));
  EXPECT_EQ(server.body, "ping");
  EXPECT_TRUE(stream.request_sent());

  respond(false);
  server.connection.send(*server.stream, Buffer::copy_of("po"));
  server.connection.send(*server.stream, Buffer::copy_of("ng"));
  const HeaderView trailers[] = {{"grpc-status", "0"}, {"x", ""}};
  server.connection.end_with_trailers(*server.stream, trailers);
  exchange();
  EXPECT_THAT(client.log, ElementsAre("headers 1 :status=200", "headers 1 grpc-status=0 x=", "end 1", "closed 1 0"));
  EXPECT_EQ(client.body, "pong");
  EXPECT_EQ(server.log.back(), "closed 1 0");
  EXPECT_EQ(server.connection.stream_count(), 0u);
}

TEST_P(ConnectionTest, AResetOfAStreamThatIsOverIsNotSent) {
  Stream& stream = request(true);
  exchange();
  respond(true);
  const std::span<const std::byte> answer = server.connection.output();
  EXPECT_FALSE(client.connection.receive(answer).has_value());
  client.connection.reset(stream, ErrorCode::kCancel);
  EXPECT_TRUE(client.connection.output().empty());
}

// What HPACK repeats is known again; what it does not is looked at anew.
TEST_P(ConnectionTest, FieldsThatComeAgain) {
  std::vector<std::string> expected;
  const std::string large(300, 'l');  // too large to be remembered
  for (const char* text : {"1", "1", "2", "1", "1"}) {
    for (const std::string& last : {std::string("z"), large}) {
      const HeaderView fields[] = {{":method", "POST"}, {":scheme", "http"}, {":path", "/x"},
                                   {":authority", "a"}, {"x", text},         {"y", last},
                                   {"z", "3"}};
      ASSERT_NE(client.connection.submit_request(fields, true, this), nullptr);
      const std::string id = std::to_string(expected.size() + 1);
      expected.push_back("headers " + id + " :method=POST :scheme=http :path=/x :authority=a x=" + text +
                         " y=" + last + " z=3");
      expected.push_back("end " + id);
    }
  }
  exchange();
  EXPECT_EQ(server.log, expected);
}

// A block that is refused must not be taken for one that was accepted.
TEST_P(ConnectionTest, AnIllegalFieldThatComesAgain) {
  for (int i = 0; i < 3; ++i) {
    const HeaderView illegal[] = {{":method", "POST"}, {":scheme", "http"}, {":path", "/x"}, {"te", "gzip"}};
    ASSERT_NE(client.connection.submit_request(illegal, true, this), nullptr);
    request(true);
  }
  exchange();
  EXPECT_THAT(client.log, IsSupersetOf({"closed 1 1", "closed 5 1", "closed 9 1"}));
  const std::string legal = " :method=POST :scheme=http :path=/x :authority=a";
  EXPECT_THAT(server.log, IsSupersetOf({"headers 3" + legal, "headers 7" + legal, "headers 11" + legal}));
  EXPECT_THAT(server.log, Not(Contains(HasSubstr("te=gzip"))));
}

TEST_P(ConnectionTest, StaticHeadersAndTrailers) {
  static constexpr HeaderView kHeaders[] = {{":status", "200"}, {"content-type", "application/grpc"}};
  static constexpr HeaderView kTrailers[] = {{"grpc-status", "0"}};
  request(true);
  exchange();
  server.connection.submit_response(*server.stream, kHeaders, false, Lifetime::kStatic);
  server.connection.end_with_trailers(*server.stream, kTrailers, Lifetime::kStatic);
  exchange();
  EXPECT_THAT(client.log, ElementsAre("headers 1 :status=200 content-type=application/grpc",
                                      "headers 1 grpc-status=0", "end 1", "closed 1 0"));
}

TEST_P(ConnectionTest, AnEmptyBodyEndsWithTheHeaders) {
  request(true);
  exchange();
  respond(true);
  exchange();
  EXPECT_THAT(client.log, ElementsAre("headers 1 :status=200", "end 1", "closed 1 0"));
}

TEST_P(ConnectionTest, AResetCarriesItsCode) {
  Stream& stream = request(false);
  exchange();
  client.connection.reset(stream, ErrorCode::kCancel);
  exchange();
  EXPECT_EQ(server.log.back(), "closed 1 8");
  EXPECT_EQ(client.log.back(), "closed 1 8");
}

TEST_P(ConnectionTest, AnEarlyAnswerStopsTheRequest) {
  Stream& stream = request(false);
  client.connection.send(stream, Buffer::copy_of("part"));
  exchange();
  respond(true);
  exchange();
  EXPECT_THAT(client.log, ElementsAre("headers 1 :status=200", "end 1", "closed 1 0"));
  EXPECT_EQ(server.log.back(), "closed 1 0");
}

TEST_P(ConnectionTest, AWindowThatIsNotGivenBackStopsTheSender) {
  server.consumes = false;
  Stream& stream = request(false);
  exchange();  // the server's SETTINGS count from here
  const std::size_t size = 2 * limits::kStreamWindowSize;
  client.connection.send(stream, Buffer::copy_of(std::string(size, 'x')));
  client.connection.end(stream);
  client.connection.notify_writable(stream);
  exchange();
  EXPECT_EQ(server.received, limits::kStreamWindowSize);
  EXPECT_EQ(stream.queued_size(), limits::kStreamWindowSize);
  EXPECT_TRUE(client.log.empty());

  server.consumes = true;
  server.connection.consume(*server.stream, server.received);
  exchange();
  EXPECT_EQ(server.received, size);
  EXPECT_THAT(client.log, ElementsAre("writable 1"));
}

TEST_P(ConnectionTest, OutputIsBoundedAndAPingOvertakesBodies) {
  constexpr int kStreams = 4;
  std::vector<Stream*> streams;
  for (int i = 0; i < kStreams; ++i) streams.push_back(&request(false));
  exchange();
  for (Stream* stream : streams)
    client.connection.send(*stream, Buffer::copy_of(std::string(limits::kStreamWindowSize, 'x')));
  constexpr std::size_t kFrameMax = 9 + 16384;
  EXPECT_LE(client.connection.output().size(), limits::kOutputSizeMax + kFrameMax);
  client.connection.submit_ping(7);
  carry(client, server);
  EXPECT_LE(client.connection.output().size(), limits::kOutputSizeMax + kFrameMax);
  carry(client, server);
  carry(server, client);
  EXPECT_LT(server.received, kStreams * limits::kStreamWindowSize);
  EXPECT_THAT(client.log, ElementsAre("pong 7"));
  exchange();
  EXPECT_EQ(server.received, kStreams * limits::kStreamWindowSize);
}

TEST_P(ConnectionTest, TooLargeAHeaderListEndsItsStreamOnly) {
  const std::string large(2000, 'x');
  const HeaderView fields[] = {{":method", "POST"}, {":scheme", "http"}, {":path", "/x"}, {":authority", "a"}, {"l", large}};
  ASSERT_NE(client.connection.submit_request(fields, true, this), nullptr);
  exchange();
  EXPECT_EQ(client.log.back(), "closed 1 " + std::to_string(static_cast<int>(ErrorCode::kEnhanceYourCalm)));
  EXPECT_THAT(server.log, ElementsAre("closed 1 11"));
  request(true);
  exchange();
  respond(true);
  exchange();
  EXPECT_EQ(client.log.back(), "closed 3 0");
}

TEST_P(ConnectionTest, AnIllegalRequestEndsItsStreamOnly) {
  const HeaderView fields[] = {{":method", "POST"}, {":scheme", "http"}, {":path", "/x"}, {"connection", "close"}};
  ASSERT_NE(client.connection.submit_request(fields, true, this), nullptr);
  exchange();
  EXPECT_EQ(client.log.back(), "closed 1 1");
  EXPECT_THAT(server.log, ElementsAre("closed 1 1"));
}

TEST_P(ConnectionTest, ABodyMustBeAsLongAsPromised) {
  for (const std::string body : {"12", "1234"}) {
    const HeaderView fields[] = {
        {":method", "POST"}, {":scheme", "http"}, {":path", "/x"}, {"content-length", "3"}};
    Stream* stream = client.connection.submit_request(fields, false, this);
    ASSERT_NE(stream, nullptr);
    client.connection.send(*stream, Buffer::copy_of(body));
    client.connection.end(*stream);
    exchange();
    EXPECT_THAT(client.log.back(), testing::EndsWith(" 1")) << body;
    EXPECT_THAT(server.log.back(), testing::EndsWith(" 1")) << body;
  }
}

TEST_P(ConnectionTest, AGracefulShutdownLetsCallsFinish) {
  request(true);
  exchange();
  server.connection.submit_shutdown_notice();
  server.connection.submit_ping(7);
  exchange();
  EXPECT_THAT(client.log, ElementsAre("goaway 2147483647"));
  EXPECT_FALSE(client.connection.accepts_requests());
  EXPECT_EQ(server.log.back(), "pong 7");
  server.connection.submit_goaway(ErrorCode::kNoError);
  exchange();
  EXPECT_TRUE(server.connection.alive());
  respond(true);
  exchange();
  EXPECT_EQ(client.log.back(), "closed 1 0");
  EXPECT_FALSE(server.connection.alive());
}

TEST_P(ConnectionTest, GarbageIsAnError) {
  const std::string garbage = "GET / HTTP/1.1\r\nhost: x\r\n\r\n";
  const std::optional<Error> error = server.connection.receive(std::as_bytes(std::span(garbage)));
  ASSERT_TRUE(error.has_value());
  EXPECT_EQ(error->code, ErrorCode::kProtocolError);
}

TEST_P(ConnectionTest, StreamsAreReused) {
  for (int i = 0; i < 100; ++i) {
    request(true);
    exchange();
    respond(true);
    exchange();
  }
  EXPECT_EQ(client.log.back(), "closed 199 0");
  EXPECT_EQ(server.connection.stream_count(), 0u);
}

// Frames that no connection of ours would send.
std::string data_frame(char stream_id) { return std::string("\0\0\1\0\0\0\0\0", 8) + stream_id + "x"; }
std::string reset_frame(char stream_id) {
  return std::string("\0\0\4\3\0\0\0\0", 8) + stream_id + std::string("\0\0\0\x8", 4);
}

TEST_P(ConnectionTest, AFrameOnAStreamThatIsOverEndsTheConnection) {
  request(true);
  exchange();
  respond(true);
  exchange();
  EXPECT_TRUE(server.connection.alive());
  const std::string late = data_frame(1);
  server.connection.receive(std::as_bytes(std::span(late)));
  exchange();
  EXPECT_EQ(client.log.back(), "goaway 1");
  EXPECT_FALSE(server.connection.alive());
}

TEST_P(ConnectionTest, WhatWasUnderWayToAStreamThatWeResetIsIgnored) {
  request(false);
  exchange();
  respond(true);
  exchange();
  const std::string under_way = data_frame(1);
  server.connection.receive(std::as_bytes(std::span(under_way)));
  exchange();
  EXPECT_TRUE(server.connection.alive());
  // Once the client has reset it as well it knows.
  const std::string reset = reset_frame(1);
  server.connection.receive(std::as_bytes(std::span(reset)));
  server.connection.receive(std::as_bytes(std::span(under_way)));
  exchange();
  EXPECT_FALSE(server.connection.alive());
}

TEST(ResetStreamsTest, ForgetsInFavourOfThePeer) {
  ResetStreams streams;
  const auto count = static_cast<std::int32_t>(limits::kResetStreamsMax);
  for (std::int32_t i = 0; i < count; ++i) streams.add(2 * i + 101);
  EXPECT_TRUE(streams.may_have(101));
  EXPECT_FALSE(streams.may_have(99));
  EXPECT_FALSE(streams.may_have(102));
  streams.add(1001);
  EXPECT_TRUE(streams.may_have(1001));
  EXPECT_TRUE(streams.may_have(101));
  EXPECT_TRUE(streams.may_have(99));  // nobody knows any more
  streams.remove(103);
  EXPECT_FALSE(streams.may_have(103));
}

INSTANTIATE_TEST_SUITE_P(Pieces, ConnectionTest, testing::Values(1u, 7u, 1u << 20),
                         [](const auto& piece) { return "Of" + std::to_string(piece.param); });

}  // namespace
}  // namespace minigrpc::h2
