// How long connections live: keepalive, age, idleness, and which of several addresses they go to.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <future>
#include <thread>

#include "net/socket.h"
#include "rpc/test_echo.h"
#include "support/frames.h"
#include "support/raw_peer.h"

namespace minigrpc {
namespace {

using namespace std::chrono_literals;
using minigrpc::testing::Frame;
using minigrpc::testing::FrameType;
using minigrpc::testing::RawListener;
using minigrpc::testing::RawPeer;
using test::call_unary;
using ::testing::HasSubstr;

std::size_t count(const std::vector<Frame>& frames, FrameType type) {
  return static_cast<std::size_t>(std::count_if(frames.begin(), frames.end(), [&](const Frame& frame) { return frame.type == type; }));
}

// The preface, the whole of it.
std::string hello() { return std::string(testing::kPreface) + testing::settings(); }

class ConnectionTest : public ::testing::Test {
 protected:
  ConnectionTest() : runtime_({.loops = 2}), echo_(runtime_) {}
  std::uint16_t serve(ServerOptions options = {}) {
    server_.emplace(runtime_, options);
    server_->add(echo_);
    return *server_->listen("127.0.0.1:0");
  }
  Channel channel(std::uint16_t port, ChannelOptions options = {}) {
    return Channel(runtime_, "127.0.0.1:" + std::to_string(port), std::move(options));
  }
  // Within some seconds.
  static bool becomes(Channel& channel, ChannelState state) {
    for (int i = 0; i < 2000 && channel.state() != state; ++i) std::this_thread::sleep_for(5ms);
    return channel.state() == state;
  }

