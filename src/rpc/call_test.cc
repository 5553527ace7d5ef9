// All four kinds of call over real sockets, with a message type that needs no protobuf.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <minigrpc/generated.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstddef>
#include <cstring>

#include <string>

namespace minigrpc {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;

struct Text {
  std::string value;
  std::size_t ByteSizeLong() const { return value.size(); }
  std::uint8_t* SerializeWithCachedSizesToArray(std::uint8_t* out) const {
    return std::copy(value.begin(), value.end(), out);
  }
  bool ParseFromArray(const void* data, int size) {
    value.assign(static_cast<const char*>(data), static_cast<std::size_t>(size));
    return value != "unparsable";
  }
};

class Echo final : public Service {
 public:
  explicit Echo(Runtime& runtime) : runtime_(runtime) {}
  std::string_view service_name() const override { return "test.Echo"; }
  std::span<const Method> service_methods() const override;

  Task<Result<Text>> Unary(ServerContext& context, Text request) {
    if (request.value == "throw") throw std::runtime_error("secret");
    if (request.value == "fail") co_return Status(StatusCode::kNotFound, "no such thing: %ä", "details");
    if (request.value == "sleep") {
      const bool slept = co_await runtime_.sleep_for(1h);
      (slept ? slept_ : cancelled_).set();
      co_return Status(StatusCode::kCancelled, "woken");
    }
    if (request.value == "deadline") {
      const auto left = context.deadline() == TimePoint::max() ? -1s : context.deadline() - std::chrono::steady_clock::now();
      co_return Text{std::to_string(std::chrono::duration_cast<std::chrono::seconds>(left).count())};
    }
    for (const Metadata::Entry& entry : context.metadata())
      if (entry.name.starts_with("x-")) {
        context.headers().add(entry.name, entry.value);
        context.trailers().add("t" + entry.name, entry.value);
      }
    co_return Text{"echo " + request.value};
  }

  Task<Status> Split(ServerContext&, Text request, ServerWriter<Text>& writer) {
    for (const char c : request.value) {
      Text part{std::string(1, c)};
      const bool written = co_await writer.write(part);
      if (!written) co_return Status(StatusCode::kCancelled, "");
      if (c == '!') co_return Status(StatusCode::kAborted, "stopped at !");
    }
    co_return Status();
  }

  Task<Result<Text>> Join(ServerContext&, ServerReader<Text>& reader) {
    Text all;
    while (std::optional<Text> part = co_await reader.read()) all.value += part->value;
    co_return all;
  }

  Task<Status> Chat(ServerContext&, ServerStream<Text, Text>& stream) {
    while (std::optional<Text> part = co_await stream.read()) {
      Text answer{part->value + "?"};
      const bool written = co_await stream.write(answer);
      if (!written) break;
    }
    co_return Status();
  }

  // Writes without end; remembers how far it came.
  Task<Status> Flood(ServerContext&, Text, ServerWriter<Text>& writer) {
    const Text chunk{std::string(16 << 10, 'x')};
    for (;;) {
      const bool written = co_await writer.write(chunk);
      if (!written) break;
      written_.fetch_add(1);
    }
    flood_over_.set();
    co_return Status();
  }

  AsyncEvent slept_, cancelled_, flood_over_;
  std::atomic<int> written_{0};

