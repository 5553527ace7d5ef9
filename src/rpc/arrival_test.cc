// Who gets a connection: HTTP/2, or whoever serves the rest.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "rpc/other_protocol.h"
#include "rpc/test_echo.h"
#include "support/raw_peer.h"

namespace minigrpc {
namespace {

using namespace std::chrono_literals;
using minigrpc::testing::RawPeer;
using test::call_unary;

// Answers with what it was handed, in brackets, and keeps the connection until the server ends it.
class Mirror final : public rpc::OtherProtocol {
 public:
  class Connection final : public rpc::AcceptedConnection {
   public:
    Connection(std::shared_ptr<rpc::ServerImpl> server, rpc::ServerImpl::LoopShare& share, net::Transport transport)
        : server_(std::move(server)), share_(share), transport_(std::move(transport)) {
      server_->joined(share_, *this);
    }
    void drain() override { close(); }
    void abort() override { close(); }
    void answer(const std::string& received) {
      const std::string text = "[" + received + "]";
      transport_.send(std::as_bytes(std::span(text)));
    }

   private:
    void close() {
      transport_.close();
      server_->left(share_, *this);
      delete this;
    }
    const std::shared_ptr<rpc::ServerImpl> server_;
    rpc::ServerImpl::LoopShare& share_;
    net::Transport transport_;
  };

  void take_over(std::shared_ptr<rpc::ServerImpl> server, rpc::ServerImpl::LoopShare& share, net::Transport transport,
                 std::string received) override {
    (new Connection(std::move(server), share, std::move(transport)))->answer(received);
  }
};

class ArrivalTest : public ::testing::Test {
 protected:
  ArrivalTest() : runtime_({.loops = 2}), echo_(runtime_), server_(runtime_) {
    server_.add(echo_);
    server_.impl().set_other_protocol(std::make_unique<Mirror>());
    const Result<std::uint16_t> port = server_.listen("127.0.0.1:0");
    EXPECT_TRUE(port) << port.status().to_string();
    port_ = *port;
  }

  Runtime runtime_;
  test::Echo echo_;
  Server server_;
  std::uint16_t port_ = 0;
};

TEST_F(ArrivalTest, GrpcIsServed) {
  Channel channel(runtime_, "127.0.0.1:" + std::to_string(port_));
  EXPECT_EQ(call_unary(channel, "here")->value, "echo here");
}

TEST_F(ArrivalTest, OtherProtocolsAreHandedOverWithTheirFirstBytes) {
  for (const std::string first : {"GET / HTTP/1.1\r\n", "PRI * HTTP/1.1\r\n", "PUT /x HTTP/1.1\r\n", "\x16\x03\x01"}) {
    RawPeer peer(port_);
    ASSERT_TRUE(peer.send(first));
    EXPECT_EQ(peer.read_until("]"), "[" + first + "]");
  }
}

TEST_F(ArrivalTest, AFirstByteThatCouldBeEitherDecidesNothing) {
  RawPeer peer(port_);
  ASSERT_TRUE(peer.send("P"));
  // Another connection of the same loops goes first, and takes its time: the byte has arrived by then.
  RawPeer other(port_);
  RawPeer third(port_);
  for (RawPeer* quick : {&other, &third}) {
    ASSERT_TRUE(quick->send("x"));
    EXPECT_EQ(quick->read_until("]"), "[x]");
  }
  ASSERT_TRUE(peer.send("OST"));
  EXPECT_EQ(peer.read_until("]"), "[POST]");
}

TEST_F(ArrivalTest, ThePrefaceMayComeByteByByte) {
  RawPeer peer(port_);
  const std::string preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
  for (const char byte : preface) ASSERT_TRUE(peer.send(std::string(1, byte)));
  ASSERT_TRUE(peer.send(std::string("\0\0\0\x04\0\0\0\0\0", 9)));  // SETTINGS
  const std::string& answer = peer.read_until_size(9);
  ASSERT_GE(answer.size(), 9u);
  EXPECT_EQ(answer[3], 0x04);  // SETTINGS, the server's preface
}

TEST_F(ArrivalTest, ShutdownEndsWhatHasNotSpokenAndWhatWasHandedOver) {
  RawPeer silent(port_);
  RawPeer spoken(port_);
  ASSERT_TRUE(spoken.send("x"));
  EXPECT_EQ(spoken.read_until("]"), "[x]");
  sync_wait(server_.shutdown(20s));
  EXPECT_TRUE(silent.ends_within(1s));
  EXPECT_TRUE(spoken.ends_within(1s));
}

TEST(ServerWithoutOtherProtocol, RefusesWhatIsNotHttp2) {
  Runtime runtime({.loops = 1});
  test::Echo echo(runtime);
  Server server(runtime);
  server.add(echo);
  RawPeer peer(*server.listen("127.0.0.1:0"));
  ASSERT_TRUE(peer.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n"));
  EXPECT_TRUE(peer.ends_within(5s));
}

}  // namespace
}  // namespace minigrpc
