// grpc++'s client, run through the cases against some peer's server: "ok NAME" or "FAIL NAME: why" for each.
//
//   grpcpp_peer_client HOST:PORT [CASE ...]     status 0 when all cases pass
#include <grpcpp/grpcpp.h>

#include <chrono>
#include <string>
#include <thread>
#include <vector>

#include "Prod.grpc.pb.h"
#include "cpp_client.h"
#include "peer.grpc.pb.h"

// Ends the case with what was expected; a case returns why it failed, or nothing.
#define EXPECT(condition) \
  if (!(condition)) return std::string("not so: " #condition)

namespace minigrpc::interop {
namespace {

using grpc::ClientContext;
using grpc::Status;
using grpc::StatusCode;
using std::chrono::milliseconds;
using Clock = std::chrono::steady_clock;

struct Fixture {
  std::shared_ptr<grpc::Channel> channel;
  std::unique_ptr<Peer::Stub> peer = Peer::NewStub(channel);
  std::string run_name = std::to_string(Clock::now().time_since_epoch().count());
};

// A context with a bound, so that a case that would hang fails.
struct Call : ClientContext {
  explicit Call(milliseconds timeout = milliseconds(20'000)) {
    set_deadline(std::chrono::system_clock::now() + timeout);
  }
};

std::string text_of(const Status& status) {
  return std::to_string(status.error_code()) + ": " + status.error_message();
}

bool server_saw_cancellation(Fixture& fixture, const std::string& name) {
  CallName request;
  request.set_name(name);
  for (int i = 0; i < 100; ++i) {
    Call call;
    CallState state;
    if (fixture.peer->WasCancelled(&call, request, &state).ok() && state.cancelled()) return true;
    std::this_thread::sleep_for(milliseconds(50));
  }
  return false;
}

std::vector<std::string> values_of(const std::multimap<grpc::string_ref, grpc::string_ref>& metadata,
                                   const std::string& name) {
  std::vector<std::string> values;
  const auto [begin, end] = metadata.equal_range(name);
  for (auto it = begin; it != end; ++it) values.emplace_back(it->second.data(), it->second.size());
  return values;
}

// ---- messages ----

std::string empty_unary(Fixture& fixture) {
  Call call;
  Response response;
  const Status status = fixture.peer->Unary(&call, Request(), &response);
  if (!status.ok()) return text_of(status);
  EXPECT(response.payload().empty());
  EXPECT(response.received_count() == 1);
  return "";
}

std::string large_unary(Fixture& fixture) {
  Call call;
  Response response;
  const Status status = fixture.peer->Unary(&call, request_of(pattern(3'000'000), 0, 3'500'000), &response);
  if (!status.ok()) return text_of(status);
  EXPECT(response.payload() == pattern(3'500'000));
  EXPECT(response.received_size() == 3'000'000);
  return "";
}

std::string response_too_large(Fixture& fixture) {
  Call call;
  Response response;
  const Status status = fixture.peer->Unary(&call, request_of("", 0, 5'000'000), &response);
  EXPECT(status.error_code() == StatusCode::RESOURCE_EXHAUSTED);
  return "";
}

std::string request_too_large(Fixture& fixture) {
  Call call;
  Response response;
  const Status status = fixture.peer->Unary(&call, request_of(pattern(5'000'000)), &response);
  EXPECT(status.error_code() == StatusCode::RESOURCE_EXHAUSTED);
  return "";
}

// ---- streams ----

std::string read_feed(Fixture& fixture, int count, int size) {
  Call call;
  const auto reader = fixture.peer->Feed(&call, request_of("", count, size));
  Response response;
  for (int i = 0; i < count; ++i) {
    EXPECT(reader->Read(&response));
    EXPECT(response.payload() == pattern(static_cast<std::size_t>(size)));
  }
  EXPECT(!reader->Read(&response));
  const Status status = reader->Finish();
  return status.ok() ? "" : text_of(status);
}

std::string server_streaming(Fixture& fixture) { return read_feed(fixture, 100, 1000); }
std::string empty_server_stream(Fixture& fixture) { return read_feed(fixture, 0, 0); }
std::string flow_control(Fixture& fixture) { return read_feed(fixture, 256, 65'536); }

std::string send_collection(Fixture& fixture, int count, std::size_t size) {
  Call call;
  Response response;
  const auto writer = fixture.peer->Collect(&call, &response);
  for (int i = 0; i < count; ++i) EXPECT(writer->Write(request_of(pattern(size))));
  writer->WritesDone();
  const Status status = writer->Finish();
  if (!status.ok()) return text_of(status);
  EXPECT(response.received_count() == count);
  EXPECT(response.received_size() == static_cast<std::int64_t>(size) * count);
  return "";
}

std::string client_streaming(Fixture& fixture) { return send_collection(fixture, 100, 20'000); }
std::string empty_client_stream(Fixture& fixture) { return send_collection(fixture, 0, 0); }

std::string ping_pong(Fixture& fixture) {
  Call call;
  const auto stream = fixture.peer->Chat(&call);
  Response response;
  for (int i = 1; i <= 50; ++i) {
    const Request request = request_of("ping " + std::to_string(i), 1);
    EXPECT(stream->Write(request));
    EXPECT(stream->Read(&response));
    EXPECT(response.payload() == request.payload());
    EXPECT(response.received_count() == i);
  }
  stream->WritesDone();
  EXPECT(!stream->Read(&response));
  const Status status = stream->Finish();
  return status.ok() ? "" : text_of(status);
}

std::string half_close(Fixture& fixture) {
  Call call;
  const auto stream = fixture.peer->Chat(&call);
  Request request = request_of("half", 5);
  request.set_delay_ms(20);
  EXPECT(stream->Write(request));
  stream->WritesDone();
  Response response;
  for (int i = 0; i < 5; ++i) EXPECT(stream->Read(&response));
  EXPECT(!stream->Read(&response));
  const Status status = stream->Finish();
  return status.ok() ? "" : text_of(status);
}

// ---- metadata ----

using Values = std::vector<std::string>;

std::string metadata_repeated(Fixture& fixture) {
  Call call;
  call.AddMetadata("x-echo-a", "one");
  call.AddMetadata("x-echo-a", "two");
  call.AddMetadata("x-echo-b", "a, b");
  call.AddMetadata("x-trail-a", "three");
  call.AddMetadata("x-trail-a", "four");
  Response response;
  const Status status = fixture.peer->Unary(&call, Request(), &response);
  if (!status.ok()) return text_of(status);
  EXPECT((values_of(call.GetServerInitialMetadata(), "x-echo-a") == Values{"one", "two"}));
  EXPECT((values_of(call.GetServerInitialMetadata(), "x-echo-b") == Values{"a, b"}));
  EXPECT((values_of(call.GetServerTrailingMetadata(), "x-trail-a") == Values{"three", "four"}));
  EXPECT(values_of(call.GetServerInitialMetadata(), "x-trail-a").empty());
  return "";
}

std::string metadata_binary(Fixture& fixture) {
  std::string every_byte;
  for (int i = 0; i < 256; ++i) every_byte += static_cast<char>(i);
  Call call;
  call.AddMetadata("x-echo-bin", every_byte);
  call.AddMetadata("x-echo-bin", "a");
  call.AddMetadata("x-trail-bin", every_byte);
  Response response;
  const Status status = fixture.peer->Unary(&call, Request(), &response);
  if (!status.ok()) return text_of(status);
  EXPECT((values_of(call.GetServerInitialMetadata(), "x-echo-bin") == Values{every_byte, "a"}));
  EXPECT((values_of(call.GetServerTrailingMetadata(), "x-trail-bin") == Values{every_byte}));
  return "";
}

// ---- statuses ----

Status call_that_fails(Fixture& fixture, int code, const std::string& message, const std::string& details) {
  Request request;
  request.mutable_fail()->set_code(code);
  request.mutable_fail()->set_message(message);
  request.mutable_fail()->set_details(details);
  Call call;
  Response response;
  return fixture.peer->Unary(&call, request, &response);
}

std::string status_codes(Fixture& fixture) {
  for (int code = 1; code <= 16; ++code) {
    const Status status = call_that_fails(fixture, code, "why", "");
    EXPECT(static_cast<int>(status.error_code()) == code);
    EXPECT(status.error_message() == "why");
  }
  return "";
}

std::string status_message(Fixture& fixture) {
  const std::string message = "\t库存 is 50 % off, naïve\r\nsecond line 😈 ";
  const Status status = call_that_fails(fixture, 5, message, "");
  EXPECT(status.error_code() == StatusCode::NOT_FOUND);
  EXPECT(status.error_message() == message);
  return "";
}

std::string status_details(Fixture& fixture) {
  const std::string details = "\x08\x09\x12\x03why\x1a\x06\x0a\x01t\x12\x01v";
  const Status status = call_that_fails(fixture, 9, "why", details);
  EXPECT(status.error_code() == StatusCode::FAILED_PRECONDITION);
  EXPECT(status.error_details() == details);
  return "";
}

std::string status_after_messages(Fixture& fixture) {
  Request request = request_of("some", 3);
  request.mutable_fail()->set_code(8);
  request.mutable_fail()->set_message("no more");
  Call call;
  const auto reader = fixture.peer->Feed(&call, request);
  Response response;
  for (int i = 0; i < 3; ++i) EXPECT(reader->Read(&response));
  EXPECT(!reader->Read(&response));
  const Status status = reader->Finish();
  EXPECT(status.error_code() == StatusCode::RESOURCE_EXHAUSTED);
  EXPECT(status.error_message() == "no more");
  return "";
}

std::string status_before_end_of_requests(Fixture& fixture) {
  Call call;
  Response response;
  const auto writer = fixture.peer->Collect(&call, &response);
  Request request = request_of(pattern(1000));
  writer->Write(request);
  request.mutable_fail()->set_code(9);
  request.mutable_fail()->set_message("enough");
  writer->Write(request);
  const Status status = writer->Finish();
  EXPECT(status.error_code() == StatusCode::FAILED_PRECONDITION);
  EXPECT(status.error_message() == "enough");
  return "";
}

std::string missing_method(Fixture& fixture) {
  Call call;
  Response response;
  EXPECT(fixture.peer->Missing(&call, Request(), &response).error_code() == StatusCode::UNIMPLEMENTED);
  return "";
}

std::string missing_service(Fixture& fixture) {
  Call call;
  Response response;
  const auto absent = Absent::NewStub(fixture.channel);
  EXPECT(absent->Call(&call, Request(), &response).error_code() == StatusCode::UNIMPLEMENTED);
  return "";
}

// ---- deadlines and cancellation ----

std::string deadline_exceeded(Fixture& fixture) {
  Request request;
  request.set_delay_ms(30'000);
  request.set_call_name("deadline " + fixture.run_name);
  Call call(milliseconds(300));
  Response response;
  const auto begin = Clock::now();
  const Status status = fixture.peer->Unary(&call, request, &response);
  const auto took = Clock::now() - begin;
  EXPECT(status.error_code() == StatusCode::DEADLINE_EXCEEDED);
  EXPECT(took >= milliseconds(290) && took < milliseconds(5000));
  EXPECT(server_saw_cancellation(fixture, request.call_name()));
  return "";
}

std::string deadline_seen(Fixture& fixture) {
  Response response;
  Call bounded(milliseconds(15'000));
  Status status = fixture.peer->Unary(&bounded, Request(), &response);
  if (!status.ok()) return text_of(status);
  // gRPC's core rounds the timeout that it sends up to a few digits.
  EXPECT(response.deadline_left_ms() > 5'000 && response.deadline_left_ms() <= 15'500);
  ClientContext unbounded;
  status = fixture.peer->Unary(&unbounded, Request(), &response);
  if (!status.ok()) return text_of(status);
  EXPECT(response.deadline_left_ms() == -1);
  return "";
}

std::string cancel_unary(Fixture& fixture) {
  Request request;
  request.set_delay_ms(30'000);
  request.set_call_name("unary " + fixture.run_name);
  Call call;
  std::thread canceller([&call] {
    std::this_thread::sleep_for(milliseconds(300));
    call.TryCancel();
  });
  Response response;
  const Status status = fixture.peer->Unary(&call, request, &response);
  canceller.join();
  EXPECT(status.error_code() == StatusCode::CANCELLED);
  EXPECT(server_saw_cancellation(fixture, request.call_name()));
  return "";
}

std::string cancel_server_stream(Fixture& fixture) {
  Request request = request_of("endless", 1'000'000);
  request.set_delay_ms(5);
  request.set_call_name("feed " + fixture.run_name);
  Call call;
  const auto reader = fixture.peer->Feed(&call, request);
  Response response;
  for (int i = 0; i < 3; ++i) EXPECT(reader->Read(&response));
  call.TryCancel();
  while (reader->Read(&response)) continue;
  EXPECT(reader->Finish().error_code() == StatusCode::CANCELLED);
  EXPECT(server_saw_cancellation(fixture, request.call_name()));
  return "";
}

std::string cancel_bidi(Fixture& fixture) {
  Request request = request_of("hello", 1);
  request.set_call_name("chat " + fixture.run_name);
  Call call;
  const auto stream = fixture.peer->Chat(&call);
  EXPECT(stream->Write(request));
  Response response;
  EXPECT(stream->Read(&response));
  call.TryCancel();
  EXPECT(!stream->Read(&response));
  EXPECT(stream->Finish().error_code() == StatusCode::CANCELLED);
  EXPECT(server_saw_cancellation(fixture, request.call_name()));
  return "";
}

// ---- many, and the shop ----

std::string concurrent(Fixture& fixture) {
  struct Pending {
    Call call;
    Response response;
    Status status;
    std::unique_ptr<grpc::ClientAsyncResponseReader<Response>> reader;
  };
  std::vector<Pending> calls(200);
  grpc::CompletionQueue queue;
  for (std::size_t i = 0; i < calls.size(); ++i) {
    Request request = request_of(std::to_string(i));
    request.set_delay_ms(static_cast<int>(i % 7));
    calls[i].reader = fixture.peer->AsyncUnary(&calls[i].call, request, &queue);
    calls[i].reader->Finish(&calls[i].response, &calls[i].status, &calls[i]);
  }
  for (std::size_t i = 0; i < calls.size(); ++i) {
    void* tag = nullptr;
    bool done = false;
    EXPECT(queue.Next(&tag, &done));
  }
  for (std::size_t i = 0; i < calls.size(); ++i) {
    if (!calls[i].status.ok()) return text_of(calls[i].status);
    EXPECT(calls[i].response.payload() == std::to_string(i));
  }
  return "";
}

std::string prod(Fixture& fixture) {
  const auto shop = ProdService::NewStub(fixture.channel);
  ProdRequest request;
  request.set_prod_id(4);
  ProdResponse response;
  Call call;
  const Status status = shop->GetProdStock(&call, request, &response);
  if (!status.ok()) return text_of(status);
  EXPECT(response.prod_stock() == 80);
  return "";
}

#define CASE(name) {#name, name},
constexpr Case<std::string(Fixture&)> kCases[] = {MINIGRPC_INTEROP_CASES(CASE)};

int run(const std::string& target, const std::vector<std::string>& only) {
  Fixture fixture{grpc::CreateChannel(target, grpc::InsecureChannelCredentials())};
  return run_cases(kCases, only, [&fixture](auto* run) { return run(fixture); });
}

}  // namespace
}  // namespace minigrpc::interop

int main(int argc, char** argv) {
  return minigrpc::interop::client_main(argc, argv, minigrpc::interop::run);
}
