// Retries, hedging and service configs over real sockets (gRPC A6).
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <minigrpc/generated.h>
#include <minigrpc/resolver.h>

#include <deque>
#include <future>
#include <mutex>

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
using test::Text;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

// What the handler does with one call.
struct Step {
  Status status{};  // OK: answers "echo " and the request
  std::chrono::milliseconds delay{0};
  std::string pushback{};
  bool headers = false;  // sends headers before the status
};

// Plays its steps, one a call; then succeeds.
class Flaky final : public Service {
 public:
  explicit Flaky(Runtime& runtime) : runtime_(runtime) {}
  std::string_view service_name() const override { return "test.Echo"; }
  std::span<const Method> service_methods() const override {
    static constexpr Method kMethods[] = {
        {test::kUnary, &detail::serve_unary<Flaky, Text, Text, &Flaky::Unary>},
        {test::kChat, &detail::serve_bidirectional<Flaky, Text, Text, &Flaky::Chat>},
    };
    return kMethods;
  }

  Task<Result<Text>> Unary(ServerContext& context, Text request) {
    const Step step = next(context);
    if (step.delay > 0ms) {
      const bool slept = co_await runtime_.sleep_for(step.delay);
      if (!slept) cancelled_.set();
    }
    if (!step.pushback.empty()) context.trailers().add("grpc-retry-pushback-ms", step.pushback);
    if (step.headers) context.headers().add("x-here", "1");
    if (!step.status.ok()) co_return step.status;
    Text answer{"echo " + request.value};
    co_return answer;
  }

  // Fails once it has read all, or answers all at once.
  Task<Status> Chat(ServerContext& context, ServerStream<Text, Text>& stream) {
    const Step step = next(context);
    Text all;
    while (std::optional<Text> part = co_await stream.read()) all.value += part->value;
    if (!step.status.ok()) co_return step.status;
    co_await stream.write(all);
    co_return Status();
  }

  void plan(std::deque<Step> steps) {
    std::lock_guard lock(mutex_);
    steps_ = std::move(steps);
    previous_.clear();
  }
  // What each call said of the attempts before it.
  std::vector<std::string> previous() const {
    std::lock_guard lock(mutex_);
    return previous_;
  }
  AsyncEvent cancelled_;

 private:
  Step next(const ServerContext& context) {
    std::lock_guard lock(mutex_);
    previous_.emplace_back(context.metadata().get("grpc-previous-rpc-attempts").value_or("-"));
    if (steps_.empty()) return {};
    Step step = steps_.front();
    steps_.pop_front();
    return step;
  }

  Runtime& runtime_;
  mutable std::mutex mutex_;
  std::deque<Step> steps_;
  std::vector<std::string> previous_;
};

Status unavailable() { return Status(StatusCode::kUnavailable, "overloaded"); }

std::string retry_config(std::string_view more = R"("initialBackoff": "0.001s", "maxBackoff": "0.01s")",
                         std::string_view rest = "") {
  return R"({"methodConfig": [{"name": [{"service": "test.Echo"}], "retryPolicy": {"maxAttempts": 4, )" +
         std::string(more) + R"(, "backoffMultiplier": 2, "retryableStatusCodes": ["UNAVAILABLE"]}}])" +
         std::string(rest) + "}";
}

std::string hedging_config(std::string_view delay, std::string_view rest = "") {
  return R"({"methodConfig": [{"name": [{}], "hedgingPolicy": {"maxAttempts": 3, "hedgingDelay": ")" +
         std::string(delay) + R"(", "nonFatalStatusCodes": ["UNAVAILABLE"]}}])" + std::string(rest) + "}";
}

class RetryCallTest : public ::testing::Test {
 protected:
  RetryCallTest() : runtime_({.loops = 2}), flaky_(runtime_), server_(runtime_) {
    server_.add(flaky_);
    port_ = *server_.listen("127.0.0.1:0");
  }
  void connect(std::string service_config) {
    channel_.emplace(runtime_, "127.0.0.1:" + std::to_string(port_),
                     ChannelOptions{.service_config = std::move(service_config)});
  }
  std::string outcome(std::string text = "x", CallOptions options = {}) {
    options.details = &details_;
    details_ = {};
    const Result<Text> answer = call_unary(*channel_, std::move(text), std::move(options));
    return answer ? answer->value : answer.status().to_string();
  }

