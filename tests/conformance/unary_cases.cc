#include <chrono>
#include <vector>

#include "grpc/testing/test.minigrpc.h"
#include "tests/conformance/cases.h"

namespace minigrpc::conformance {

using grpc::testing::Empty;
using grpc::testing::SimpleRequest;
using grpc::testing::SimpleResponse;
using Client = grpc::testing::TestService::Client;

Status expect_status(const Status& status, StatusCode code, const char* message) {
  const bool as_expected = status.code() == code && (message == nullptr || status.message() == message);
  return as_expected ? Status() : failure("the call ended with " + status.to_string());
}

Status expect_zeros(std::string_view body, std::size_t size) {
  if (body.size() != size)
    return failure("a payload of " + std::to_string(body.size()) + " bytes, not " + std::to_string(size));
  return body.find_first_not_of('\0') == body.npos ? Status() : failure("a payload with other bytes than zeros");
}

Status expect_echoed(const CallDetails& details) {
  if (details.headers.get(kEchoInitial) != kEchoInitialValue) return failure("the initial metadata was not echoed");
  if (details.trailers.get(kEchoTrailing) != kEchoTrailingValue)
    return failure("the trailing metadata was not echoed");
  return Status();
}

Metadata metadata_to_echo() {
  return Metadata{{std::string(kEchoInitial), std::string(kEchoInitialValue)},
                  {std::string(kEchoTrailing), std::string(kEchoTrailingValue)}};
}

namespace {

SimpleRequest large_request() {
  SimpleRequest request;
  request.set_response_size(kLargeResponseSize);
  request.mutable_payload()->mutable_body()->assign(kLargeRequestSize, '\0');
  return request;
}

Status expect_large(const Result<SimpleResponse>& response) {
  if (!response) return failure("the call ended with " + response.error().to_string());
  return expect_zeros(response->payload().body(), kLargeResponseSize);
}

Task<Status> empty_unary(const Setup* setup) {
  auto calling = Client(*setup->channel).EmptyCall(Empty());
  const Result<Empty> answer = co_await std::move(calling);
  co_return expect_status(answer.status(), StatusCode::kOk);
}

Task<Status> large_unary(const Setup* setup) {
  auto calling = Client(*setup->channel).UnaryCall(large_request());
  const Result<SimpleResponse> answer = co_await std::move(calling);
  co_return expect_large(answer);
}

// gRPC's call by GET is gone from all implementations; what is left is that the answers are marked as cacheable, and that
// a cache, if there is one (--behind_cache), gives the same twice.
Task<Status> cacheable_unary(const Setup* setup) {
  SimpleRequest request;
  request.mutable_payload()->set_body(
      std::to_string(std::chrono::system_clock::now().time_since_epoch().count()));
  std::vector<std::string> bodies;
  for (int i = 0; i < 2; ++i) {
    CallDetails details;
    CallOptions options{.details = &details};
    options.metadata.add("x-user-ip", "1.2.3.4");
    auto calling = Client(*setup->channel).CacheableUnaryCall(request, std::move(options));
    const Result<SimpleResponse> answer = co_await std::move(calling);
    if (!answer) co_return failure("the call ended with " + answer.error().to_string());
    if (!details.headers.get("cache-control")) co_return failure("the answer is not marked as cacheable");
    bodies.push_back(answer->payload().body());
  }
  if (bodies[0].empty()) co_return failure("the answer has no payload");
  if (setup->flags->boolean("behind_cache") && bodies[0] != bodies[1]) co_return failure("the answers differ");
  co_return Status();
}

Task<Result<SimpleResponse>> call_large(const Setup* setup, SimpleRequest request, CallOptions options) {
  return Client(*setup->channel).UnaryCall(request, std::move(options));
}

Task<Status> client_compressed_unary(const Setup* setup) {
  SimpleRequest request = large_request();
  request.mutable_expect_compressed()->set_value(true);
  CallOptions probe_options;
  auto probing = call_large(setup, request, std::move(probe_options));
  const Result<SimpleResponse> probe = co_await std::move(probing);
  if (Status status = expect_status(probe.status(), StatusCode::kInvalidArgument); !status.ok()) co_return status;
  for (const bool compress : {true, false}) {
    request.mutable_expect_compressed()->set_value(compress);
    CallOptions options{.compression = compress ? Compression::kGzip : Compression::kIdentity};
    auto calling = call_large(setup, request, std::move(options));
    const Result<SimpleResponse> answer = co_await std::move(calling);
    if (Status status = expect_large(answer); !status.ok()) co_return status;
  }
  co_return Status();
}

Task<Status> server_compressed_unary(const Setup* setup) {
  for (const bool compress : {true, false}) {
    SimpleRequest request = large_request();
    request.mutable_response_compressed()->set_value(compress);
    CallDetails details;
    CallOptions options{.details = &details};
    auto calling = call_large(setup, std::move(request), std::move(options));
    const Result<SimpleResponse> answer = co_await std::move(calling);
    if (Status status = expect_large(answer); !status.ok()) co_return status;
    if (details.message_compressed != compress)
      co_return failure(compress ? "the response is not compressed" : "the response is compressed");
  }
  co_return Status();
}

Task<Status> status_code_and_message(const Setup* setup) {
  constexpr const char* kMessage = "test status message";
  SimpleRequest request;
  request.mutable_response_status()->set_code(2);
  request.mutable_response_status()->set_message(kMessage);
  auto calling = Client(*setup->channel).UnaryCall(request);
  const Result<SimpleResponse> answer = co_await std::move(calling);
  Status status = expect_status(answer.status(), StatusCode::kUnknown, kMessage);
  if (!status.ok()) co_return status;

  grpc::testing::StreamingOutputCallRequest message;
  *message.mutable_response_status() = request.response_status();
  auto stream = Client(*setup->channel).FullDuplexCall();
  co_await stream.write(message);
  co_await stream.writes_done();
  const bool answered = (co_await stream.read()).has_value();
  if (answered) co_return failure("the stream carried a message");
  const Status ended = co_await stream.finish();
  co_return expect_status(ended, StatusCode::kUnknown, kMessage);
}

Task<Status> special_status_message(const Setup* setup) {
  constexpr const char* kMessage =
      "\t\ntest with whitespace\r\nand Unicode BMP \xe2\x98\xba and non-BMP \xf0\x9f\x98\x88\t\n";
  SimpleRequest request;
  request.mutable_response_status()->set_code(2);
  request.mutable_response_status()->set_message(kMessage);
  auto calling = Client(*setup->channel).UnaryCall(request);
  const Result<SimpleResponse> answer = co_await std::move(calling);
  co_return expect_status(answer.status(), StatusCode::kUnknown, kMessage);
}

Task<Status> unimplemented_method(const Setup* setup) {
  auto calling = Client(*setup->channel).UnimplementedCall(Empty());
  const Result<Empty> answer = co_await std::move(calling);
  co_return expect_status(answer.status(), StatusCode::kUnimplemented);
}

Task<Status> unimplemented_service(const Setup* setup) {
  const grpc::testing::UnimplementedService::Client client(*setup->channel);
  auto calling = client.UnimplementedCall(Empty());
  const Result<Empty> answer = co_await std::move(calling);
  co_return expect_status(answer.status(), StatusCode::kUnimplemented);
}

Task<Status> concurrent_large_unary(const Setup* setup) {
  std::vector<Task<Status>> calls;
  for (int i = 0; i < 1000; ++i) calls.push_back(large_unary(setup));
  auto calling = when_all(std::move(calls));
  const std::vector<Status> answers = co_await std::move(calling);
  for (const Status& answer : answers)
    if (!answer.ok()) co_return answer;
  co_return Status();
}

Task<Status> pick_first_unary(const Setup* setup) {
  SimpleRequest request;
  request.set_fill_server_id(true);
  std::string first;
  for (int i = 0; i < 20; ++i) {
    auto calling = Client(*setup->channel).UnaryCall(request);
    const Result<SimpleResponse> answer = co_await std::move(calling);
    if (!answer) co_return failure("the call ended with " + answer.error().to_string());
    if (answer->server_id().empty()) co_return failure("the answer names no server");
    if (i == 0) first = answer->server_id();
    if (answer->server_id() != first) co_return failure("another server answered");
  }
  co_return Status();
}

}  // namespace

std::span<const Case> unary_cases() {
  static constexpr Case kCases[] = {{"empty_unary", empty_unary},
                                    {"cacheable_unary", cacheable_unary},
                                    {"large_unary", large_unary},
                                    {"client_compressed_unary", client_compressed_unary},
                                    {"server_compressed_unary", server_compressed_unary},
                                    {"status_code_and_message", status_code_and_message},
                                    {"special_status_message", special_status_message},
                                    {"unimplemented_method", unimplemented_method},
                                    {"unimplemented_service", unimplemented_service},
                                    {"concurrent_large_unary", concurrent_large_unary},
                                    {"pick_first_unary", pick_first_unary}};
  return kCases;
}

}  // namespace minigrpc::conformance
