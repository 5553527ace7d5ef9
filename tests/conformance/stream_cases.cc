#include <array>
#include <vector>

#include "grpc/testing/test.minigrpc.h"
#include "tests/conformance/cases.h"

namespace minigrpc::conformance {

using namespace std::chrono_literals;
using grpc::testing::SimpleRequest;
using grpc::testing::SimpleResponse;
using grpc::testing::StreamingInputCallRequest;
using grpc::testing::StreamingInputCallResponse;
using grpc::testing::StreamingOutputCallRequest;
using grpc::testing::StreamingOutputCallResponse;
using Client = grpc::testing::TestService::Client;
using DuplexStream = ClientStream<StreamingOutputCallRequest, StreamingOutputCallResponse>;

namespace {

constexpr std::array<std::size_t, 4> kRequestSizes = {27182, 8, 1828, 45904};
constexpr std::array<int, 4> kResponseSizes = {31415, 9, 2653, 58979};

StreamingInputCallRequest input_of(std::size_t size) {
  StreamingInputCallRequest request;
  request.mutable_payload()->mutable_body()->assign(size, '\0');
  return request;
}

StreamingOutputCallRequest output_of(int response_size, std::size_t request_size) {
  StreamingOutputCallRequest request;
  request.add_response_parameters()->set_size(response_size);
  request.mutable_payload()->mutable_body()->assign(request_size, '\0');
  return request;
}

Status expect_aggregated(const Result<StreamingInputCallResponse>& answer, int size) {
  if (!answer) return failure("the call ended with " + answer.error().to_string());
  if (answer->aggregated_payload_size() == size) return Status();
  return failure("the server counted " + std::to_string(answer->aggregated_payload_size()) + " bytes, not " +
                 std::to_string(size));
}

Status expect_message(const std::optional<StreamingOutputCallResponse>& message, int size) {
  if (!message) return failure("the stream ended early");
  return expect_zeros(message->payload().body(), static_cast<std::size_t>(size));
}

Task<Status> client_streaming(const Setup* setup) {
  auto writer = Client(*setup->channel).StreamingInputCall();
  for (const std::size_t size : kRequestSizes) {
    const StreamingInputCallRequest request = input_of(size);
    const bool written = co_await writer.write(request);
    if (!written) break;
  }
  auto finishing = writer.finish();
  const Result<StreamingInputCallResponse> answer = co_await std::move(finishing);
  co_return expect_aggregated(answer, 74922);
}

Task<Status> client_compressed_streaming(const Setup* setup) {
  StreamingInputCallRequest first = input_of(27182);
  first.mutable_expect_compressed()->set_value(true);
  auto probe = Client(*setup->channel).StreamingInputCall();
  co_await probe.write(first);
  auto probing = probe.finish();
  const Result<StreamingInputCallResponse> refused = co_await std::move(probing);
  Status status = expect_status(refused.status(), StatusCode::kInvalidArgument);
  if (!status.ok()) co_return status;

  CallOptions options{.compression = Compression::kGzip};
  auto writer = Client(*setup->channel).StreamingInputCall(std::move(options));
  co_await writer.write(first);
  StreamingInputCallRequest second = input_of(45904);
  second.mutable_expect_compressed()->set_value(false);
  const WriteOptions uncompressed{.compress = false};
  co_await writer.write(second, uncompressed);
  auto finishing = writer.finish();
  const Result<StreamingInputCallResponse> answer = co_await std::move(finishing);
  co_return expect_aggregated(answer, 73086);
}

Task<Status> server_streaming(const Setup* setup) {
  StreamingOutputCallRequest request;
  for (const int size : kResponseSizes) request.add_response_parameters()->set_size(size);
  auto reader = Client(*setup->channel).StreamingOutputCall(request);
  for (const int size : kResponseSizes) {
    const std::optional<StreamingOutputCallResponse> message = co_await reader.read();
    if (Status status = expect_message(message, size); !status.ok()) co_return status;
  }
  const bool more = (co_await reader.read()).has_value();
  if (more) co_return failure("the stream has a fifth message");
  const Status ended = co_await reader.finish();
  co_return expect_status(ended, StatusCode::kOk);
}

Task<Status> server_compressed_streaming(const Setup* setup) {
  struct Part {
    int size;
    bool compressed;
  };
  constexpr Part kParts[] = {{31415, true}, {92653, false}};
  StreamingOutputCallRequest request;
  for (const Part& part : kParts) {
    auto* parameters = request.add_response_parameters();
    parameters->set_size(part.size);
    parameters->mutable_compressed()->set_value(part.compressed);
  }
  CallDetails details;
  CallOptions options{.details = &details};
  auto reader = Client(*setup->channel).StreamingOutputCall(request, std::move(options));
  for (const Part& part : kParts) {
    const std::optional<StreamingOutputCallResponse> message = co_await reader.read();
    if (Status status = expect_message(message, part.size); !status.ok()) co_return status;
    if (details.message_compressed != part.compressed)
      co_return failure(part.compressed ? "a message is not compressed" : "a message is compressed");
  }
  const bool more = (co_await reader.read()).has_value();
  if (more) co_return failure("the stream has a third message");
  const Status ended = co_await reader.finish();
  co_return expect_status(ended, StatusCode::kOk);
}

Task<Status> ping_pong(const Setup* setup) {
  DuplexStream stream = Client(*setup->channel).FullDuplexCall();
  for (std::size_t i = 0; i < kRequestSizes.size(); ++i) {
    const StreamingOutputCallRequest request = output_of(kResponseSizes[i], kRequestSizes[i]);
    co_await stream.write(request);
    const std::optional<StreamingOutputCallResponse> message = co_await stream.read();
    if (Status status = expect_message(message, kResponseSizes[i]); !status.ok()) co_return status;
  }
  co_await stream.writes_done();
  const bool more = (co_await stream.read()).has_value();
  if (more) co_return failure("the stream has a fifth message");
  const Status ended = co_await stream.finish();
  co_return expect_status(ended, StatusCode::kOk);
}

Task<Status> empty_stream(const Setup* setup) {
  DuplexStream stream = Client(*setup->channel).FullDuplexCall();
  co_await stream.writes_done();
  const bool any = (co_await stream.read()).has_value();
  if (any) co_return failure("the stream has a message");
  const Status ended = co_await stream.finish();
  co_return expect_status(ended, StatusCode::kOk);
}

Task<Status> custom_metadata(const Setup* setup) {
  SimpleRequest request;
  request.set_response_size(kLargeResponseSize);
  request.mutable_payload()->mutable_body()->assign(kLargeRequestSize, '\0');
  CallDetails unary_details;
  CallOptions unary_options{.metadata = metadata_to_echo(), .details = &unary_details};
  auto calling = Client(*setup->channel).UnaryCall(request, std::move(unary_options));
  const Result<SimpleResponse> answer = co_await std::move(calling);
  if (!answer) co_return failure("the call ended with " + answer.error().to_string());
  if (Status status = expect_echoed(unary_details); !status.ok()) co_return status;

  CallDetails details;
  CallOptions options{.metadata = metadata_to_echo(), .details = &details};
  DuplexStream stream = Client(*setup->channel).FullDuplexCall(std::move(options));
  const StreamingOutputCallRequest message = output_of(kLargeResponseSize, kLargeRequestSize);
  co_await stream.write(message);
  co_await stream.writes_done();
  while (co_await stream.read()) continue;
  const Status ended = co_await stream.finish();
  if (!ended.ok()) co_return failure("the stream ended with " + ended.to_string());
  co_return expect_echoed(details);
}

Task<Status> cancel_after_begin(const Setup* setup) {
  auto writer = Client(*setup->channel).StreamingInputCall();
  // A call begins with its first operation.
  const StreamingInputCallRequest request = input_of(27182);
  co_await writer.write(request);
  writer.cancel();
  auto finishing = writer.finish();
  const Result<StreamingInputCallResponse> answer = co_await std::move(finishing);
  co_return expect_status(answer.status(), StatusCode::kCancelled);
}

Task<Status> cancel_after_first_response(const Setup* setup) {
  DuplexStream stream = Client(*setup->channel).FullDuplexCall();
  const StreamingOutputCallRequest request = output_of(31415, 27182);
  co_await stream.write(request);
  const std::optional<StreamingOutputCallResponse> message = co_await stream.read();
  if (Status status = expect_message(message, 31415); !status.ok()) co_return status;
  stream.cancel();
  const Status ended = co_await stream.finish();
  co_return expect_status(ended, StatusCode::kCancelled);
}

Task<Status> timeout_on_sleeping_server(const Setup* setup) {
  CallOptions options{.timeout = 1ms};
  DuplexStream stream = Client(*setup->channel).FullDuplexCall(std::move(options));
  StreamingOutputCallRequest request;
  request.mutable_payload()->mutable_body()->assign(27182, '\0');
  // It may be over before this is sent; that is not what the case is about.
  co_await stream.write(request);
  const bool any = (co_await stream.read()).has_value();
  if (any) co_return failure("the stream has a message");
  const Status ended = co_await stream.finish();
  co_return expect_status(ended, StatusCode::kDeadlineExceeded);
}

}  // namespace

std::span<const Case> stream_cases() {
  static constexpr Case kCases[] = {{"client_streaming", client_streaming},
                                    {"client_compressed_streaming", client_compressed_streaming},
                                    {"server_streaming", server_streaming},
                                    {"server_compressed_streaming", server_compressed_streaming},
                                    {"ping_pong", ping_pong},
                                    {"empty_stream", empty_stream},
                                    {"custom_metadata", custom_metadata},
                                    {"cancel_after_begin", cancel_after_begin},
                                    {"cancel_after_first_response", cancel_after_first_response},
                                    {"timeout_on_sleeping_server", timeout_on_sleeping_server}};
  return kCases;
}

}  // namespace minigrpc::conformance
