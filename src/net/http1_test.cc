#include "net/http1.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace minigrpc::net::http1 {
namespace {

using State = RequestParser::State;
constexpr ParserLimits kLimits{.header_size_max = 200, .body_size_max = 100};

std::string describe(const Request& request) {
  std::string text = request.method + " " + std::string(request.path()) + " ?" + std::string(request.query());
  for (const auto& [name, value] : request.headers) text += " " + name + "=" + value;
  return text + " [" + request.body + "]" + (request.keep_alive ? "" : " close");
}

struct Dialogue {
  std::string bytes;
  std::vector<std::string> requests;
};

const Dialogue kDialogues[] = {
    {"GET / HTTP/1.1\r\nHost: x\r\n\r\n", {"GET / ? host=x []"}},
    {"GET /health?serializable=true HTTP/1.0\r\n\r\n", {"GET /health ?serializable=true [] close"}},
    {"POST /v3/kv/range HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}",
     {"POST /v3/kv/range ? content-length=2 [{}]"}},
    {"POST /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nT: x\r\n\r\n",
     {"POST /a ? transfer-encoding=chunked t=x []"}},
    {"POST /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
     {"POST /a ? transfer-encoding=chunked []"}},
    {"POST /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\nGET /b "
     "HTTP/1.1\r\n"
     "Connection: close\r\n\r\n",
     {"POST /a ? transfer-encoding=chunked [abcde]", "GET /b ? connection=close [] close"}},
};

TEST(Http1, RequestsInAnyPieces) {
  for (const Dialogue& dialogue : kDialogues) {
    for (const std::size_t piece : {std::size_t{1}, std::size_t{7}, dialogue.bytes.size()}) {
      RequestParser parser(kLimits);
      std::vector<std::string> requests;
      std::string received;
      for (std::size_t at = 0; at < dialogue.bytes.size(); at += piece) {
        received += dialogue.bytes.substr(at, piece);
        while (parser.feed(received) == State::kComplete) requests.push_back(describe(parser.take()));
      }
      EXPECT_EQ(requests, dialogue.requests) << piece;
      EXPECT_TRUE(received.empty());
    }
  }
}

TEST(Http1, TheBoundOfHeadersIsExactHoweverTheyCome) {
  const std::string frame = "POST / HTTP/1.1\r\nContent-Length: 3\r\nA: \r\n\r\n";
  for (const std::size_t over : {0, 1}) {
    std::string bytes = frame;
    bytes.insert(bytes.size() - 4, kLimits.header_size_max + over - frame.size(), 'x');
    bytes += "abc";
    for (std::size_t piece = 1; piece <= bytes.size(); ++piece) {
      RequestParser parser(kLimits);
      std::string received;
      State state = State::kNeedsMore;
      for (std::size_t at = 0; at < bytes.size() && state == State::kNeedsMore; at += piece) {
        received += bytes.substr(at, piece);
        state = parser.feed(received);
      }
      ASSERT_EQ(state, over == 0 ? State::kComplete : State::kFailed) << piece;
      if (over == 0) {
        EXPECT_EQ(parser.take().body, "abc");
      } else {
        EXPECT_EQ(parser.failure_status(), 431);
      }
    }
  }
}

TEST(Http1, WhatIsTooLargeOrNoHttpIsRefused) {
  const std::pair<std::string, int> refused[] = {
      {"GET / HTTP/1.1\r\nA: " + std::string(300, 'x') + "\r\n\r\n", 431},
      {"POST / HTTP/1.1\r\nContent-Length: 101\r\n\r\n", 413},
      {"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nff\r\n" + std::string(255, 'x') + "\r\n", 413},
      {"\x16\x03\x01 nonsense\r\n\r\n", 400},
      {"POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx", 400},
      {"POST / HTTP/1.1\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
  };
  for (const auto& [bytes, status] : refused) {
    RequestParser parser(kLimits);
    std::string received = bytes;
    EXPECT_EQ(parser.feed(received), State::kFailed) << bytes;
    EXPECT_EQ(parser.failure_status(), status) << bytes;
  }
}

TEST(Http1, AClientThatWaitsToBeToldIsToldOnce) {
  RequestParser parser(kLimits);
  std::string received = "POST / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n";
  EXPECT_EQ(parser.feed(received), State::kNeedsMore);
  EXPECT_TRUE(parser.wants_continue());
  EXPECT_FALSE(parser.wants_continue());
  received = "x";
  EXPECT_EQ(parser.feed(received), State::kComplete);
  EXPECT_EQ(parser.take().body, "x");
}

TEST(Http1, Responses) {
  EXPECT_EQ(encode({.status = 404, .content_type = "text/plain", .headers = {{"A", "b"}}, .length = 3}),
            "HTTP/1.1 404 Not Found\r\nContent-Type: text/plain\r\nA: b\r\nContent-Length: 3\r\n\r\n");
  EXPECT_EQ(encode({.framing = Framing::kChunked, .keep_alive = false}),
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n");
  std::string chunks;
  append_chunk("hello, world of 26 bytes!!", chunks);
  append_chunk("", chunks);
  EXPECT_EQ(chunks, "1a\r\nhello, world of 26 bytes!!\r\n0\r\n\r\n");
}

}  // namespace
}  // namespace minigrpc::net::http1