  Runtime runtime_;
  Flaky flaky_;
  Server server_;
  std::uint16_t port_ = 0;
  std::optional<Channel> channel_;
  CallDetails details_;
};

// ---- retries ----

TEST_F(RetryCallTest, ARetryableFailureIsRetried) {
  connect(retry_config());
  flaky_.plan({{unavailable()}, {unavailable()}});
  EXPECT_EQ(outcome(), "echo x");
  EXPECT_THAT(flaky_.previous(), ElementsAre("-", "1", "2"));
  EXPECT_EQ(details_.attempts, 3);
}

TEST_F(RetryCallTest, WithoutAPolicyNothingIsRetried) {
  connect("");
  flaky_.plan({{unavailable()}});
  EXPECT_EQ(outcome(), "UNAVAILABLE: overloaded");
  EXPECT_THAT(flaky_.previous(), ElementsAre("-"));
}

TEST_F(RetryCallTest, AttemptsAreBounded) {
  connect(retry_config());
  flaky_.plan({{unavailable()}, {unavailable()}, {unavailable()}, {Status(StatusCode::kUnavailable, "the last")}});
  EXPECT_EQ(outcome(), "UNAVAILABLE: the last");
  EXPECT_THAT(flaky_.previous(), ElementsAre("-", "1", "2", "3"));
}

TEST_F(RetryCallTest, OtherFailuresAreNotRetried) {
  connect(retry_config());
  flaky_.plan({{Status(StatusCode::kInternal, "bug")}});
  EXPECT_EQ(outcome(), "INTERNAL: bug");
  EXPECT_THAT(flaky_.previous(), ElementsAre("-"));
}

TEST_F(RetryCallTest, AnAnswerThatHasBegunCommits) {
  connect(retry_config());
  flaky_.plan({{.status = unavailable(), .headers = true}});
  EXPECT_EQ(outcome(), "UNAVAILABLE: overloaded");
  EXPECT_EQ(details_.headers.get("x-here"), "1");
  EXPECT_THAT(flaky_.previous(), ElementsAre("-"));
}

TEST_F(RetryCallTest, TheServerMayChooseThePause) {
  connect(retry_config(R"("initialBackoff": "1000s", "maxBackoff": "1000s")"));
  flaky_.plan({{.status = unavailable(), .pushback = "50"}});
  const auto start = std::chrono::steady_clock::now();
  EXPECT_EQ(outcome("x", {.timeout = 60s}), "echo x");
  EXPECT_GE(std::chrono::steady_clock::now() - start, 50ms);
}

TEST_F(RetryCallTest, TheServerMayForbidIt) {
  connect(retry_config());
  flaky_.plan({{.status = unavailable(), .pushback = "-1"}});
  EXPECT_EQ(outcome(), "UNAVAILABLE: overloaded");
  EXPECT_THAT(flaky_.previous(), ElementsAre("-"));
}

TEST_F(RetryCallTest, APauseBeyondTheDeadlineIsNotWaitedFor) {
  connect(retry_config(R"("initialBackoff": "1000s", "maxBackoff": "1000s")"));
  flaky_.plan({{unavailable()}});
  EXPECT_EQ(outcome("x", {.timeout = 500s}), "UNAVAILABLE: overloaded");
}

TEST_F(RetryCallTest, ACallCanBeCancelledInItsPause) {
  connect(retry_config(R"("initialBackoff": "1000s", "maxBackoff": "1000s")"));
  flaky_.plan({{unavailable()}});
  auto call = std::async(std::launch::async, [&] { return outcome(); });
  while (flaky_.previous().empty()) std::this_thread::sleep_for(1ms);
  channel_->shutdown();
  // Wherever the shutdown met it: in its pause, or before its first answer came.
  EXPECT_THAT(call.get(), HasSubstr("CANCELLED"));
}

TEST_F(RetryCallTest, ManyFailuresStopRetries) {
  connect(retry_config(R"("initialBackoff": "0.001s", "maxBackoff": "0.001s")",
                       R"(, "retryThrottling": {"maxTokens": 4, "tokenRatio": 1})"));
  // Of four tokens the second failure takes the half.
  flaky_.plan({{unavailable()}, {unavailable()}});
  EXPECT_EQ(outcome(), "UNAVAILABLE: overloaded");
  EXPECT_THAT(flaky_.previous(), ElementsAre("-", "1"));
  EXPECT_EQ(outcome(), "echo x");  // a token back
  EXPECT_EQ(outcome(), "echo x");
  flaky_.plan({{unavailable()}});
  EXPECT_EQ(outcome(), "echo x");
  EXPECT_THAT(flaky_.previous(), ElementsAre("-", "1"));
}

