// What breaks HTTP/2's rules, and the error that RFC 9113 has for it: a connection without a socket is fed each case.
#include <gtest/gtest.h>

#include "base/limits.h"
#include "h2/connection.h"
#include "support/frames.h"

namespace minigrpc::h2 {
namespace {

using testing::field;
using testing::Frame;
using testing::frame;
using testing::FrameType;
using testing::kAck;
using testing::kEndHeaders;
using testing::kEndStream;
using testing::number;

enum class Scope { kConnection, kStream };

struct Case {
  const char* section;
  const char* what;
  Scope scope;
  ErrorCode code;
  std::string bytes;
  ErrorCode or_code = ErrorCode::kNoError;  // where the RFC leaves the choice
  std::string earlier{};                    // received, and answered, before
};

std::string headers(std::uint32_t stream, std::uint8_t flags = kEndHeaders) {
  return frame(FrameType::kHeaders, flags, stream, testing::request_fields("/a/b"));
}

std::string padded(std::uint32_t stream, FrameType type, std::size_t padding) {
  return frame(type, 0x8 | kEndHeaders, stream, std::string(1, static_cast<char>(padding)) + "x");
}

const std::vector<Case>& cases() {
  using enum ErrorCode;
  constexpr Scope connection = Scope::kConnection;
  constexpr Scope stream = Scope::kStream;
  static const std::vector<Case> all = {
      {"4.2", "a frame over SETTINGS_MAX_FRAME_SIZE", connection, kFrameSizeError,
       headers(1) + frame(FrameType::kData, 0, 1, std::string(16'385, 'x'))},
      {"4.3", "a header block that HPACK does not know", connection, kCompressionError,
       frame(FrameType::kHeaders, kEndHeaders, 1, "\xff\xff\xff\xff\xff\xff")},
      {"5.1", "DATA on an idle stream", connection, kProtocolError, frame(FrameType::kData, 0, 1, "x")},
      {"5.1", "RST_STREAM on an idle stream", connection, kProtocolError,
       frame(FrameType::kRstStream, 0, 1, number(8))},
      {"5.1", "WINDOW_UPDATE on an idle stream", connection, kProtocolError,
       frame(FrameType::kWindowUpdate, 0, 1, number(1))},
      {"5.1", "DATA after END_STREAM", stream, kStreamClosed,
       headers(1, kEndHeaders | kEndStream) + frame(FrameType::kData, 0, 1, "x"), kStreamClosed},
      {"5.1", "DATA after RST_STREAM", stream, kStreamClosed,
       headers(1) + frame(FrameType::kRstStream, 0, 1, number(8)) + frame(FrameType::kData, 0, 1, "x")},
      {"5.1", "HEADERS after RST_STREAM", stream, kStreamClosed,
       headers(1) + frame(FrameType::kRstStream, 0, 1, number(8)) + headers(1, kEndHeaders | kEndStream)},
      {"5.1", "DATA after RST_STREAM of a stream that was open for long", stream, kStreamClosed,
       frame(FrameType::kRstStream, 0, 1, number(8)) + frame(FrameType::kData, 0, 1, "x"), kStreamClosed,
       headers(1)},
      {"5.1.1", "a stream of an even number", connection, kProtocolError, headers(2)},
      {"5.1.1", "a stream number that goes back", connection, kProtocolError, headers(3), kStreamClosed,
       headers(5)},
      {"5.1.1", "a stream number that goes back at once", connection, kProtocolError,
       headers(5) + headers(3)},
      {"5.4.1", "CONTINUATION without HEADERS", connection, kProtocolError,
       frame(FrameType::kContinuation, kEndHeaders, 1, "x")},
      {"6.1", "DATA on stream 0", connection, kProtocolError, frame(FrameType::kData, 0, 0, "x")},
      {"6.1", "DATA with more padding than it is long", connection, kProtocolError,
       headers(1) + padded(1, FrameType::kData, 6)},
      {"6.2", "HEADERS on stream 0", connection, kProtocolError, headers(0)},
      {"6.2", "HEADERS with more padding than it is long", connection, kProtocolError,
       padded(1, FrameType::kHeaders, 6)},
      // nghttp2 counts the pieces in which a frame's head arrives as so many CONTINUATIONs.
      {"6.2", "HEADERS in the middle of another header block", connection, kProtocolError,
       headers(1, 0) + headers(3), kEnhanceYourCalm},
      {"6.3", "PRIORITY on stream 0", connection, kProtocolError, frame(FrameType::kPriority, 0, 0, "12345")},
      {"6.4", "RST_STREAM on stream 0", connection, kProtocolError,
       frame(FrameType::kRstStream, 0, 0, number(8))},
      {"6.4", "RST_STREAM of a wrong length", connection, kFrameSizeError,
       headers(1) + frame(FrameType::kRstStream, 0, 1, "123")},
      {"6.5", "SETTINGS with ACK and a payload", connection, kFrameSizeError,
       frame(FrameType::kSettings, kAck, 0, "123456")},
      {"6.5", "SETTINGS on a stream", connection, kProtocolError, frame(FrameType::kSettings, 0, 1)},
      {"6.5", "SETTINGS of a wrong length", connection, kFrameSizeError,
       frame(FrameType::kSettings, 0, 0, "12345")},
      {"6.5.2", "ENABLE_PUSH that is neither 0 nor 1", connection, kProtocolError,
       testing::settings({{2, 2}})},
      {"6.5.2", "INITIAL_WINDOW_SIZE over 2^31-1", connection, kFlowControlError,
       testing::settings({{4, 0x80000000}})},
      {"6.5.2", "MAX_FRAME_SIZE below 16,384", connection, kProtocolError, testing::settings({{5, 16'383}})},
      {"6.5.2", "MAX_FRAME_SIZE over 2^24-1", connection, kProtocolError,
       testing::settings({{5, 0x1000000}})},
      {"6.6", "PUSH_PROMISE from a client", connection, kProtocolError,
       headers(1) + frame(FrameType::kPushPromise, kEndHeaders, 1, number(2))},
      {"6.7", "PING on a stream", connection, kProtocolError, frame(FrameType::kPing, 0, 1, "12345678")},
      {"6.7", "PING of a wrong length", connection, kFrameSizeError,
       frame(FrameType::kPing, 0, 0, "1234567")},
      {"6.8", "GOAWAY on a stream", connection, kProtocolError,
       frame(FrameType::kGoaway, 0, 1, number(0) + number(0))},
      {"6.9", "WINDOW_UPDATE of nothing on the connection", connection, kProtocolError,
       frame(FrameType::kWindowUpdate, 0, 0, number(0))},
      {"6.9", "WINDOW_UPDATE of nothing on a stream", stream, kProtocolError,
       headers(1) + frame(FrameType::kWindowUpdate, 0, 1, number(0))},
      {"6.9", "WINDOW_UPDATE of a wrong length", connection, kFrameSizeError,
       frame(FrameType::kWindowUpdate, 0, 0, "123")},
      {"6.9.1", "a connection's window over 2^31-1", connection, kFlowControlError,
       frame(FrameType::kWindowUpdate, 0, 0, number(0x7fffffff))},
      {"6.9.1", "a stream's window over 2^31-1", stream, kFlowControlError,
       headers(1) + frame(FrameType::kWindowUpdate, 0, 1, number(0x7fffffff))},
      {"8.1", "a second header block without END_STREAM", stream, kProtocolError, headers(1) + headers(1)},
      {"8.2", "a field name in upper case", stream, kProtocolError,
       frame(FrameType::kHeaders, kEndHeaders, 1, testing::request_fields("/a/b") + field("X-Upper", "1"))},
      {"8.2.2", "a field of HTTP/1.1's connections", stream, kProtocolError,
       frame(FrameType::kHeaders, kEndHeaders, 1,
             testing::request_fields("/a/b") + field("connection", "close"))},
      {"8.2.2", "te with anything but trailers", stream, kProtocolError,
       frame(FrameType::kHeaders, kEndHeaders, 1,
             field(":method", "POST") + field(":scheme", "http") + field(":path", "/a/b") +
                 field("te", "gzip"))},
      {"8.3", "an unknown pseudo-header field", stream, kProtocolError,
       frame(FrameType::kHeaders, kEndHeaders, 1, field(":unknown", "1") + testing::request_fields("/a/b"))},
      {"8.3", "a pseudo-header field after the others", stream, kProtocolError,
       frame(FrameType::kHeaders, kEndHeaders, 1,
             field(":method", "POST") + field(":scheme", "http") + field("x", "1") + field(":path", "/a/b"))},
      {"8.3.1", "a request without a path", stream, kProtocolError,
       frame(FrameType::kHeaders, kEndHeaders, 1, field(":method", "POST") + field(":scheme", "http"))},
      {"8.3.1", "a pseudo-header field twice", stream, kProtocolError,
       frame(FrameType::kHeaders, kEndHeaders, 1,
             field(":method", "POST") + testing::request_fields("/a/b"))},
      {"8.1.1", "a content-length that the DATA does not have", stream, kProtocolError,
       frame(FrameType::kHeaders, kEndHeaders, 1,
             testing::request_fields("/a/b") + field("content-length", "9")) +
           frame(FrameType::kData, kEndStream, 1, "x")},
  };
  return all;
}

std::string output_of(Connection& connection) {
  std::string sent;
  for (auto output = connection.output(); !output.empty(); output = connection.output()) {
    sent.append(reinterpret_cast<const char*>(output.data()), output.size());
    connection.consume_output(output.size());
  }
  return sent;
}

std::vector<Frame> answers(std::string_view earlier, std::string_view bytes, bool byte_by_byte) {
  Connection connection(Role::kServer, {.concurrent_streams_max = 100,
                                        .stream_window_size = limits::kStreamWindowSize,
                                        .connection_window_size = limits::kConnectionWindowSize,
                                        .header_list_size_max = limits::kHeaderListSizeMax});
  const std::string opening = std::string(testing::kPreface) + testing::settings() + std::string(earlier);
  EXPECT_FALSE(connection.receive(std::as_bytes(std::span(opening))));
  std::string sent = output_of(connection);
  const std::string received(bytes);
  const std::size_t step = byte_by_byte ? 1 : received.size();
  for (std::size_t at = 0; at < received.size(); at += step) {
    const auto part = std::as_bytes(std::span(received).subspan(at, step));
    if (connection.receive(part)) break;
    while (!connection.take_events().empty()) {
    }
  }
  return testing::parse_frames(sent + output_of(connection));
}

TEST(FrameErrors, EachRuleHasItsError) {
  for (const Case& broken : cases()) {
    for (const bool byte_by_byte : {false, true}) {
      SCOPED_TRACE(std::string(broken.section) + ": " + broken.what);
      bool found = false;
      std::string seen;  // type and error code of each frame
      for (const Frame& sent : answers(broken.earlier, broken.bytes, byte_by_byte)) {
        seen += " " + std::to_string(static_cast<int>(sent.type)) + ":" + std::to_string(sent.error_code());
        const auto code = static_cast<ErrorCode>(sent.error_code());
        const bool right = code == broken.code || (broken.or_code != ErrorCode::kNoError && code == broken.or_code);
        // An error of a stream may be taken for one of the connection (RFC 9113, 5.4.2).
        if (sent.type == FrameType::kGoaway && right) found = true;
        if (sent.type == FrameType::kRstStream && right && broken.scope == Scope::kStream) found = true;
      }
      EXPECT_TRUE(found) << (byte_by_byte ? "byte by byte" : "whole") << ", answered by" << seen;
    }
  }
}

TEST(FrameErrors, UnknownFramesAndSettingsAreIgnored) {
  for (const Frame& sent : answers("", frame(static_cast<FrameType>(0x2a), 0xff, 7, "whatever") + testing::settings({{0xabc, 1}}) +
                                       frame(FrameType::kPing, 0, 0, "12345678"),
                                   false))
    EXPECT_NE(sent.type, FrameType::kGoaway);
}

// Streams 1 and 3, then the end of 1; the ids need not follow one another; and a stream that was refused, since there are too
// many, may go on until its client hears of it.
TEST(FrameErrors, WhatClientsMayInterleaveIsNone) {
  const auto end_of = [](std::uint32_t stream) { return frame(FrameType::kData, kEndStream, stream, "x"); };
  const auto trailers_of = [](std::uint32_t stream) {
    return frame(FrameType::kHeaders, kEndHeaders | kEndStream, stream, field("x-end", "1"));
  };
  std::string many;
  for (std::uint32_t stream = 101; stream < 401; stream += 2) many += headers(stream);
  const std::string bytes = headers(1) + headers(3) + headers(9) + end_of(1) + trailers_of(3) +
                            trailers_of(9) + many + end_of(399) + trailers_of(397);
  for (const bool byte_by_byte : {false, true}) {
    for (const Frame& sent : answers("", bytes, byte_by_byte)) {
      EXPECT_NE(sent.type, FrameType::kGoaway) << sent.error_code();
      if (sent.type == FrameType::kRstStream) {
        EXPECT_EQ(static_cast<ErrorCode>(sent.error_code()), ErrorCode::kRefusedStream);
      }
    }
  }
}

TEST(FrameErrors, ABadPrefaceEndsTheConnection) {
  Connection connection(Role::kServer, {.concurrent_streams_max = 100,
                                        .stream_window_size = limits::kStreamWindowSize,
                                        .connection_window_size = limits::kConnectionWindowSize,
                                        .header_list_size_max = limits::kHeaderListSizeMax});
  const std::string_view text = "GET / HTTP/1.1\r\n\r\n, and more than 24 bytes";
  const auto error = connection.receive(std::as_bytes(std::span(text)));
  ASSERT_TRUE(error);
  EXPECT_EQ(error->code, ErrorCode::kProtocolError);
}

}  // namespace
}  // namespace minigrpc::h2
