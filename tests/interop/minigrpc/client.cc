// minigrpc's client, run through the cases against some peer's server: "ok NAME" or "FAIL NAME: why" for each.
//
//   peer_client HOST:PORT [CASE ...]     status 0 when all cases pass
#include <minigrpc/channel.h>
#include <minigrpc/runtime.h>

#include <string>
#include <vector>

#include "Prod.minigrpc.h"
#include "cpp_client.h"
#include "peer.minigrpc.h"

// Ends the case with what was expected; a case returns why it failed, or nothing.
#define EXPECT(condition) \
  if (!(condition)) co_return std::string("not so: " #condition)

namespace minigrpc::interop {
namespace {

using std::chrono::milliseconds;
using Clock = std::chrono::steady_clock;

struct Fixture {
  Runtime& runtime;
  const Channel& channel;
  Peer::Client peer{channel};
  std::string run_name = std::to_string(Clock::now().time_since_epoch().count());
};

// A bound for every call, so that a case that would hang fails.
CallOptions options(milliseconds timeout = milliseconds(20'000)) {
  CallOptions result;
  result.timeout = timeout;
  return result;
}

// Asks the server until it has seen the named call end, for five seconds.
Task<bool> server_saw_cancellation(Fixture& fixture, std::string name) {
  CallName request;
  request.set_name(name);
  for (int i = 0; i < 100; ++i) {
    Result<CallState> state = co_await fixture.peer.WasCancelled(request, options());
    if (state && state->cancelled()) co_return true;
    co_await fixture.runtime.sleep_for(milliseconds(50));
  }
  co_return false;
}

// ---- messages ----

Task<std::string> empty_unary(Fixture& fixture) {
  const Request request;
  Result<Response> response = co_await fixture.peer.Unary(request, options());
  if (!response) co_return response.error().to_string();
  EXPECT(response->payload().empty());
  EXPECT(response->received_count() == 1);
  co_return "";
}

Task<std::string> large_unary(Fixture& fixture) {
  const Request request = request_of(pattern(3'000'000), 0, 3'500'000);
  Result<Response> response = co_await fixture.peer.Unary(request, options());
  if (!response) co_return response.error().to_string();
  EXPECT(response->payload() == pattern(3'500'000));
  EXPECT(response->received_size() == 3'000'000);
  co_return "";
}

Task<std::string> response_too_large(Fixture& fixture) {
  const Request request = request_of("", 0, 5'000'000);
  Result<Response> response = co_await fixture.peer.Unary(request, options());
  EXPECT(!response);
  EXPECT(response.error().code() == StatusCode::kResourceExhausted);
  co_return "";
}

Task<std::string> request_too_large(Fixture& fixture) {
  const Request request = request_of(pattern(5'000'000));
  Result<Response> response = co_await fixture.peer.Unary(request, options());
  EXPECT(!response);
  EXPECT(response.error().code() == StatusCode::kResourceExhausted);
  co_return "";
}

// ---- streams ----

// Reads `count` responses of `size` bytes each and the end of the call.
Task<std::string> read_feed(Fixture& fixture, int count, int size) {
  const Request request = request_of("", count, size);
  auto reader = fixture.peer.Feed(request, options());
  for (int i = 0; i < count; ++i) {
    auto reading = reader.read();
    std::optional<Response> response = co_await reading;
    EXPECT(response.has_value());
    EXPECT(response->payload() == pattern(static_cast<std::size_t>(size)));
  }
  auto reading = reader.read();
  std::optional<Response> response = co_await reading;
  EXPECT(!response);
  auto finishing = reader.finish();
  Status status = co_await finishing;
  co_return status.ok() ? "" : status.to_string();
}

Task<std::string> server_streaming(Fixture& fixture) { return read_feed(fixture, 100, 1000); }
Task<std::string> empty_server_stream(Fixture& fixture) { return read_feed(fixture, 0, 0); }
// More than any window holds.
Task<std::string> flow_control(Fixture& fixture) { return read_feed(fixture, 256, 65'536); }

Task<std::string> send_collection(Fixture& fixture, int count, std::size_t size) {
  auto writer = fixture.peer.Collect(options());
  const Request request = request_of(pattern(size));
  for (int i = 0; i < count; ++i) {
    auto writing = writer.write(request);
    const bool written = co_await writing;
    EXPECT(written);
  }
  Result<Response> response = co_await writer.finish();
  if (!response) co_return response.error().to_string();
  EXPECT(response->received_count() == count);
  EXPECT(response->received_size() == static_cast<std::int64_t>(size) * count);
  co_return "";
}

Task<std::string> client_streaming(Fixture& fixture) { return send_collection(fixture, 100, 20'000); }
Task<std::string> empty_client_stream(Fixture& fixture) { return send_collection(fixture, 0, 0); }

Task<std::string> ping_pong(Fixture& fixture) {
  auto stream = fixture.peer.Chat(options());
  for (int i = 1; i <= 50; ++i) {
    const Request request = request_of("ping " + std::to_string(i), 1);
    auto writing = stream.write(request);
    const bool written = co_await writing;
    EXPECT(written);
    auto reading = stream.read();
    std::optional<Response> response = co_await reading;
    EXPECT(response.has_value());
    EXPECT(response->payload() == request.payload());
    EXPECT(response->received_count() == i);
  }
  auto closing = stream.writes_done();
  co_await closing;
  auto reading = stream.read();
  std::optional<Response> response = co_await reading;
  EXPECT(!response);
  auto finishing = stream.finish();
  Status status = co_await finishing;
  co_return status.ok() ? "" : status.to_string();
}

// The server goes on sending after the client has closed its direction.
Task<std::string> half_close(Fixture& fixture) {
  auto stream = fixture.peer.Chat(options());
  Request request = request_of("half", 5);
  request.set_delay_ms(20);
  auto writing = stream.write(request);
  co_await writing;
  auto closing = stream.writes_done();
  co_await closing;
  for (int i = 0; i < 5; ++i) {
    auto reading = stream.read();
    std::optional<Response> response = co_await reading;
    EXPECT(response.has_value());
  }
  auto reading = stream.read();
  std::optional<Response> response = co_await reading;
  EXPECT(!response);
  auto finishing = stream.finish();
  Status status = co_await finishing;
  co_return status.ok() ? "" : status.to_string();
}

// ---- metadata ----

using Values = std::vector<std::string_view>;

Task<std::string> metadata_repeated(Fixture& fixture) {
  CallDetails details;
  CallOptions with = options();
  with.metadata = Metadata{{"x-echo-a", "one"}, {"x-echo-a", "two"}, {"x-echo-b", "a, b"},
                           {"x-trail-a", "three"}, {"x-trail-a", "four"}};
  with.details = &details;
  const Request request;
  Result<Response> response = co_await fixture.peer.Unary(request, with);
  if (!response) co_return response.error().to_string();
  const Values headers{"one", "two"};
  const Values trailers{"three", "four"};
  EXPECT(details.headers.get_all("x-echo-a") == headers);
  EXPECT(details.headers.get("x-echo-b") == "a, b");
  EXPECT(details.trailers.get_all("x-trail-a") == trailers);
  EXPECT(!details.headers.get("x-trail-a"));
  co_return "";
}

Task<std::string> metadata_binary(Fixture& fixture) {
  std::string every_byte;
  for (int i = 0; i < 256; ++i) every_byte += static_cast<char>(i);
  CallDetails details;
  CallOptions with = options();
  with.metadata = Metadata{{"x-echo-bin", every_byte}, {"x-echo-bin", "a"}, {"x-trail-bin", every_byte}};
  with.details = &details;
  const Request request;
  Result<Response> response = co_await fixture.peer.Unary(request, with);
  if (!response) co_return response.error().to_string();
  const Values headers{every_byte, "a"};
  EXPECT(details.headers.get_all("x-echo-bin") == headers);
  EXPECT(details.trailers.get("x-trail-bin") == every_byte);
  co_return "";
}

// ---- statuses ----

Task<Status> call_that_fails(Fixture& fixture, int code, std::string message, std::string details) {
  Request request;
  request.mutable_fail()->set_code(code);
  request.mutable_fail()->set_message(message);
  request.mutable_fail()->set_details(details);
  Result<Response> response = co_await fixture.peer.Unary(request, options());
  co_return response.status();
}

Task<std::string> status_codes(Fixture& fixture) {
  for (int code = 1; code <= 16; ++code) {
    Status status = co_await call_that_fails(fixture, code, "why", "");
    EXPECT(static_cast<int>(status.code()) == code);
    EXPECT(status.message() == "why");
    EXPECT(status.origin() == StatusOrigin::kPeer);
  }
  co_return "";
}

Task<std::string> status_message(Fixture& fixture) {
  const std::string message = "\t库存 is 50 % off, naïve\r\nsecond line 😈 ";
  Status status = co_await call_that_fails(fixture, 5, message, "");
  EXPECT(status.code() == StatusCode::kNotFound);
  EXPECT(status.message() == message);
  co_return "";
}

Task<std::string> status_details(Fixture& fixture) {
  // google.rpc.Status{code: 9, message: "why", details: {type_url: "t", value: "v"}}
  const std::string details = "\x08\x09\x12\x03why\x1a\x06\x0a\x01t\x12\x01v";
  Status status = co_await call_that_fails(fixture, 9, "why", details);
  EXPECT(status.code() == StatusCode::kFailedPrecondition);
  EXPECT(status.details() == details);
  co_return "";
}

Task<std::string> status_after_messages(Fixture& fixture) {
  Request request = request_of("some", 3);
  request.mutable_fail()->set_code(8);
  request.mutable_fail()->set_message("no more");
  auto reader = fixture.peer.Feed(request, options());
  for (int i = 0; i < 3; ++i) {
    auto reading = reader.read();
    std::optional<Response> response = co_await reading;
    EXPECT(response.has_value());
  }
  auto finishing = reader.finish();
  Status status = co_await finishing;
  EXPECT(status.code() == StatusCode::kResourceExhausted);
  EXPECT(status.message() == "no more");
  co_return "";
}

// The server ends the call while the client still sends.
Task<std::string> status_before_end_of_requests(Fixture& fixture) {
  auto writer = fixture.peer.Collect(options());
  Request request = request_of(pattern(1000));
  auto first = writer.write(request);
  co_await first;
  request.mutable_fail()->set_code(9);
  request.mutable_fail()->set_message("enough");
  auto second = writer.write(request);
  co_await second;
  Result<Response> response = co_await writer.finish();
  EXPECT(!response);
  EXPECT(response.error().code() == StatusCode::kFailedPrecondition);
  EXPECT(response.error().message() == "enough");
  co_return "";
}

Task<std::string> missing_method(Fixture& fixture) {
  const Request request;
  Result<Response> response = co_await fixture.peer.Missing(request, options());
  EXPECT(!response);
  EXPECT(response.error().code() == StatusCode::kUnimplemented);
  co_return "";
}

Task<std::string> missing_service(Fixture& fixture) {
  const Request request;
  Absent::Client absent(fixture.channel);
  Result<Response> response = co_await absent.Call(request, options());
  EXPECT(!response);
  EXPECT(response.error().code() == StatusCode::kUnimplemented);
  co_return "";
}

// ---- deadlines and cancellation ----

Task<std::string> deadline_exceeded(Fixture& fixture) {
  Request request;
  request.set_delay_ms(30'000);
  request.set_call_name("deadline " + fixture.run_name);
  const auto begin = Clock::now();
  Result<Response> response = co_await fixture.peer.Unary(request, options(milliseconds(300)));
  const auto took = Clock::now() - begin;
  EXPECT(!response);
  EXPECT(response.error().code() == StatusCode::kDeadlineExceeded);
  EXPECT(took >= milliseconds(290) && took < milliseconds(5000));
  const bool seen = co_await server_saw_cancellation(fixture, request.call_name());
  EXPECT(seen);
  co_return "";
}

Task<std::string> deadline_seen(Fixture& fixture) {
  const Request request;
  Result<Response> bounded = co_await fixture.peer.Unary(request, options(milliseconds(15'000)));
  if (!bounded) co_return bounded.error().to_string();
  EXPECT(bounded->deadline_left_ms() > 5'000 && bounded->deadline_left_ms() <= 15'000);
  Result<Response> unbounded = co_await fixture.peer.Unary(request);
  if (!unbounded) co_return unbounded.error().to_string();
  EXPECT(unbounded->deadline_left_ms() == -1);
  co_return "";
}

Task<std::string> cancel_unary(Fixture& fixture) {
  Request request;
  request.set_delay_ms(30'000);
  request.set_call_name("unary " + fixture.run_name);
  TaskScope scope(fixture.runtime);
  Status status;
  auto calling = [](Fixture& f, Request r, Status* out) -> Task<void> {
    Result<Response> response = co_await f.peer.Unary(r, options());
    *out = response.status();
  };
  scope.spawn(calling(fixture, request, &status));
  co_await fixture.runtime.sleep_for(milliseconds(300));
  co_await scope.stop();
  EXPECT(status.code() == StatusCode::kCancelled);
  const bool seen = co_await server_saw_cancellation(fixture, request.call_name());
  EXPECT(seen);
  co_return "";
}

Task<std::string> cancel_server_stream(Fixture& fixture) {
  Request request = request_of("endless", 1'000'000);
  request.set_delay_ms(5);
  request.set_call_name("feed " + fixture.run_name);
  auto reader = fixture.peer.Feed(request, options());
  for (int i = 0; i < 3; ++i) {
    auto reading = reader.read();
    std::optional<Response> response = co_await reading;
    EXPECT(response.has_value());
  }
  reader.cancel();
  auto finishing = reader.finish();
  Status status = co_await finishing;
  EXPECT(status.code() == StatusCode::kCancelled);
  const bool seen = co_await server_saw_cancellation(fixture, request.call_name());
  EXPECT(seen);
  co_return "";
}

// A stream that goes away without finishing cancels its call. The server is busy with a second request then: grpcio, while
// it waits for one, now and then takes a cancellation for the end of the requests.
Task<std::string> cancel_bidi(Fixture& fixture) {
  Request request = request_of("hello", 1);
  request.set_call_name("chat " + fixture.run_name);
  {
    auto stream = fixture.peer.Chat(options());
    auto writing = stream.write(request);
    const bool written = co_await writing;
    EXPECT(written);
    auto reading = stream.read();
    std::optional<Response> response = co_await reading;
    EXPECT(response.has_value());
    request.set_delay_ms(30'000);
    auto second = stream.write(request);
    co_await second;
    co_await fixture.runtime.sleep_for(milliseconds(300));
  }
  const bool seen = co_await server_saw_cancellation(fixture, request.call_name());
  EXPECT(seen);
  co_return "";
}

// ---- many, and the shop ----

Task<std::string> concurrent(Fixture& fixture) {
  std::vector<Task<Result<Response>>> calls;
  for (int i = 0; i < 200; ++i) {
    Request request = request_of(std::to_string(i));
    request.set_delay_ms(i % 7);
    calls.push_back(fixture.peer.Unary(request, options()));
  }
  std::vector<Result<Response>> responses = co_await when_all(std::move(calls));
  for (std::size_t i = 0; i < responses.size(); ++i) {
    if (!responses[i]) co_return responses[i].error().to_string();
    EXPECT(responses[i]->payload() == std::to_string(i));
  }
  co_return "";
}

Task<std::string> prod(Fixture& fixture) {
  ProdService::Client shop(fixture.channel);
  ProdRequest request;
  request.set_prod_id(4);
  Result<ProdResponse> response = co_await shop.GetProdStock(request, options());
  if (!response) co_return response.error().to_string();
  EXPECT(response->prod_stock() == 80);
  co_return "";
}

#define CASE(name) {#name, name},
constexpr Case<Task<std::string>(Fixture&)> kCases[] = {MINIGRPC_INTEROP_CASES(CASE)};

int run(const std::string& target, const std::vector<std::string>& only) {
  Runtime runtime;
  const Channel channel(runtime, target);
  Fixture fixture{runtime, channel};
  return run_cases(kCases, only, [&fixture](auto* run) { return sync_wait(run(fixture)); });
}

}  // namespace
}  // namespace minigrpc::interop

int main(int argc, char** argv) {
  return minigrpc::interop::client_main(argc, argv, minigrpc::interop::run);
}
