// Interceptors around all four kinds of call, over real sockets.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <minigrpc/interceptors.h>
#include <minigrpc/metrics.h>

#include <mutex>

#include "rpc/test_echo.h"

namespace minigrpc {
namespace {

using namespace std::chrono_literals;
using test::Echo;
using test::Text;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

// What interceptors did, in order.
class Trail {
 public:
  void add(std::string what) {
    const std::lock_guard lock(mutex_);
    steps_.push_back(std::move(what));
  }
  std::vector<std::string> take() {
    const std::lock_guard lock(mutex_);
    return std::exchange(steps_, {});
  }

 private:
  std::mutex mutex_;
  std::vector<std::string> steps_;
};

class ServerStep final : public ServerInterceptor {
 public:
  ServerStep(Trail& trail, std::string name) : trail_(trail), name_(std::move(name)) {}
  Task<Status> intercept(ServerContext& context, NextServer next) override {
    trail_.add(name_ + " " + std::string(context.method()));
    Task<Status> handling = next();
    Status status = co_await handling;
    trail_.add(name_ + " " + std::string(status_code_name(status.code())));
    co_return status;
  }

 private:
  Trail& trail_;
  const std::string name_;
};

class ClientStep final : public ClientInterceptor {
 public:
  ClientStep(Trail& trail, std::string name) : trail_(trail), name_(std::move(name)) {}
  Task<Status> intercept(ClientContext& context, NextClient next) override {
    trail_.add(name_ + " " + std::string(context.method()));
    context.metadata().add("x-step", name_);
    Task<Status> calling = next();
    Status status = co_await calling;
    trail_.add(name_ + " " + std::string(status_code_name(status.code())) + " " +
               std::to_string(context.messages_sent()) + "/" + std::to_string(context.messages_received()));
    co_return status;
  }

 private:
  Trail& trail_;
  const std::string name_;
};

// An interceptor that is a function.
class ServerFunction final : public ServerInterceptor {
 public:
  using Function = Task<Status> (*)(ServerContext&, NextServer);
  explicit ServerFunction(Function function) : function_(function) {}
  Task<Status> intercept(ServerContext& context, NextServer next) override { return function_(context, next); }

 private:
  const Function function_;
};
class ClientFunction final : public ClientInterceptor {
 public:
  using Function = Task<Status> (*)(ClientContext&, NextClient);
  explicit ClientFunction(Function function) : function_(function) {}
  Task<Status> intercept(ClientContext& context, NextClient next) override { return function_(context, next); }

 private:
  const Function function_;
};

class InterceptorTest : public ::testing::Test {
 protected:
  using Stream = ClientStream<Text, Text>;
  using Heard = std::pair<std::string, std::string>;

  void serve(std::vector<std::shared_ptr<ServerInterceptor>> interceptors) {
    server_.emplace(runtime_, ServerOptions{.interceptors = std::move(interceptors)});
    server_->add(echo_);
    const Result<std::uint16_t> port = server_->listen("127.0.0.1:0");
    ASSERT_TRUE(port);
    target_ = "127.0.0.1:" + std::to_string(*port);
    connect({});
  }
  void connect(std::vector<std::shared_ptr<ClientInterceptor>> interceptors) {
    channel_.emplace(runtime_, target_, ChannelOptions{.interceptors = std::move(interceptors)});
  }
  void serve_with(ServerFunction::Function function) { serve({std::make_shared<ServerFunction>(function)}); }
  void connect_with(ClientFunction::Function function) { connect({std::make_shared<ClientFunction>(function)}); }

  Result<Text> ask(const std::string& value, CallOptions options = {.timeout = 20s}) {
    return sync_wait(detail::unary<Text>(*channel_, test::kUnary, Text{value}, std::move(options)));
  }
  // What was answered in a chat in which that was said, and how it ended.
  static Task<Heard> chat(Stream stream, std::vector<std::string> words) {
    std::string heard;
    for (const std::string& word : words) {
      Text message{word};
      const bool written = co_await stream.write(message);
      if (!written) break;
      const std::optional<Text> answer = co_await stream.read();
      if (!answer) break;
      heard += answer->value;
    }
    co_await stream.writes_done();
    Status status = co_await stream.finish();
    Heard outcome(std::move(heard), status.to_string());
    co_return outcome;
  }
  Heard converse(std::vector<std::string> words) {
    CallOptions options{.timeout = 20s};
    return sync_wait(chat(detail::bidirectional<Text, Text>(*channel_, test::kChat, std::move(options)), std::move(words)));
  }

