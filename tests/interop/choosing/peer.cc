// minigrpc's end of the tests of retries, hedging and loads. Messages are bytes.
//
//   choosing_peer serve                        prints its port, serves until standard input ends
//   choosing_peer call SERVICE_CONFIG PORT...  calls Unary("hello") on a channel to those ports, 200 times, or, with one
//                                              port, once; prints for each how often it was sent and what came of it
//
// The server's Unary("fail N") fails with UNAVAILABLE where fewer than N attempts came before; "forbid" fails and forbids
// further attempts.
#include <minigrpc/generated.h>
#include <minigrpc/server.h>

#include <charconv>
#include <cstdio>
#include <string>

#include "rpc/test_echo.h"

using namespace minigrpc;

namespace {

class Unreliable final : public Service {
 public:
  std::string_view service_name() const override { return "test.Echo"; }
  std::span<const Method> service_methods() const override {
    static constexpr Method kMethods[] = {
        {test::kUnary, &detail::serve_unary<Unreliable, test::Text, test::Text, &Unreliable::Unary>}};
    return kMethods;
  }

  Task<Result<test::Text>> Unary(ServerContext& context, test::Text request) {
    const std::string_view said = context.metadata().get("grpc-previous-rpc-attempts").value_or("0");
    int previous = 0;
    std::from_chars(said.data(), said.data() + said.size(), previous);
    if (request.value == "forbid") {
      context.trailers().add("grpc-retry-pushback-ms", "-1");
      co_return Status(StatusCode::kUnavailable, "forbidden after " + std::to_string(previous));
    }
    if (previous < request.value.back() - '0') co_return Status(StatusCode::kUnavailable, "not yet");
    test::Text answer{"after " + std::to_string(previous)};
    co_return answer;
  }
};

int serve() {
  Runtime runtime({.loops = 1});
  Unreliable service;
  Server server(runtime);
  server.add(service);
  const Result<std::uint16_t> port = server.listen("127.0.0.1:0");
  if (!port) return std::fprintf(stderr, "%s\n", port.status().to_string().c_str()), 1;
  std::printf("%d\n", *port);
  std::fflush(stdout);
  while (std::getchar() != EOF) {
  }
  sync_wait(server.shutdown(std::chrono::seconds(5)));
  return 0;
}

int call(const std::string& service_config, const std::vector<std::string>& ports) {
  Runtime runtime({.loops = 1});
  std::vector<Endpoint> endpoints;
  for (const std::string& port : ports) endpoints.push_back({.address = "127.0.0.1:" + port});
  Channel channel(runtime, "peers", {.service_config = service_config, .resolver = fixed_endpoints(endpoints)});
  for (int i = 0; i < (ports.size() == 1 ? 1 : 200); ++i) {
    CallDetails details;
    const Result<test::Text> answer =
        test::call_unary(channel, "hello", {.timeout = std::chrono::seconds(20), .details = &details});
    std::printf("%d %s\n", details.attempts, answer ? answer->value.c_str() : answer.status().to_string().c_str());
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  if (arguments.size() == 1 && arguments[0] == "serve") return serve();
  if (arguments.size() >= 3 && arguments[0] == "call") return call(arguments[1], {arguments.begin() + 2, arguments.end()});
  std::fprintf(stderr, "usage: choosing_peer serve | call SERVICE_CONFIG PORT...\n");
  return 2;
}
