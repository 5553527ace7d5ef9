// Peers that mean harm: each is bounded and counted, and others are served all the while.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "rpc/allowance.h"
#include "rpc/test_echo.h"
#include "support/frames.h"
#include "support/raw_peer.h"

namespace minigrpc {
namespace {

using namespace std::chrono_literals;
using minigrpc::testing::Frame;
using minigrpc::testing::frame;
using minigrpc::testing::FrameType;
using minigrpc::testing::number;
using minigrpc::testing::RawPeer;
using test::call_unary;

constexpr std::uint32_t kEnhanceYourCalm = 0xb;

class HostileTest : public ::testing::Test {
 protected:
  HostileTest() : runtime_({.loops = 1}), echo_(runtime_) {}
  ~HostileTest() override {
    if (good_) expect_served();
  }
  // One loop, so that the attacker and the good client meet on it.
  RawPeer attacker(ServerOptions options = {}) {
    server_.emplace(runtime_, options);
    server_->add(echo_);
    port_ = *server_->listen("127.0.0.1:0");
    good_.emplace(runtime_, "127.0.0.1:" + std::to_string(port_));
    EXPECT_TRUE(call_unary(*good_, "before"));
    return RawPeer(port_);
  }
  static bool greet(RawPeer& peer) { return peer.send(std::string(testing::kPreface) + testing::settings()); }
  // Others have their answer within a second.
  void expect_served() {
    const Result<test::Text> answer = call_unary(*good_, "during", {.timeout = 1s});
    EXPECT_TRUE(answer) << answer.status().to_string();
  }
  // Sends `bytes` again and again, until the server has had enough; then the code that it gave.
  std::uint32_t flood(RawPeer& peer, const std::string& bytes, int times_max) {
    for (int i = 0; i < times_max && peer.send(bytes); ++i)
      if (i % 8 == 0) expect_served();
    EXPECT_TRUE(peer.ends_within(20s));
    return goaway_code(peer);
  }
  static std::uint32_t goaway_code(RawPeer& peer) {
    for (const Frame& found : testing::parse_frames(peer.read_to_end()))
      if (found.type == FrameType::kGoaway) return found.error_code();
    return 0xffff;
  }
  ServerCounters counters() { return server_->counters(); }