Task<std::string> chat(Channel& channel, int count, std::size_t size) {
  auto stream = detail::bidirectional<Text, Text>(channel, test::kChat, {});
  const Text part{std::string(size, 'a')};
  for (int i = 0; i < count; ++i) {
    const bool written = co_await stream.write(part);
    if (!written) break;
  }
  co_await stream.writes_done();
  std::optional<Text> answer = co_await stream.read();
  const Status status = co_await stream.finish();
  co_return status.ok() && answer ? std::to_string(answer->value.size()) : status.to_string();
}

TEST_F(RetryCallTest, AStreamIsReplayed) {
  connect(retry_config());
  flaky_.plan({{unavailable()}, {unavailable()}});
  EXPECT_EQ(sync_wait(chat(*channel_, 10, 1000)), "10000");
  EXPECT_THAT(flaky_.previous(), ElementsAre("-", "1", "2"));
}

TEST_F(RetryCallTest, WhatExceedsTheBufferIsNotReplayed) {
  connect(retry_config());
  flaky_.plan({{unavailable()}});
  EXPECT_EQ(sync_wait(chat(*channel_, 10, 100'000)), "UNAVAILABLE: overloaded");
  EXPECT_THAT(flaky_.previous(), ElementsAre("-"));
}

TEST_F(RetryCallTest, APlaceThatIsMissingIsRetried) {
  const std::string target = "127.0.0.1:" + std::to_string(port_);
  sync_wait(server_.shutdown(0s));
  Channel channel(runtime_, target, {.service_config = retry_config(), .backoff = {.initial = 1ms, .max = 1ms}});
  const Status status = call_unary(channel, "x").status();
  EXPECT_EQ(status.code(), StatusCode::kUnavailable);
  EXPECT_THAT(status.message(), HasSubstr("Connection refused"));
}

// ---- what no server has seen: sent again without any policy ----

TEST_F(RetryCallTest, ARefusedStreamIsSentAgain) {
  RawListener listener;
  auto server = std::async(std::launch::async, [&] {
    RawPeer peer = listener.accept();
    peer.send(testing::settings());
    peer.read_until("first");
    peer.send(testing::frame(FrameType::kRstStream, 0, 1, testing::number(7)));
    const std::string all = peer.read_until(
        testing::frame(FrameType::kData, testing::kEndStream, 3, std::string("\0\0\0\0\5first", 10)));
    // Trailers-Only: ABORTED.
    peer.send(testing::frame(FrameType::kHeaders, testing::kEndStream | testing::kEndHeaders, 3,
                             testing::field(":status", "200") + testing::field("content-type", "application/grpc") +
                                 testing::field("grpc-status", "10")));
    peer.read_to_end();
    return testing::parse_frames(std::string_view(all).substr(testing::kPreface.size()));
  });
  Channel channel(runtime_, listener.endpoint());
  CallDetails details;
  EXPECT_EQ(call_unary(channel, "first", {.timeout = 20s, .details = &details}).status().code(), StatusCode::kAborted);
  EXPECT_EQ(details.attempts, 2);
  channel.shutdown();
  std::vector<std::uint32_t> streams;
  for (const Frame& frame : server.get())
    if (frame.type == FrameType::kHeaders) streams.push_back(frame.stream);
  EXPECT_THAT(streams, ElementsAre(1, 3));
}

// Once: who refuses has enough.
TEST_F(RetryCallTest, AStreamThatIsRefusedAgainIsNotSentAThirdTime) {
  RawListener listener;
  auto server = std::async(std::launch::async, [&] {
    RawPeer peer = listener.accept();
    peer.send(testing::settings());
    for (const std::uint32_t stream : {1u, 3u}) {
      peer.read_until(
          testing::frame(FrameType::kData, testing::kEndStream, stream, std::string("\0\0\0\0\5first", 10)));
      peer.send(testing::frame(FrameType::kRstStream, 0, stream, testing::number(7)));
    }
    peer.read_to_end();
  });
  Channel channel(runtime_, listener.endpoint());
  CallDetails details;
  EXPECT_EQ(call_unary(channel, "first", {.timeout = 20s, .details = &details}).status().code(),
            StatusCode::kUnavailable);
  EXPECT_EQ(details.attempts, 2);
  channel.shutdown();
  server.get();
}

TEST_F(RetryCallTest, AGoawaysLastStreamTellsWhatWasSeen) {
  for (const bool seen : {false, true}) {
    RawListener listener;
    auto server = std::async(std::launch::async, [&] {
      RawPeer peer = listener.accept();
      peer.send(testing::settings());
      peer.read_until("first");
      peer.send(testing::frame(FrameType::kGoaway, 0, 0, testing::number(seen ? 1 : 0) + testing::number(0)));
      if (seen) return std::string();  // and goes
      RawPeer next = listener.accept();
      next.send(testing::settings());
      next.read_until("first");
      return next.read_to_end();
    });
    Channel channel(runtime_, listener.endpoint());
    CallDetails details;
    const Status status = call_unary(channel, "first", {.timeout = seen ? 20s : 1s, .details = &details}).status();
    EXPECT_EQ(status.code(), seen ? StatusCode::kUnavailable : StatusCode::kDeadlineExceeded) << status.to_string();
    EXPECT_EQ(details.attempts, seen ? 1 : 2);
    channel.shutdown();
    EXPECT_EQ(server.get().empty(), seen);
  }
}

// ---- hedging ----

TEST_F(RetryCallTest, ASlowAnswerIsOvertaken) {
  connect(hedging_config("0.05s"));
  flaky_.plan({{.delay = 1h}});
  EXPECT_EQ(outcome("x", {.timeout = 60s}), "echo x");
  EXPECT_THAT(flaky_.previous(), ElementsAre("-", "1"));
  EXPECT_TRUE(sync_wait(flaky_.cancelled_.wait_until(runtime_, std::chrono::steady_clock::now() + 20s))) << "the slow one goes on";
}

TEST_F(RetryCallTest, AQuickAnswerIsNotHedged) {
  connect(hedging_config("1000s"));
  EXPECT_EQ(outcome(), "echo x");
  EXPECT_EQ(details_.attempts, 1);
}

TEST_F(RetryCallTest, AFailureThatIsNotFatalHurriesTheNext) {
  connect(hedging_config("1000s"));
  flaky_.plan({{unavailable()}, {unavailable()}});
  EXPECT_EQ(outcome("x", {.timeout = 60s}), "echo x");
  EXPECT_THAT(flaky_.previous(), ElementsAre("-", "1", "2"));
}

TEST_F(RetryCallTest, AFatalFailureEndsAll) {
  connect(hedging_config("0.02s"));
  flaky_.plan({{.delay = 1h}, {Status(StatusCode::kInternal, "bug")}});
  EXPECT_EQ(outcome("x", {.timeout = 60s}), "INTERNAL: bug");
  EXPECT_TRUE(sync_wait(flaky_.cancelled_.wait_until(runtime_, std::chrono::steady_clock::now() + 20s)));
}

TEST_F(RetryCallTest, WhenAllAttemptsFailTheLastOneIsTold) {
  connect(hedging_config("0s"));
  flaky_.plan({{unavailable()}, {unavailable()}, {unavailable()}});
  EXPECT_EQ(outcome(), "UNAVAILABLE: overloaded");
  EXPECT_EQ(details_.attempts, 3);
}

TEST_F(RetryCallTest, HedgesHearPushback) {
  connect(hedging_config("1000s"));
  flaky_.plan({{.status = unavailable(), .pushback = "30"}});
  EXPECT_EQ(outcome("x", {.timeout = 60s}), "echo x");
  flaky_.plan({{.status = unavailable(), .pushback = "-1"}});
  EXPECT_EQ(outcome("x", {.timeout = 60s}), "UNAVAILABLE: overloaded");
}

TEST_F(RetryCallTest, HedgesAreThrottled) {
  connect(hedging_config("0.01s", R"(, "retryThrottling": {"maxTokens": 2, "tokenRatio": 0.1})"));
  flaky_.plan({{unavailable()}});
  EXPECT_EQ(outcome(), "UNAVAILABLE: overloaded");
  EXPECT_EQ(details_.attempts, 1);
}

TEST_F(RetryCallTest, AHedgedCallKeepsItsDeadline) {
  connect(hedging_config("0.01s"));
  flaky_.plan({{.delay = 1h}, {.delay = 1h}, {.delay = 1h}});
  EXPECT_THAT(outcome("x", {.timeout = 200ms}), HasSubstr("DEADLINE_EXCEEDED"));
  EXPECT_EQ(details_.attempts, 3);
}

// ---- what else a service config says ----

TEST_F(RetryCallTest, TheConfigsTimeoutHoldsUnlessTheCallsIsShorter) {
  connect(R"({"methodConfig": [{"name": [{"service": "test.Echo", "method": "Unary"}], "timeout": "0.05s"}]})");
  flaky_.plan({{.delay = 1h}});
  EXPECT_THAT(outcome("x", {.timeout = 60s}), HasSubstr("DEADLINE_EXCEEDED"));
  EXPECT_TRUE(sync_wait(flaky_.cancelled_.wait_until(runtime_, std::chrono::steady_clock::now() + 20s))) << "the server learns of it";
}

TEST_F(RetryCallTest, TheConfigMayAskToWaitForReady) {
  connect(R"({"methodConfig": [{"name": [{}], "waitForReady": true}]})");
  sync_wait(server_.shutdown(0s));
  EXPECT_THAT(outcome("x", {.timeout = 100ms}), HasSubstr("DEADLINE_EXCEEDED"));
  EXPECT_THAT(outcome("x", {.timeout = 60s, .wait_for_ready = false}), HasSubstr("UNAVAILABLE"));
}

TEST_F(RetryCallTest, TheConfigBoundsMessages) {
  connect(R"({"methodConfig": [{"name": [{}], "maxRequestMessageBytes": 10, "maxResponseMessageBytes": 12}]})");
  EXPECT_EQ(outcome("1234567"), "echo 1234567");
  EXPECT_EQ(outcome("12345678901"), "RESOURCE_EXHAUSTED: the request has 11 bytes, 10 are permitted");
  EXPECT_THAT(outcome("12345678"), HasSubstr("RESOURCE_EXHAUSTED"));
}

TEST_F(RetryCallTest, ABadConfigNamesItsField) {
  connect(R"({"methodConfig": [{}, {"retryPolicy": {"maxAttempts": 1}}]})");
  EXPECT_EQ(outcome(), "UNAVAILABLE: target '127.0.0.1:" + std::to_string(port_) +
                           "': service config: methodConfig[1].retryPolicy.maxAttempts: wants at least 2");
}

// ---- a resolver's config ----

// Says what it is told to say.
class Told final : public Resolver {
 public:
  explicit Told(Listener** place) : place_(place) {}
  void start(Listener listener) override {
    listener_ = std::move(listener);
    *place_ = &listener_;
    listener_(first);
  }
  Resolution first;

 private:
  Listener listener_;
  Listener** place_;
};

TEST_F(RetryCallTest, AResolverMayBringAConfig) {
  Resolver::Listener* tell = nullptr;
  Resolution resolution;
  resolution.endpoints.emplace_back().address = "127.0.0.1:" + std::to_string(port_);
  add_resolver(runtime_, "told", [&](Runtime&, const Target&) -> Result<std::unique_ptr<Resolver>> {
    auto resolver = std::make_unique<Told>(&tell);
    resolver->first = resolution;
    return std::unique_ptr<Resolver>(std::move(resolver));
  });
  channel_.emplace(runtime_, "told:///x", ChannelOptions{.service_config = retry_config()});
  flaky_.plan({{unavailable()}});
  EXPECT_EQ(outcome(), "echo x") << "as the options say";

  const auto tell_config = [&](std::string config) {
    resolution.service_config = std::move(config);
    (*tell)(resolution);
    // Behind it on the channel's loop.
    EXPECT_TRUE(sync_wait(channel_->wait_until_ready(std::chrono::steady_clock::now() + 20s)));
  };
  tell_config(R"({"methodConfig": []})");
  flaky_.plan({{unavailable()}});
  EXPECT_EQ(outcome(), "UNAVAILABLE: overloaded") << "the resolver's takes its place";
  tell_config(retry_config());
  tell_config("{");
  flaky_.plan({{unavailable()}});
  EXPECT_EQ(outcome(), "echo x") << "a bad one changes nothing";
  tell_config(R"({"loadBalancingConfig": [{"round_robin": {}}]})");
  flaky_.plan({{unavailable()}});
  EXPECT_EQ(outcome(), "UNAVAILABLE: overloaded");
  EXPECT_EQ(outcome(), "echo x") << "with another policy";
}

}  // namespace
}  // namespace minigrpc
