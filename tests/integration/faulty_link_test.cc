// Every fault of a FaultyLink, as calls over it meet them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <minigrpc/test_kit.h>

#include <algorithm>
#include <future>
#include <optional>

#include "rpc/test_echo.h"

namespace minigrpc {
namespace {

using namespace std::chrono_literals;
using test::call_unary;
using test_kit::FakeClock;
using test_kit::FaultyLink;

class FaultyLinkTest : public ::testing::Test {
 protected:
  FaultyLinkTest() : echo_(runtime_) {
    server_.add(echo_);
    link_.emplace("127.0.0.1:" + std::to_string(*server_.listen("127.0.0.1:0")));
    channel_.emplace(runtime_, link_->address(), ChannelOptions{.backoff = {.initial = 10ms, .max = 50ms}});
  }
  // With patience, unless said otherwise.
  Result<test::Text> call(std::string text, CallOptions options = {.timeout = 10s, .wait_for_ready = true}) {
    return call_unary(*channel_, std::move(text), options);
  }
  StatusCode outcome(std::string text, CallOptions options) {
    const Result<test::Text> answer = call(std::move(text), options);
    return answer ? StatusCode::kOk : answer.error().code();
  }

  Runtime runtime_{{.loops = 2}};
  test::Echo echo_;
  Server server_{runtime_};
  std::optional<FaultyLink> link_;
  std::optional<Channel> channel_;
};

TEST_F(FaultyLinkTest, PassesOnAndCounts) {
  const Result<test::Text> answer = call("large");
  ASSERT_TRUE(answer) << answer.error().to_string();
  EXPECT_EQ(answer->value.size(), test::kLargeSize);
  const FaultyLink::Counters counters = link_->counters();
  EXPECT_EQ(counters.connections, 1u);
  EXPECT_EQ(counters.open, 1u);
  EXPECT_GT(counters.bytes_from_target, test::kLargeSize);
  EXPECT_GT(counters.bytes_to_target, 50u);
  EXPECT_LT(counters.bytes_to_target, 10'000u);
}

TEST_F(FaultyLinkTest, ACutLinkRefusesUntilItPassesAgain) {
  ASSERT_TRUE(call("a"));
  link_->cut();
  EXPECT_EQ(link_->counters().open, 0u);
  EXPECT_EQ(outcome("b", {.timeout = 10s}), StatusCode::kUnavailable);
  link_->pass();
  EXPECT_TRUE(call("c"));
}

TEST_F(FaultyLinkTest, AHangingLinkSaysNothing) {
  ASSERT_TRUE(call("a"));
  link_->hang();
  EXPECT_EQ(outcome("b", {.timeout = 100ms}), StatusCode::kDeadlineExceeded);
  EXPECT_EQ(link_->counters().open, 1u);
  link_->pass();
  EXPECT_TRUE(call("c"));
  EXPECT_EQ(link_->counters().connections, 1u);
}

TEST_F(FaultyLinkTest, ConnectionsAreResetOnce) {
  ASSERT_TRUE(call("a"));
  link_->reset_connections();
  EXPECT_TRUE(call("b"));
  EXPECT_EQ(link_->counters().connections, 2u);
}

TEST_F(FaultyLinkTest, ADelayHoldsForBothWays) {
  ASSERT_TRUE(call("a"));
  link_->set_delay(50ms);
  const auto begin = std::chrono::steady_clock::now();
  ASSERT_TRUE(call("b"));
  EXPECT_GE(std::chrono::steady_clock::now() - begin, 100ms);
}

TEST_F(FaultyLinkTest, ABandwidthIsKept) {
  ASSERT_TRUE(call("a"));
  link_->set_bandwidth(20'000'000);
  const auto begin = std::chrono::steady_clock::now();
  ASSERT_TRUE(call("large"));
  EXPECT_GE(std::chrono::steady_clock::now() - begin, 190ms);  // 4 MB, less the first burst
}

// In the middle of an answer: the call fails, the next one finds a new connection.
TEST_F(FaultyLinkTest, AConnectionBreaksAfterSoManyBytes) {
  ASSERT_TRUE(call("a"));
  const std::uint64_t before = link_->counters().bytes_from_target;
  link_->reset_after(FaultyLink::Direction::kFromTarget, 1'000'000);
  EXPECT_EQ(outcome("large", {.timeout = 10s}), StatusCode::kUnavailable);
  EXPECT_EQ(link_->counters().bytes_from_target, before + 1'000'000);
  EXPECT_TRUE(call("large"));
}

// In the middle of a DATA frame, which carries no checksum.
TEST_F(FaultyLinkTest, ABitArrivesInverted) {
  ASSERT_TRUE(call("a"));
  link_->corrupt_after(FaultyLink::Direction::kFromTarget, 2'005'000);
  const Result<test::Text> answer = call("large");
  ASSERT_TRUE(answer) << answer.error().to_string();
  EXPECT_EQ(answer->value.size(), test::kLargeSize);
  EXPECT_EQ(std::count(answer->value.begin(), answer->value.end(), 'x'),
            static_cast<long>(test::kLargeSize) - 1);
  EXPECT_NE(answer->value.find(static_cast<char>('x' ^ 0x80)), std::string::npos);
}

TEST_F(FaultyLinkTest, ATargetThatIsNotThereLooksLikeOne) {
  FaultyLink link("127.0.0.1:1");
  Channel channel(runtime_, link.address());
  EXPECT_EQ(call_unary(channel, "a", {.timeout = 10s}).error().code(), StatusCode::kUnavailable);
}

TEST(FaultyLinkAndFakeClock, ADelayGoesByTheClock) {
  FakeClock clock;
  Runtime runtime({.loops = 2});
  test::Echo echo(runtime);
  Server server(runtime);
  server.add(echo);
  FaultyLink link("127.0.0.1:" + std::to_string(*server.listen("127.0.0.1:0")));
  Channel channel(runtime, link.address());
  ASSERT_TRUE(call_unary(channel, "a", {.wait_for_ready = true}).has_value());
  link.set_delay(5s);
  const std::uint64_t before = link.counters().bytes_to_target;
  auto call = std::async(std::launch::async, [&] { return call_unary(channel, "b"); });
  EXPECT_EQ(call.wait_for(20ms), std::future_status::timeout);
  EXPECT_EQ(link.counters().bytes_to_target, before);
  const TimePoint begin = clock.now();
  while (call.wait_for(1ms) != std::future_status::ready) clock.advance(1s);
  const Result<test::Text> answer = call.get();
  EXPECT_TRUE(answer) << answer.error().to_string();
  EXPECT_GE(clock.now() - begin, 8s);  // there and back, but for what a step is too long
}

}  // namespace
}  // namespace minigrpc