  Runtime runtime_;
  test::Echo echo_;
  std::uint16_t port_ = 0;
  std::optional<Server> server_;
  std::optional<Channel> good_;
};

// ---- floods ----

TEST_F(HostileTest, RapidReset) {
  RawPeer peer = attacker();
  ASSERT_TRUE(greet(peer));
  std::uint32_t stream = 1;
  bool open = true;
  for (int batch = 0; batch < 600 && open; ++batch) {
    std::string bytes;
    for (int i = 0; i < 500; ++i, stream += 2)
      bytes += frame(FrameType::kHeaders, testing::kEndHeaders, stream, testing::request_fields("/test.Echo/Unary")) +
               frame(FrameType::kRstStream, 0, stream, number(8));
    open = peer.send(bytes);
    if (batch % 8 == 0) expect_served();
  }
  EXPECT_TRUE(peer.ends_within(20s));
  EXPECT_EQ(counters().connections_flooding, 1u);
}

TEST_F(HostileTest, ResetsThatTheServerIsMadeToSend) {
  RawPeer peer = attacker();
  ASSERT_TRUE(greet(peer));
  std::uint32_t stream = 1;
  bool open = true;
  for (int batch = 0; batch < 600 && open; ++batch) {
    std::string bytes;
    for (int i = 0; i < 500; ++i, stream += 2)  // a window that grows by nothing is an error of the stream
      bytes += frame(FrameType::kHeaders, testing::kEndHeaders, stream, testing::request_fields("/test.Echo/Unary")) +
               frame(FrameType::kWindowUpdate, 0, stream, number(0));
    open = peer.send(bytes);
    if (batch % 8 == 0) expect_served();
  }
  EXPECT_TRUE(peer.ends_within(20s));
}

std::string repeated(const std::string& bytes, int times) {
  std::string all;
  for (int i = 0; i < times; ++i) all += bytes;
  return all;
}

TEST_F(HostileTest, PingFlood) {
  RawPeer peer = attacker();
  ASSERT_TRUE(greet(peer));
  EXPECT_EQ(flood(peer, repeated(frame(FrameType::kPing, 0, 0, "12345678"), 100), 100), kEnhanceYourCalm);
  EXPECT_EQ(counters().connections_flooding, 1u);
}

TEST_F(HostileTest, SettingsFlood) {
  RawPeer peer = attacker();
  ASSERT_TRUE(greet(peer));
  EXPECT_EQ(flood(peer, repeated(testing::settings(), 100), 1000), kEnhanceYourCalm);
  EXPECT_EQ(counters().connections_flooding, 1u);
}

TEST_F(HostileTest, EmptyDataFlood) {
  RawPeer peer = attacker();
  ASSERT_TRUE(greet(peer));
  ASSERT_TRUE(peer.send(frame(FrameType::kHeaders, testing::kEndHeaders, 1, testing::request_fields("/test.Echo/Chat"))));
  EXPECT_EQ(flood(peer, repeated(frame(FrameType::kData, 0, 1), 100), 1000), kEnhanceYourCalm);
  EXPECT_EQ(counters().connections_flooding, 1u);
}

TEST_F(HostileTest, ContinuationFlood) {
  RawPeer peer = attacker();
  ASSERT_TRUE(greet(peer));
  ASSERT_TRUE(peer.send(frame(FrameType::kHeaders, 0, 1, testing::request_fields("/test.Echo/Unary"))));
  EXPECT_EQ(flood(peer, frame(FrameType::kContinuation, 0, 1, testing::field("x", "y")), 1000), kEnhanceYourCalm);
  EXPECT_EQ(counters().connections_flooding, 1u);
}

// ---- headers ----

// The error of `stream`, once the server has answered a PING that followed.
std::uint32_t reset_code(RawPeer& peer, std::uint32_t stream) {
  EXPECT_TRUE(peer.send(frame(FrameType::kPing, 0, 0, "farewell")));
  for (const Frame& found : testing::parse_frames(peer.read_until("farewell")))
    if (found.type == FrameType::kRstStream && found.stream == stream) return found.error_code();
  return 0xffff;
}

TEST_F(HostileTest, HugeHeaders) {
  RawPeer peer = attacker();
  ASSERT_TRUE(greet(peer));
  const std::string block = repeated(testing::field("x-large", std::string(120, 'x')), 120);  // 15,840 bytes
  std::string bytes = frame(FrameType::kHeaders, 0, 1, testing::request_fields("/test.Echo/Unary"));
  for (int i = 0; i < 6; ++i) bytes += frame(FrameType::kContinuation, i == 5 ? testing::kEndHeaders : 0, 1, block);
  ASSERT_TRUE(peer.send(bytes));
  EXPECT_EQ(reset_code(peer, 1), kEnhanceYourCalm);
}

TEST_F(HostileTest, HpackBomb) {
  RawPeer peer = attacker();
  ASSERT_TRUE(greet(peer));
  // One field of 3,000 bytes into the table, then 10,000 references to it: 30 MB.
  std::string bomb = testing::request_fields("/test.Echo/Unary");
  bomb += std::string("\x40\x01z\x7f", 4);
  bomb += static_cast<char>(0x80 | ((3000 - 127) & 0x7f));
  bomb += static_cast<char>((3000 - 127) >> 7);
  bomb += std::string(3000, 'z') + std::string(10'000, '\xbe');
  ASSERT_TRUE(peer.send(frame(FrameType::kHeaders, testing::kEndHeaders | testing::kEndStream, 1, bomb)));
  EXPECT_EQ(reset_code(peer, 1), kEnhanceYourCalm);
}

// ---- those who wait ----

TEST_F(HostileTest, AWindowThatStaysClosed) {
  RawPeer peer = attacker({.stalled_send_max = 100ms});
  ASSERT_TRUE(peer.send(std::string(testing::kPreface) + testing::settings({{4, 0}})));
  ASSERT_TRUE(peer.send(testing::request(1, "/test.Echo/Unary", "hello")));
  EXPECT_TRUE(peer.ends_within(20s));
  EXPECT_EQ(counters().connections_stalled, 1u);
}

TEST_F(HostileTest, APeerThatDoesNotRead) {
  RawPeer peer = attacker({.stalled_send_max = 100ms});
  ASSERT_TRUE(peer.send(std::string(testing::kPreface) + testing::settings({{4, 0x7fffffff}}) +
                        frame(FrameType::kWindowUpdate, 0, 0, number(0x7fff0000))));
  // Each echo is 16 KiB; the sockets' buffers hold only some of them.
  bool open = true;
  for (std::uint32_t stream = 1; stream < 4000 && open && counters().connections_stalled == 0; stream += 2) {
    std::string prefix(1, '\0');
    prefix += number(16'000);
    open = peer.send(frame(FrameType::kHeaders, testing::kEndHeaders, stream, testing::request_fields("/test.Echo/Unary")) +
                     frame(FrameType::kData, testing::kEndStream, stream, prefix + std::string(16'000, 'x')));
    if (stream % 200 == 1) expect_served();
  }
  for (int i = 0; i < 2000 && counters().connections_stalled == 0; ++i) std::this_thread::sleep_for(5ms);
  EXPECT_EQ(counters().connections_stalled, 1u);
}

TEST_F(HostileTest, HalfOpenConnections) {
  RawPeer peer = attacker({.handshake_timeout = 100ms});
  EXPECT_TRUE(peer.ends_within(20s));
  EXPECT_EQ(counters().handshakes_failed, 1u);
}

TEST_F(HostileTest, APrefaceThatTakesForEver) {
  RawPeer peer = attacker({.handshake_timeout = 100ms});
  for (const char byte : testing::kPreface.substr(0, 20)) {
    peer.send(std::string(1, byte));
    if (peer.ends_within(20ms)) break;
  }
  EXPECT_TRUE(peer.ends_within(20s));
  EXPECT_EQ(counters().handshakes_failed, 1u);
}

TEST_F(HostileTest, ConnectionsWithoutEnd) {
  RawPeer first = attacker({.connections_max = 4});
  std::vector<RawPeer> many;
  for (int i = 0; i < 10; ++i) many.emplace_back(port_);
  EXPECT_TRUE(many.back().ends_within(20s));
  expect_served();
  EXPECT_GE(counters().connections_refused, 1u);
}

// ---- messages ----

TEST_F(HostileTest, PrefixesThatLie) {
  RawPeer peer = attacker();
  ASSERT_TRUE(greet(peer));
  const auto send = [&](std::uint32_t stream, const std::string& body) {
    return peer.send(frame(FrameType::kHeaders, testing::kEndHeaders, stream, testing::request_fields("/test.Echo/Unary")) +
                     frame(FrameType::kData, testing::kEndStream, stream, body));
  };
  ASSERT_TRUE(send(1, std::string("\0\xff\xff\xff\xff", 5)));          // four gigabytes
  ASSERT_TRUE(send(3, std::string("\0\0\0\x01\0", 5) + "short"));      // 256 bytes, and five come
  ASSERT_TRUE(send(5, std::string("\x07\0\0\0\x01x", 6)));             // a flag that there is not
  ASSERT_TRUE(send(7, std::string("\0\0", 2)));                        // not even a prefix
  ASSERT_TRUE(peer.send(frame(FrameType::kPing, 0, 0, "farewell")));
  std::size_t answered = 0;
  for (const Frame& found : testing::parse_frames(peer.read_until("farewell")))
    if (found.type == FrameType::kHeaders && (found.flags & testing::kEndStream) != 0) ++answered;
  EXPECT_EQ(answered, 4u) << "each is told, and the connection goes on";
}

TEST(Allowance, RefillsWithTime) {
  const TimePoint start = TimePoint() + 1h;
  rpc::Allowance allowance(10, 5);
  EXPECT_TRUE(allowance.spend(10, start));
  EXPECT_FALSE(allowance.spend(1, start));
  EXPECT_TRUE(allowance.spend(4, start + 1s));
  EXPECT_FALSE(allowance.spend(100, start + 1h)) << "no more than the burst at once";
}

}  // namespace
}  // namespace minigrpc