  Runtime runtime_{{.loops = 2}};
  Echo echo_{runtime_};
  std::optional<Server> server_;
  std::string target_;
  std::optional<Channel> channel_;
  Trail trail_;
};

TEST_F(InterceptorTest, TheFirstIsTheOutermostOnBothSides) {
  serve({std::make_shared<ServerStep>(trail_, "s1"), std::make_shared<ServerStep>(trail_, "s2")});
  connect({std::make_shared<ClientStep>(trail_, "c1"), std::make_shared<ClientStep>(trail_, "c2")});
  ASSERT_TRUE(ask("x"));
  EXPECT_THAT(trail_.take(), ElementsAre("c1 /test.Echo/Unary", "c2 /test.Echo/Unary", "s1 /test.Echo/Unary",
                                         "s2 /test.Echo/Unary", "s2 OK", "s1 OK", "c2 OK 1/1", "c1 OK 1/1"));
  EXPECT_EQ(converse({"a", "b"}), Heard("a?b?", "OK"));
  EXPECT_THAT(trail_.take(), ElementsAre("c1 /test.Echo/Chat", "c2 /test.Echo/Chat", "s1 /test.Echo/Chat",
                                         "s2 /test.Echo/Chat", "s2 OK", "s1 OK", "c2 OK 2/2", "c1 OK 2/2"));
}

TEST_F(InterceptorTest, AServersMayRefuseBeforeTheHandlerRuns) {
  serve_with([](ServerContext& context, NextServer) -> Task<Status> {
    context.trailers().add("x-why", "closed");
    co_return Status(StatusCode::kPermissionDenied, "not today");
  });
  CallDetails details;
  const Result<Text> answer = ask("x", {.timeout = 20s, .details = &details});
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().to_string(), "PERMISSION_DENIED: not today");
  EXPECT_EQ(details.trailers.get("x-why"), "closed");
  EXPECT_EQ(converse({"a"}), Heard("", "PERMISSION_DENIED: not today"));
}

TEST_F(InterceptorTest, AServersMayChangeTheOutcome) {
  serve_with([](ServerContext&, NextServer next) -> Task<Status> {
    Task<Status> handling = next();
    const Status status = co_await handling;
    co_return status.ok() ? Status(StatusCode::kAborted, "after all") : Status();
  });
  EXPECT_EQ(ask("x").error().to_string(), "ABORTED: after all");
  EXPECT_EQ(converse({"a"}), Heard("a?", "ABORTED: after all"));
}

TEST_F(InterceptorTest, AServersOkWithoutAResponseIsInternal) {
  serve_with([](ServerContext&, NextServer) -> Task<Status> { co_return Status(); });
  EXPECT_EQ(ask("x").error().code(), StatusCode::kInternal);
  EXPECT_EQ(converse({}), Heard("", "OK"));
}

TEST_F(InterceptorTest, WhatAServersThrowsStaysInside) {
  serve_with([](ServerContext&, NextServer) -> Task<Status> { throw std::runtime_error("secret"); });
  const Result<Text> answer = ask("x");
  EXPECT_EQ(answer.error().code(), StatusCode::kUnknown);
  EXPECT_THAT(answer.error().message(), Not(HasSubstr("secret")));
  EXPECT_EQ(ask("x").error().code(), StatusCode::kUnknown);  // and nothing else is harmed
}

TEST_F(InterceptorTest, ValuesReachThoseAfterIt) {
  struct User {
    std::string name;
  };
  serve({std::make_shared<ServerFunction>([](ServerContext& context, NextServer next) -> Task<Status> {
           context.set_value(User{"ann"});
           return next();
         }),
         std::make_shared<ServerFunction>([](ServerContext& context, NextServer) -> Task<Status> {
           const User* user = context.value<User>();
           co_return Status(StatusCode::kAborted, user == nullptr ? "nobody" : user->name);
         })});
  EXPECT_EQ(ask("x").error().message(), "ann");
}

TEST_F(InterceptorTest, ASlowOneHoldsItsCallAlone) {
  serve_with([](ServerContext& context, NextServer next) -> Task<Status> {
    if (context.metadata().get("x-wait")) {
      AsyncEvent never;
      co_await never.wait();
    }
    Task<Status> handling = next();
    Status status = co_await handling;
    co_return status;
  });
  CallOptions slow{.timeout = 300ms};
  slow.metadata.add("x-wait", "1");
  EXPECT_EQ(ask("x", slow).error().code(), StatusCode::kDeadlineExceeded);
  EXPECT_TRUE(ask("x"));
}

TEST_F(InterceptorTest, AServersSeesHowTheCallEndedByItself) {
  serve({std::make_shared<ServerStep>(trail_, "s")});
  EXPECT_EQ(ask("sleep", {.timeout = 200ms}).error().code(), StatusCode::kDeadlineExceeded);
  std::vector<std::string> steps;
  while (steps.size() < 2)
    for (std::string& step : trail_.take()) steps.push_back(std::move(step));
  EXPECT_THAT(steps.back(), ::testing::AnyOf("s DEADLINE_EXCEEDED", "s CANCELLED"));
}

TEST_F(InterceptorTest, AClientsMayKeepACallFromBeingSent) {
  serve({std::make_shared<ServerStep>(trail_, "s")});
  connect_with([](ClientContext&, NextClient) -> Task<Status> {
    co_return Status(StatusCode::kUnavailable, "the breaker is open");
  });
  EXPECT_EQ(ask("x").error().to_string(), "UNAVAILABLE: the breaker is open");
  EXPECT_EQ(converse({"a"}), Heard("", "UNAVAILABLE: the breaker is open"));
  EXPECT_TRUE(trail_.take().empty());
  connect_with([](ClientContext&, NextClient) -> Task<Status> { co_return Status(); });
  EXPECT_EQ(ask("x").error().code(), StatusCode::kInternal);
}

TEST_F(InterceptorTest, AClientsMayChangeTheOutcome) {
  serve({});
  connect_with([](ClientContext& context, NextClient next) -> Task<Status> {
    Task<Status> calling = next();
    const Status status = co_await calling;
    const std::string peer = context.details().peer;
    co_return Status(StatusCode::kDataLoss, std::string(status_code_name(status.code())) + (peer.empty() ? "" : " from a peer"));
  });
  EXPECT_EQ(ask("x").error().to_string(), "DATA_LOSS: OK from a peer");
  EXPECT_EQ(converse({"a"}), Heard("a?", "DATA_LOSS: OK from a peer"));
}

TEST_F(InterceptorTest, AClientThatCancelsDoesNotWaitForItsInterceptors) {
  serve({});
  static std::atomic<int> over;
  over = 0;
  connect_with([](ClientContext& context, NextClient next) -> Task<Status> {
    Task<Status> calling = next();
    Status status = co_await calling;
    if (!context.details().peer.empty()) status = Status(StatusCode::kDataLoss, "details of a call that is gone");
    over = status.code() == StatusCode::kCancelled ? 1 : 2;
    co_return status;
  });
  ASSERT_TRUE(sync_wait(channel_->wait_until_ready(std::chrono::steady_clock::now() + 20s)));
  {
    TaskScope scope(runtime_);
    const auto cancelled = [](Task<Result<Text>> call) -> Task<void> {
      const Result<Text> answer = co_await call;
      EXPECT_EQ(answer.status().code(), StatusCode::kCancelled);
    };
    CallDetails details;
    CallOptions options{.timeout = 30s, .details = &details};
    scope.spawn(cancelled(detail::unary<Text>(*channel_, test::kUnary, Text{"sleep"}, options)));
    scope.cancel();
    sync_wait(scope.stop());
  }
  while (over == 0) std::this_thread::yield();
  EXPECT_EQ(over, 1);
  // One that does not come to next() before the deadline.
  connect_with([](ClientContext&, NextClient next) -> Task<Status> {
    AsyncEvent never;
    co_await never.wait();
    Task<Status> calling = next();
    Status status = co_await calling;
    over = 3;
    co_return status;
  });
  EXPECT_EQ(ask("x", {.timeout = 100ms}).error().code(), StatusCode::kDeadlineExceeded);
  while (over != 3) std::this_thread::yield();
}

TEST_F(InterceptorTest, DeadlinesByDefault) {
  serve({default_deadline(200ms)});
  const Result<Text> answer = ask("sleep", {});
  EXPECT_EQ(answer.error().to_string(), "DEADLINE_EXCEEDED: the deadline passed on the server");
  serve({});
  connect({default_client_deadline(200ms)});
  EXPECT_EQ(ask("sleep", {}).error().code(), StatusCode::kDeadlineExceeded);
  EXPECT_TRUE(ask("x", {}));
}

TEST_F(InterceptorTest, TooManyCallsAreShed) {
  serve({limit_concurrency({.calls_max = 1})});
  TaskScope scope(runtime_);
  const auto sleep = [](Task<Result<Text>> call) -> Task<void> { co_await call; };
  CallOptions options{.timeout = 30s};
  scope.spawn(sleep(detail::unary<Text>(*channel_, test::kUnary, Text{"sleep"}, options)));
  Result<Text> answer = ask("x");
  while (answer) answer = ask("x");  // until the first has its place
  EXPECT_EQ(answer.error().code(), StatusCode::kResourceExhausted);
  EXPECT_THAT(answer.error().message(), HasSubstr("limit of 1 calls"));
  scope.cancel();
  sync_wait(scope.stop());
  while (!answer) answer = ask("x");
}

TEST_F(InterceptorTest, BearerTokens) {
  serve({require_bearer_token([](ServerContext& context, std::string token) -> Task<Status> {
    if (token != "good") co_return Status(StatusCode::kPermissionDenied, "whose token is that?");
    context.set_value(std::string("ann"));
    co_return Status();
  })});
  EXPECT_EQ(ask("x").error().code(), StatusCode::kUnauthenticated);
  CallOptions options{.timeout = 20s};
  options.metadata.add("authorization", "bearer bad");
  EXPECT_EQ(ask("x", options).error().code(), StatusCode::kPermissionDenied);
  CallOptions good{.timeout = 20s};
  good.metadata.add("authorization", "Bearer good");
  EXPECT_TRUE(ask("x", good));
}

TEST_F(InterceptorTest, LinesForCalls) {
  std::mutex mutex;
  std::vector<std::string> lines;
  const LogSink sink = [&](const LogRecord& record) {
    std::string line(record.message);
    for (const auto& [name, value] : record.fields)
      if (name != "grpc.time_ms" && name != "peer.address") line += " " + std::string(name) + "=" + value;
    const std::lock_guard lock(mutex);
    lines.push_back(line);
  };
  serve({log_calls(sink)});
  ASSERT_TRUE(ask("x"));
  ASSERT_EQ(converse({"a"}).second, "OK");
  EXPECT_THAT(lines, ElementsAre("finished call grpc.service=test.Echo grpc.method=Unary grpc.method_type=unary grpc.code=OK",
                                 "finished call grpc.service=test.Echo grpc.method=Chat grpc.method_type=bidi_stream "
                                 "grpc.code=OK"));
  lines.clear();
  serve_with([](ServerContext&, NextServer) -> Task<Status> { co_return Status(StatusCode::kNotFound, "no such thing"); });
  connect({log_client_calls(sink)});
  ASSERT_FALSE(ask("x"));
  EXPECT_THAT(lines, ElementsAre("finished call grpc.service=test.Echo grpc.method=Unary grpc.method_type=unary "
                                 "grpc.code=NotFound grpc.error=no such thing"));
}

TEST_F(InterceptorTest, NumbersForDashboards) {
  Metrics metrics({.buckets = {0.1, 30}});
  serve({metrics.server()});
  connect({metrics.client()});
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(ask("x"));
  ASSERT_EQ(converse({"a", "b"}).second, "OK");
  ASSERT_FALSE(ask("sleep", {.timeout = 150ms}));
  channel_.reset();
  server_.reset();  // its last call has ended
  const std::string text = metrics.text();
  const std::string unary = "{grpc_type=\"unary\",grpc_service=\"test.Echo\",grpc_method=\"Unary\"";
  const std::string bidi = "{grpc_type=\"bidi_stream\",grpc_service=\"test.Echo\",grpc_method=\"Chat\"";
  for (const std::string side : {"grpc_server_", "grpc_client_"}) {
    EXPECT_THAT(text, HasSubstr("# TYPE " + side + "handled_total counter\n"));
    EXPECT_THAT(text, HasSubstr(side + "started_total" + unary + "} 4\n"));
    EXPECT_THAT(text, HasSubstr(side + "handled_total" + unary + ",grpc_code=\"OK\"} 3\n"));
    EXPECT_THAT(text, HasSubstr(side + "handled_total" + bidi + ",grpc_code=\"OK\"} 1\n"));
    EXPECT_THAT(text, HasSubstr(side + "msg_received_total" + bidi + "} 2\n"));
    EXPECT_THAT(text, HasSubstr(side + "msg_sent_total" + bidi + "} 2\n"));
    EXPECT_THAT(text, HasSubstr(side + "handling_seconds_bucket" + unary + ",le=\"30\"} 4\n"));
    EXPECT_THAT(text, HasSubstr(side + "handling_seconds_bucket" + unary + ",le=\"+Inf\"} 4\n"));
    EXPECT_THAT(text, HasSubstr(side + "handling_seconds_count" + bidi + "} 1\n"));
  }
  EXPECT_THAT(text, HasSubstr("grpc_client_handled_total" + unary + ",grpc_code=\"DeadlineExceeded\"} 1\n"));
}

}  // namespace
}  // namespace minigrpc