  Runtime runtime_;
  test::Echo echo_;
  std::optional<Server> server_;
};

// ---- keepalive ----

TEST_F(ConnectionTest, AServerThatFallsSilentIsGivenUp) {
  RawListener listener;
  auto server = std::async(std::launch::async, [&] {
    RawPeer peer = listener.accept();
    peer.send(testing::settings());
    return peer.read_to_end();
  });
  Channel silent = channel(listener.port(), {.keepalive = {.time = 50ms, .timeout = 100ms}});
  const Status status = call_unary(silent, "x").status();
  EXPECT_EQ(status.code(), StatusCode::kUnavailable);
  EXPECT_THAT(status.message(), HasSubstr("no answer to a keepalive PING"));
  silent.shutdown();
  const auto frames = testing::parse_frames(std::string_view(server.get()).substr(testing::kPreface.size()));
  EXPECT_EQ(count(frames, FrameType::kPing), 1u);
}

TEST_F(ConnectionTest, AServerThatAnswersIsKept) {
  Channel patient = channel(serve({.keepalive = {.ping_interval_min = 0ms}}),
                            {.keepalive = {.time = 10ms, .timeout = 10s}});
  EXPECT_EQ(call_unary(patient, "sleep", {.timeout = 300ms}).status().code(), StatusCode::kDeadlineExceeded);
  EXPECT_EQ(patient.state(), ChannelState::kReady);
}

TEST_F(ConnectionTest, AClientThatAsksTooOftenIsSentOffAndMendsItsWays) {
  Channel nervous = channel(serve(), {.keepalive = {.time = 20ms}});
  const Status status = call_unary(nervous, "sleep").status();
  EXPECT_EQ(status.code(), StatusCode::kUnavailable);
  EXPECT_THAT(status.message(), HasSubstr("too_many_pings"));
  // Each time it is sent off it waits twice as long, until it is quiet enough.
  int sent_off = 0;
  while (call_unary(nervous, "sleep", {.timeout = 1s}).status().code() == StatusCode::kUnavailable) ++sent_off;
  EXPECT_LE(sent_off, 8);
}

TEST_F(ConnectionTest, AClientThatFallsSilentIsGivenUp) {
  RawPeer silent(serve({.keepalive = {.time = 50ms, .timeout = 100ms}}));
  ASSERT_TRUE(silent.send(hello()));
  ASSERT_TRUE(silent.ends_within(10s));
  EXPECT_EQ(count(testing::parse_frames(silent.read_to_end()), FrameType::kPing), 1u);
}

// As one that measures a path does while it downloads: each PING follows on bytes that were sent since the one before.
TEST_F(ConnectionTest, PingsAmidADownloadAreForgiven) {
  RawPeer reader(serve());
  std::string bytes = std::string(testing::kPreface) + testing::settings({{4, 0x7fffffff}}) +
                      testing::frame(FrameType::kWindowUpdate, 0, 0, testing::number(0x7fff0000));
  for (std::uint32_t stream = 1; stream < 48; stream += 2) bytes += testing::request(stream, "/test.Echo/Unary", "large");
  ASSERT_TRUE(reader.send(bytes));
  std::size_t size = 0;
  for (int i = 0; i < 6; ++i) {
    ASSERT_GE(reader.read_until_size(size + 300'000).size(), size + 300'000) << "after " << i << " PINGs";
    const std::string mark = "measure" + std::to_string(i);
    ASSERT_TRUE(reader.send(testing::frame(FrameType::kPing, 0, 0, mark)));
    size = reader.read_until(mark).size();
  }
  EXPECT_GE(reader.read_until_size(24 * test::kLargeSize).size(), 24 * test::kLargeSize);
  EXPECT_EQ(server_->counters().connections_flooding, 0u);
}

// ---- age and idleness ----

TEST_F(ConnectionTest, OldConnectionsAreReplacedWithoutAFailedCall) {
  Channel through = channel(serve({.connection_age_max = 20ms}));
  const auto until = std::chrono::steady_clock::now() + 400ms;
  int calls = 0;
  for (; std::chrono::steady_clock::now() < until; ++calls) {
    const Result<test::Text> answer = call_unary(through, "x", {.timeout = 20s});
    ASSERT_TRUE(answer) << "call " << calls << ": " << answer.status().to_string();
  }
  EXPECT_GT(calls, 0);
}

TEST_F(ConnectionTest, GraceEndsWhatOutlivesItsConnection) {
  Channel through = channel(serve({.connection_age_max = 20ms, .connection_age_grace = 50ms}));
  EXPECT_EQ(call_unary(through, "sleep", {.timeout = 20s}).status().code(), StatusCode::kUnavailable);
}

TEST_F(ConnectionTest, AnIdleConnectionIsClosedByItsServer) {
  Channel through = channel(serve({.connection_idle_max = 50ms}));
  ASSERT_TRUE(call_unary(through, "x"));
  EXPECT_TRUE(becomes(through, ChannelState::kIdle));
  EXPECT_TRUE(call_unary(through, "y"));
}

TEST_F(ConnectionTest, AClientThatIgnoresAGoawayIsClosedAllTheSame) {
  RawPeer deaf(serve({.connection_idle_max = 20ms}));
  ASSERT_TRUE(deaf.send(hello()));
  ASSERT_TRUE(deaf.ends_within(20s));  // it never acknowledges a PING
  EXPECT_EQ(count(testing::parse_frames(deaf.read_to_end()), FrameType::kGoaway), 2u);
}

TEST_F(ConnectionTest, AChannelWithoutCallsGoesIdleAndWakes) {
  const std::uint16_t port = serve();
  for (const std::string policy : {"pick_first", "round_robin"}) {
    Channel sleepy = channel(port, {.policy = policy, .idle_timeout = 50ms});
    for (int i = 0; i < 3; ++i) {
      ASSERT_TRUE(call_unary(sleepy, "x")) << policy;
      EXPECT_TRUE(becomes(sleepy, ChannelState::kIdle)) << policy;
    }
    EXPECT_EQ(call_unary(sleepy, "sleep", {.timeout = 300ms}).status().code(), StatusCode::kDeadlineExceeded)
        << "a call keeps it awake";
  }
}

// ---- streams ----

TEST_F(ConnectionTest, CallsBeyondThePeersLimitWaitTheirTurn) {
  Channel through = channel(serve({.concurrent_streams_max = 2}));
  std::vector<Task<Result<test::Text>>> calls;
  for (int i = 0; i < 50; ++i)
    calls.push_back(detail::unary<test::Text>(through, test::kUnary, test::Text{std::to_string(i)}, CallOptions{}));
  const auto answers = sync_wait(when_all(std::move(calls)));
  for (std::size_t i = 0; i < answers.size(); ++i) EXPECT_EQ(answers[i]->value, "echo " + std::to_string(i));
}

TEST_F(ConnectionTest, ACallThatWaitsForItsTurnKeepsItsDeadline) {
  Channel through = channel(serve({.concurrent_streams_max = 1}));
  ASSERT_TRUE(call_unary(through, "x"));  // the limit is known by now
  std::vector<Task<Result<test::Text>>> calls;
  for (int i = 0; i < 3; ++i)
    calls.push_back(detail::unary<test::Text>(through, test::kUnary, test::Text{"sleep"}, CallOptions{.timeout = 100ms}));
  for (const auto& answer : sync_wait(when_all(std::move(calls))))
    EXPECT_EQ(answer.status().code(), StatusCode::kDeadlineExceeded);
  EXPECT_TRUE(call_unary(through, "y", {.timeout = 20s}));
}

TEST_F(ConnectionTest, StreamsBeyondTheServersLimitAreRefused) {
  RawPeer greedy(serve({.concurrent_streams_max = 2}));
  std::string bytes = hello();  // without acknowledging the limit: it may not know it yet
  for (std::uint32_t stream = 1; stream <= 7; stream += 2) bytes += testing::request(stream, "/test.Echo/Unary", "sleep");
  ASSERT_TRUE(greedy.send(bytes));
  ASSERT_TRUE(greedy.send(testing::frame(FrameType::kPing, 0, 0, "farewell")));
  const auto frames = testing::parse_frames(greedy.read_until("farewell"));
  std::vector<std::uint32_t> refused;
  for (const Frame& frame : frames)
    if (frame.type == FrameType::kRstStream && frame.error_code() == 7) refused.push_back(frame.stream);
  EXPECT_THAT(refused, ::testing::ElementsAre(5, 7));
}

// ---- addresses ----

TEST_F(ConnectionTest, AnAddressThatDoesNotAnswerIsOvertaken) {
  RawListener silent;  // the kernel accepts, nobody speaks
  const std::string target = "ipv4:" + silent.endpoint() + ",127.0.0.1:" + std::to_string(serve());
  Channel through(runtime_, target);
  const auto start = std::chrono::steady_clock::now();
  const Result<test::Text> answer = call_unary(through, "x");
  ASSERT_TRUE(answer) << answer.status().to_string();
  EXPECT_LT(std::chrono::steady_clock::now() - start, 10s) << "one attempt may take 20 s";
}

TEST_F(ConnectionTest, ASocketGivesUpWhatIsNotAcknowledged) {
  RawListener listener;
  net::Loop loop;
  std::promise<unsigned> found;
  loop.post([&] {
    const auto address = net::parse_address(listener.endpoint());
    net::connect(loop, net::literal_addresses(*address), TimePoint::max(), [&](Result<net::Socket> socket) {
      socket->set_user_timeout(1234ms);
      unsigned value = 0;
      socklen_t size = sizeof value;
      ::getsockopt(socket->descriptor(), IPPROTO_TCP, TCP_USER_TIMEOUT, &value, &size);
      found.set_value(value);
    });
  });
  EXPECT_EQ(found.get_future().get(), 1234u);
}

}  // namespace
}  // namespace minigrpc