 private:
  Runtime& runtime_;
};

constexpr MethodDescriptor kUnary{"/test.Echo/Unary", MethodKind::kUnary};
constexpr MethodDescriptor kSplit{"/test.Echo/Split", MethodKind::kServerStreaming};
constexpr MethodDescriptor kJoin{"/test.Echo/Join", MethodKind::kClientStreaming};
constexpr MethodDescriptor kChat{"/test.Echo/Chat", MethodKind::kBidirectional};
constexpr MethodDescriptor kFlood{"/test.Echo/Flood", MethodKind::kServerStreaming};

std::span<const Service::Method> Echo::service_methods() const {
  static constexpr Method kMethods[] = {
      {kUnary, &detail::serve_unary<Echo, Text, Text, &Echo::Unary>},
      {kSplit, &detail::serve_server_streaming<Echo, Text, Text, &Echo::Split>},
      {kJoin, &detail::serve_client_streaming<Echo, Text, Text, &Echo::Join>},
      {kChat, &detail::serve_bidirectional<Echo, Text, Text, &Echo::Chat>},
      {kFlood, &detail::serve_server_streaming<Echo, Text, Text, &Echo::Flood>},
  };
  return kMethods;
}

class CallTest : public testing::Test {
 protected:
  CallTest() : runtime_({.loops = 2}), echo_(runtime_), server_(runtime_) {
    server_.add(echo_);
    const Result<std::uint16_t> port = server_.listen("127.0.0.1:0");
    EXPECT_TRUE(port.has_value()) << port.status().to_string();
    target_ = "127.0.0.1:" + std::to_string(*port);
    channel_.emplace(runtime_, target_);
  }
  Result<Text> unary(std::string text, CallOptions options = {}) {
    return sync_wait(detail::unary<Text>(*channel_, kUnary, Text{std::move(text)}, std::move(options)));
  }

