// Pages on the port of a server: what HTTP/1.1's clients get there, beside gRPC's.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <minigrpc/metrics.h>

#include <atomic>
#include <stdexcept>

#include "rpc/test_echo.h"
#include "support/raw_peer.h"

namespace minigrpc {
namespace {

using namespace std::chrono_literals;
using ::testing::AllOf;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;
using minigrpc::testing::RawPeer;

class PagesTest : public ::testing::Test {
 protected:
  PagesTest() : runtime_({.loops = 2}), echo_(runtime_), server_(runtime_, {.interceptors = {metrics_.server()}}) {
    server_.add(echo_);
    server_.add_page("/metrics", [this] { return Page{.body = metrics_.text()}; });
    server_.add_page("/count", [this] { return Page{.body = std::to_string(++count_)}; });
    server_.add_page("/json", [] { return Page{.status = 503, .content_type = "application/json", .body = "{}"}; });
    server_.add_page("/broken", []() -> Page { throw std::runtime_error("a secret"); });
    const Result<std::uint16_t> port = server_.listen("127.0.0.1:0");
    EXPECT_TRUE(port) << port.status().to_string();
    port_ = *port;
  }
  // The whole response to a request of one line, on a connection of its own.
  std::string response(const std::string& line) {
    RawPeer peer(port_);
    EXPECT_TRUE(peer.send(line + " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"));
    return peer.read_to_end();
  }

  Runtime runtime_;
  test::Echo echo_;
  Metrics metrics_;
  std::atomic<int> count_{0};
  Server server_;
  std::uint16_t port_ = 0;
};

TEST_F(PagesTest, MetricsAreBesideTheCallsThatTheyCount) {
  Channel channel(runtime_, "127.0.0.1:" + std::to_string(port_));
  ASSERT_TRUE(test::call_unary(channel, "here"));
  EXPECT_THAT(response("GET /metrics"),
              AllOf(StartsWith("HTTP/1.1 200 OK\r\n"), HasSubstr("text/plain"),
                    HasSubstr("grpc_server_handled_total{grpc_type=\"unary\",grpc_service=\"test.Echo\"")));
  ASSERT_TRUE(test::call_unary(channel, "still here"));
}

TEST_F(PagesTest, APageIsMadeForEachRequest) {
  RawPeer peer(port_);
  for (const std::string number : {"1", "2", "3"}) {
    ASSERT_TRUE(peer.send("GET /count?whatever HTTP/1.1\r\nHost: x\r\n\r\n"));
    EXPECT_THAT(peer.read_until("\r\n\r\n" + number), EndsWith("\r\n\r\n" + number));
  }
}

TEST_F(PagesTest, StatusAndTypeAreThoseOfThePage) {
  EXPECT_THAT(response("GET /json"), AllOf(StartsWith("HTTP/1.1 503 "), HasSubstr("application/json"), EndsWith("{}")));
}

TEST_F(PagesTest, WhatIsThrownIsNotTold) {
  EXPECT_THAT(response("GET /broken"), AllOf(StartsWith("HTTP/1.1 500 "), Not(HasSubstr("secret"))));
}

TEST_F(PagesTest, OtherPathsAndMethodsAreRefused) {
  EXPECT_THAT(response("GET /"), StartsWith("HTTP/1.1 404 "));
  EXPECT_THAT(response("GET /metrics/"), StartsWith("HTTP/1.1 404 "));
  EXPECT_THAT(response("POST /metrics"), StartsWith("HTTP/1.1 405 "));
  EXPECT_THAT(response("nonsense"), StartsWith("HTTP/1.1 400 "));
  EXPECT_THAT(response("HEAD /count"), AllOf(StartsWith("HTTP/1.1 200 "), EndsWith("\r\n\r\n")));
}

TEST_F(PagesTest, ShutdownDoesNotWaitForIdleReaders) {
  RawPeer peer(port_);
  ASSERT_TRUE(peer.send("GET /json HTTP/1.1\r\nHost: x\r\n\r\n"));
  peer.read_until("{}");
  sync_wait(server_.shutdown(20s));
  EXPECT_TRUE(peer.ends_within(1s));
}

}  // namespace
}  // namespace minigrpc