  Runtime runtime_;
  Echo echo_;
  Server server_;
  std::string target_;
  std::optional<Channel> channel_;
};

TEST_F(CallTest, UnaryAnswers) {
  const Result<Text> answer = unary("hello");
  ASSERT_TRUE(answer) << answer.status().to_string();
  EXPECT_EQ(answer->value, "echo hello");
  EXPECT_EQ(unary("")->value, "echo ");
}

TEST_F(CallTest, LargeMessagesPassBothWays) {
  const std::string large(3 << 20, 'a');
  const Result<Text> answer = unary(large);
  ASSERT_TRUE(answer) << answer.status().to_string();
  EXPECT_EQ(answer->value, "echo " + large);
}

TEST_F(CallTest, TooLargeAMessageIsRefused) {
  EXPECT_EQ(unary(std::string(5 << 20, 'a')).status().code(), StatusCode::kResourceExhausted);
  EXPECT_TRUE(unary("still alive"));
}

TEST_F(CallTest, AFailureKeepsCodeMessageAndDetails) {
  const Status status = unary("fail").status();
  EXPECT_EQ(status.code(), StatusCode::kNotFound);
  EXPECT_EQ(status.message(), "no such thing: %ä");
  EXPECT_EQ(status.details(), "details");
  EXPECT_EQ(status.origin(), StatusOrigin::kPeer);
}

TEST_F(CallTest, AnExceptionEndsItsCallOnly) {
  const Status status = unary("throw").status();
  EXPECT_EQ(status.code(), StatusCode::kUnknown);
  EXPECT_THAT(status.message(), testing::Not(HasSubstr("secret")));
  EXPECT_TRUE(unary("still alive"));
}

TEST_F(CallTest, AnUnparsableRequestIsInternal) {
  EXPECT_EQ(unary("unparsable").status().code(), StatusCode::kInternal);
}

TEST_F(CallTest, UnknownMethodsAndServicesAreUnimplemented) {
  constexpr MethodDescriptor kNoMethod{"/test.Echo/None", MethodKind::kUnary};
  constexpr MethodDescriptor kNoService{"/test.None/None", MethodKind::kUnary};
  const Status no_method = sync_wait(detail::unary<Text>(*channel_, kNoMethod, Text{}, {})).status();
  EXPECT_EQ(no_method.to_string(), "UNIMPLEMENTED: unknown method None for service test.Echo");
  const Status no_service = sync_wait(detail::unary<Text>(*channel_, kNoService, Text{}, {})).status();
  EXPECT_EQ(no_service.to_string(), "UNIMPLEMENTED: unknown service test.None");
}

TEST_F(CallTest, MetadataTravelsBothWays) {
  CallDetails details;
  const std::string bytes("\0\xff,\n", 4);
  CallOptions options{.metadata = {{"x-a", "1"}, {"x-b-bin", bytes}, {"x-a", "2"}}, .details = &details};
  ASSERT_TRUE(unary("hello", options));
  const Metadata headers{{"x-a", "1"}, {"x-b-bin", bytes}, {"x-a", "2"}};
  const Metadata trailers{{"tx-a", "1"}, {"tx-b-bin", bytes}, {"tx-a", "2"}};
  EXPECT_EQ(details.headers, headers);
  EXPECT_EQ(details.trailers, trailers);
  EXPECT_EQ(details.peer, target_);
}

TEST_F(CallTest, ReservedMetadataIsRefusedBeforeItIsSent) {
  for (const char* name : {"grpc-timeout", ":path", "te", "Upper", ""}) {
    CallOptions options{.metadata = {{name, "1"}}};
    EXPECT_EQ(unary("hello", options).status().code(), StatusCode::kInternal) << name;
  }
}

TEST_F(CallTest, TheDeadlineEndsBothSides) {
  const Status status = unary("sleep", {.timeout = 50ms}).status();
  EXPECT_EQ(status.code(), StatusCode::kDeadlineExceeded);
  EXPECT_TRUE(sync_wait(echo_.cancelled_.wait()));
}

TEST_F(CallTest, TheDeadlineReachesTheHandler) {
  EXPECT_EQ(unary("deadline")->value, "-1");
  EXPECT_EQ(unary("deadline", {.timeout = 100s})->value, "99");
}

TEST_F(CallTest, ATasksDeadlineBoundsItsCalls) {
  const auto answer =
      sync_wait(detail::unary<Text>(*channel_, kUnary, Text{"sleep"}, {}), std::chrono::steady_clock::now() + 50ms);
  EXPECT_EQ(answer.status().code(), StatusCode::kDeadlineExceeded);
}

TEST_F(CallTest, CancellingAScopeCancelsItsCalls) {
  TaskScope scope(runtime_);
  Result<Text> answer = Status(StatusCode::kUnknown, "");
  struct Body {
    static Task<void> run(Channel& channel, Result<Text>& out) {
      const Text request{"sleep"};
      out = co_await detail::unary<Text>(channel, kUnary, request, {});
    }
  };
  scope.spawn(Body::run(*channel_, answer));
  // The call must be under way, or its handler never hears of it.
  ASSERT_TRUE(unary("hello"));
  scope.cancel();
  sync_wait(scope.join());
  EXPECT_EQ(answer.status().code(), StatusCode::kCancelled);
}

Task<std::vector<std::string>> read_all(ClientReader<Text>& reader) {
  std::vector<std::string> parts;
  while (std::optional<Text> part = co_await reader.read()) parts.push_back(part->value);
  co_return parts;
}

Task<Status> finish(ClientReader<Text>& reader) { co_return co_await reader.finish(); }

TEST_F(CallTest, ServerStreaming) {
  auto reader = detail::server_streaming<Text>(*channel_, kSplit, Text{"abc"}, {});
  EXPECT_THAT(sync_wait(read_all(reader)), ElementsAre("a", "b", "c"));
  EXPECT_TRUE(sync_wait(finish(reader)).ok());
}

TEST_F(CallTest, ServerStreamingThatFailsKeepsWhatCameBefore) {
  auto reader = detail::server_streaming<Text>(*channel_, kSplit, Text{"a!b"}, {});
  EXPECT_THAT(sync_wait(read_all(reader)), ElementsAre("a", "!"));
  EXPECT_EQ(sync_wait(finish(reader)).to_string(), "ABORTED: stopped at !");
}

Task<Result<Text>> join(Channel& channel, int count) {
  auto writer = detail::client_streaming<Text, Text>(channel, kJoin, {});
  const Text part{"part "};
  for (int i = 0; i < count; ++i) {
    const bool written = co_await writer.write(part);
    if (!written) break;
  }
  co_return co_await writer.finish();
}

TEST_F(CallTest, ClientStreaming) {
  EXPECT_EQ(sync_wait(join(*channel_, 3))->value, "part part part ");
  EXPECT_EQ(sync_wait(join(*channel_, 0))->value, "");
  EXPECT_EQ(sync_wait(join(*channel_, 20'000))->value.size(), 100'000u);
}

Task<std::vector<std::string>> chat(Channel& channel, int count) {
  auto stream = detail::bidirectional<Text, Text>(channel, kChat, {});
  std::vector<std::string> answers;
  for (int i = 0; i < count; ++i) {
    const Text question{std::to_string(i)};
    const bool written = co_await stream.write(question);
    if (!written) break;
    std::optional<Text> answer = co_await stream.read();
    if (answer) answers.push_back(answer->value);
  }
  co_await stream.writes_done();
  const Status status = co_await stream.finish();
  answers.push_back(status.to_string());
  co_return answers;
}

TEST_F(CallTest, Bidirectional) { EXPECT_THAT(sync_wait(chat(*channel_, 3)), ElementsAre("0?", "1?", "2?", "OK")); }

Task<int> read_some(ClientReader<Text>& reader, int count) {
  int read = 0;
  while (read < count && co_await reader.read()) ++read;
  co_return read;
}

TEST_F(CallTest, AReaderThatStopsStopsTheWriter) {
  auto reader = detail::server_streaming<Text>(*channel_, kFlood, Text{}, {});
  ASSERT_EQ(sync_wait(read_some(reader, 3)), 3);
  // Settled once two looks, a while apart, see the same.
  int seen = -1;
  while (seen != echo_.written_) {
    seen = echo_.written_;
    sync_wait(runtime_.sleep_for(100ms));
  }
  // The window, both queues and the sockets' buffers: far from without bound.
  EXPECT_LT(seen, 1000);
  ASSERT_EQ(sync_wait(read_some(reader, 2000)), 2000);
  EXPECT_GT(echo_.written_, seen);
  reader.cancel();
  EXPECT_TRUE(sync_wait(echo_.flood_over_.wait()));
  EXPECT_EQ(sync_wait(finish(reader)).code(), StatusCode::kCancelled);
}

TEST_F(CallTest, DroppingAStreamCancelsIt) {
  {
    auto reader = detail::server_streaming<Text>(*channel_, kFlood, Text{}, {});
    ASSERT_EQ(sync_wait(read_some(reader, 1)), 1);
  }
  EXPECT_TRUE(sync_wait(echo_.flood_over_.wait()));
}

Task<std::vector<Result<Text>>> many(Channel& channel, int count) {
  std::vector<Task<Result<Text>>> calls;
  for (int i = 0; i < count; ++i)
    calls.push_back(detail::unary<Text>(channel, kUnary, Text{std::to_string(i)}, {}));
  return when_all(std::move(calls));
}

TEST_F(CallTest, MoreCallsThanTheServerAllowsAtOnceWaitTheirTurn) {
  const auto answers = sync_wait(many(*channel_, 5000));
  for (std::size_t i = 0; i < answers.size(); ++i) {
    ASSERT_TRUE(answers[i]) << answers[i].status().to_string();
    ASSERT_EQ(answers[i]->value, "echo " + std::to_string(i));
  }
}

TEST_F(CallTest, AnUnreachableServerIsUnavailable) {
  sync_wait(server_.shutdown(0s));
  Channel channel(runtime_, target_);
  const Status status = sync_wait(detail::unary<Text>(channel, kUnary, Text{"x"}, {})).status();
  EXPECT_EQ(status.code(), StatusCode::kUnavailable);
  EXPECT_THAT(status.message(), HasSubstr("Connection refused"));
  EXPECT_THAT(status.message(), HasSubstr(target_));
}

// Its second call begins while the channel ends what waited for the first connection, and later than the channel may
// connect again.
Task<void> fail_then_wait(Channel& channel, std::vector<StatusCode>& failed, std::vector<StatusCode>& waited) {
  CallOptions options;
  Task<Result<Text>> failing = detail::unary<Text>(channel, kUnary, Text{"x"}, options);
  Result<Text> answer = co_await failing;
  failed.push_back(answer.status().code());
  std::this_thread::sleep_for(10ms);  // blocks the channel's loop, on purpose
  options.timeout = 300ms;
  options.wait_for_ready = true;
  Task<Result<Text>> waiting = detail::unary<Text>(channel, kUnary, Text{"x"}, options);
  answer = co_await waiting;
  waited.push_back(answer.status().code());
}

TEST_F(CallTest, ACallThatEndsMayBeginAnother) {
  sync_wait(server_.shutdown(0s));
  constexpr std::size_t kTasks = 5;
  Runtime runtime({.loops = 1});  // everything on the channel's loop
  Channel channel(runtime, target_, {.backoff = {.initial = 1ms, .max = 1ms}});
  std::vector<StatusCode> failed;
  std::vector<StatusCode> waited;
  {
    TaskScope scope(runtime);
    for (std::size_t i = 0; i < kTasks; ++i) scope.spawn(fail_then_wait(channel, failed, waited));
    sync_wait(scope.join());
  }
  EXPECT_EQ(failed, std::vector<StatusCode>(kTasks, StatusCode::kUnavailable));
  EXPECT_EQ(waited, std::vector<StatusCode>(kTasks, StatusCode::kDeadlineExceeded));
}

TEST_F(CallTest, WaitForReadyWaitsForTheServer) {
  sync_wait(server_.shutdown(0s));
  Channel channel(runtime_, target_, {.backoff = {.initial = 20ms}});
  std::optional<Server> second;
  Echo echo(runtime_);
  std::thread starter([&] {
    sync_wait(runtime_.sleep_for(100ms));
    second.emplace(runtime_);
    second->add(echo);
    EXPECT_TRUE(second->listen(target_));
  });
  const auto answer =
      sync_wait(detail::unary<Text>(channel, kUnary, Text{"x"}, {.timeout = 30s, .wait_for_ready = true}));
  starter.join();
  EXPECT_TRUE(answer) << answer.status().to_string();
}

TEST_F(CallTest, AChannelReconnectsAfterTheServerRestarts) {
  ASSERT_TRUE(unary("first"));
  sync_wait(server_.shutdown(1s));
  Echo echo(runtime_);
  Server second(runtime_);
  second.add(echo);
  ASSERT_TRUE(second.listen(target_));
  const Result<Text> answer = unary("second");
  EXPECT_TRUE(answer) << answer.status().to_string();
}

TEST_F(CallTest, ShutdownLetsCallsFinish) {
  auto reader = detail::server_streaming<Text>(*channel_, kFlood, Text{}, {});
  ASSERT_EQ(sync_wait(read_some(reader, 1)), 1);
  std::thread stopper([&] { sync_wait(server_.shutdown(200ms)); });
  stopper.join();
  EXPECT_EQ(sync_wait(finish(reader)).code(), StatusCode::kUnavailable);
  EXPECT_TRUE(echo_.flood_over_.is_set());
}

TEST_F(CallTest, ABadTargetShowsInTheCall) {
  Channel channel(runtime_, "nowhere");
  EXPECT_THAT(sync_wait(detail::unary<Text>(channel, kUnary, Text{}, {})).status().message(), HasSubstr("HOST:PORT"));
  Channel unknown(runtime_, "etcd://127.0.0.1:1/x");
  EXPECT_THAT(sync_wait(detail::unary<Text>(unknown, kUnary, Text{}, {})).status().message(),
              HasSubstr("discovery::install"));
}

TEST_F(CallTest, APortInUseIsRefused) {
  Server second(runtime_);
  const auto port = second.listen(target_);
  ASSERT_FALSE(port);
  EXPECT_EQ(port.error().code(), StatusCode::kUnavailable);
  EXPECT_THAT(port.error().message(), HasSubstr("address already in use"));
}

TEST_F(CallTest, UnixSockets) {
  // Relative, since the name of the directory may be too long for a socket's.
  const std::string path = "call-test-" + std::to_string(getpid()) + ".sock";
  Echo echo(runtime_);
  Server server(runtime_);
  server.add(echo);
  const auto listening = server.listen("unix:" + path);
  ASSERT_TRUE(listening) << listening.status().to_string();
  Channel channel(runtime_, "unix:" + path);
  const auto answer = sync_wait(detail::unary<Text>(channel, kUnary, Text{"x"}, {}));
  EXPECT_TRUE(answer) << answer.status().to_string();
}

TEST_F(CallTest, InProcessAddresses) {
  Echo echo(runtime_);
  Server server(runtime_);
  server.add(echo);
  ASSERT_TRUE(server.listen("in-process:call-test"));
  EXPECT_EQ(server.listen("in-process:call-test").error().code(), StatusCode::kUnavailable);
  Channel channel(runtime_, "in-process:call-test");
  const auto answer = sync_wait(detail::unary<Text>(channel, kUnary, Text{"x"}, {}));
  EXPECT_TRUE(answer) << answer.status().to_string();

  Channel nobody(runtime_, "in-process:call-test-nobody");
  const auto failure = sync_wait(detail::unary<Text>(nobody, kUnary, Text{"x"}, {}));
  ASSERT_FALSE(failure);
  EXPECT_EQ(failure.error().code(), StatusCode::kUnavailable);
  EXPECT_THAT(failure.error().message(), HasSubstr("in-process:call-test-nobody"));
}

// A child of ours listens at the address where this process would, and connects to where this process does.
TEST_F(CallTest, InProcessAddressesKeepOtherProcessesOut) {
  Echo echo(runtime_);
  Server server(runtime_);
  server.add(echo);
  ASSERT_TRUE(server.listen("in-process:call-test-guarded"));
  const auto raw = [](const std::string& name) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    const std::string path = "minigrpc/in-process/" + std::to_string(getpid()) + "/" + name;
    std::memcpy(address.sun_path + 1, path.data(), path.size());
    return std::pair(address, static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + path.size()));
  };
  const auto [guarded, guarded_size] = raw("call-test-guarded");
  const auto [squatted, squatted_size] = raw("call-test-squatted");
  int ready[2];
  ASSERT_EQ(pipe(ready), 0);
  const pid_t child = fork();
  if (child == 0) {  // only what is safe after a fork of several threads
    const int squatter = socket(AF_UNIX, SOCK_STREAM, 0);
    const int intruder = socket(AF_UNIX, SOCK_STREAM, 0);
    bool good = bind(squatter, reinterpret_cast<const sockaddr*>(&squatted), squatted_size) == 0 && listen(squatter, 8) == 0;
    good = good && connect(intruder, reinterpret_cast<const sockaddr*>(&guarded), guarded_size) == 0;
    char byte = good ? 'y' : 'n';
    good = write(ready[1], &byte, 1) == 1 && good;
    // The server hangs up without a word.
    good = good && read(intruder, &byte, 1) <= 0;
    pause();
    _exit(good ? 0 : 1);
  }
  char byte = 0;
  ASSERT_EQ(read(ready[0], &byte, 1), 1);
  EXPECT_EQ(byte, 'y');
  Channel channel(runtime_, "in-process:call-test-squatted");
  const auto failure = sync_wait(detail::unary<Text>(channel, kUnary, Text{"x"}, {}));
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
  close(ready[0]);
  close(ready[1]);
  ASSERT_FALSE(failure);
  EXPECT_THAT(failure.error().message(), HasSubstr("another process serves it"));
  EXPECT_EQ(server.counters().connections_accepted, 0u);
}

}  // namespace
}  // namespace minigrpc
