#include "tests/conformance/test_service.h"

#include <chrono>
#include <utility>
#include <vector>

namespace minigrpc::conformance {

using grpc::testing::Empty;
using grpc::testing::SimpleRequest;
using grpc::testing::SimpleResponse;
using grpc::testing::StreamingInputCallRequest;
using grpc::testing::StreamingInputCallResponse;
using grpc::testing::StreamingOutputCallRequest;
using grpc::testing::StreamingOutputCallResponse;

namespace {

constexpr std::string_view kEchoInitial = "x-grpc-test-echo-initial";
constexpr std::string_view kEchoTrailing = "x-grpc-test-echo-trailing-bin";
constexpr int kResponseSizeMax = 64 << 20;  // what the cases ask for is far below; a peer may ask for more

void echo_metadata(ServerContext& context) {
  if (const auto value = context.metadata().get(kEchoInitial)) context.headers().add(kEchoInitial, *value);
  if (const auto value = context.metadata().get(kEchoTrailing)) context.trailers().add(kEchoTrailing, *value);
}

Status requested_status(const grpc::testing::EchoStatus& status) {
  return Status(status_code_from_number(static_cast<std::uint32_t>(status.code())), status.message());
}

Status check_size(int size) {
  if (size >= 0 && size <= kResponseSizeMax) return Status();
  return Status(StatusCode::kInvalidArgument, "no response has a size of " + std::to_string(size));
}

// The request came as the client says that it sent it.
template <class Request>
Status check_compressed(const ServerContext& context, const Request& request) {
  if (!request.has_expect_compressed() || request.expect_compressed().value() == context.request_compressed())
    return Status();
  return Status(StatusCode::kInvalidArgument, context.request_compressed()
                                                  ? "the request is compressed and should not be"
                                                  : "the request is not compressed and should be");
}

LoadReport requested_report(const grpc::testing::TestOrcaReport& report) {
  return {.cpu_utilization = report.cpu_utilization(),
          .memory_utilization = report.memory_utilization(),
          .utilization = {report.utilization().begin(), report.utilization().end()},
          .request_cost = {report.request_cost().begin(), report.request_cost().end()}};
}

}  // namespace

Task<Result<Empty>> TestService::EmptyCall(ServerContext& context, Empty) {
  echo_metadata(context);
  co_return Empty();
}

Task<Result<SimpleResponse>> TestService::UnaryCall(ServerContext& context, SimpleRequest request) {
  echo_metadata(context);
  if (Status status = check_compressed(context, request); !status.ok()) co_return status;
  if (Status status = check_size(request.response_size()); !status.ok()) co_return status;
  if (request.has_response_status() && request.response_status().code() != 0)
    co_return requested_status(request.response_status());
  if (request.has_orca_per_query_report())
    report_load(context, requested_report(request.orca_per_query_report()));
  if (request.response_compressed().value()) context.set_compression(Compression::kGzip);
  SimpleResponse response;
  response.mutable_payload()->set_type(request.response_type());
  response.mutable_payload()->mutable_body()->assign(static_cast<std::size_t>(request.response_size()), '\0');
  if (request.fill_server_id()) response.set_server_id(server_id_);
  co_return response;
}

Task<Result<SimpleResponse>> TestService::CacheableUnaryCall(ServerContext& context, SimpleRequest) {
  context.headers().add("cache-control", "max-age=60, public");
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  SimpleResponse response;
  response.mutable_payload()->set_body(
      std::to_string(std::chrono::duration_cast<std::chrono::nanoseconds>(now).count()));
  co_return response;
}

Task<Status> TestService::answer(StreamingOutputCallRequest request,
                                 ServerWriter<StreamingOutputCallResponse>* writer) {
  for (const auto& parameters : request.response_parameters()) {
    if (Status status = check_size(parameters.size()); !status.ok()) co_return status;
    if (parameters.interval_us() > 0) {
      const bool slept = co_await runtime_.sleep_for(std::chrono::microseconds(parameters.interval_us()));
      if (!slept) co_return Status(StatusCode::kCancelled, "");
    }
    StreamingOutputCallResponse response;
    response.mutable_payload()->mutable_body()->assign(static_cast<std::size_t>(parameters.size()), '\0');
    const WriteOptions options{.compress = parameters.compressed().value()};
    const bool written = co_await writer->write(response, options);
    if (!written) co_return Status(StatusCode::kCancelled, "");
  }
  co_return Status();
}

Task<Status> TestService::StreamingOutputCall(ServerContext& context, StreamingOutputCallRequest request,
                                              ServerWriter<StreamingOutputCallResponse>& writer) {
  echo_metadata(context);
  // Which of the messages are compressed, each of them says.
  for (const auto& parameters : request.response_parameters())
    if (parameters.compressed().value()) context.set_compression(Compression::kGzip);
  const auto status = request.response_status();
  Status written = co_await answer(std::move(request), &writer);
  if (!written.ok() || status.code() == 0) co_return written;
  co_return requested_status(status);
}

Task<Result<StreamingInputCallResponse>> TestService::StreamingInputCall(
    ServerContext& context, ServerReader<StreamingInputCallRequest>& reader) {
  echo_metadata(context);
  std::size_t size = 0;
  while (std::optional<StreamingInputCallRequest> request = co_await reader.read()) {
    if (Status status = check_compressed(context, *request); !status.ok()) co_return status;
    size += request->payload().body().size();
  }
  StreamingInputCallResponse response;
  response.set_aggregated_payload_size(static_cast<int>(size));
  co_return response;
}

Task<Status> TestService::FullDuplexCall(
    ServerContext& context, ServerStream<StreamingOutputCallRequest, StreamingOutputCallResponse>& stream) {
  echo_metadata(context);
  while (std::optional<StreamingOutputCallRequest> request = co_await stream.read()) {
    if (request->has_response_status() && request->response_status().code() != 0)
      co_return requested_status(request->response_status());
    if (request->has_orca_oob_report()) load_.set(requested_report(request->orca_oob_report()));
    Status answered = co_await answer(*std::move(request), &stream);
    if (!answered.ok()) co_return answered;
  }
  co_return Status();
}

Task<Status> TestService::HalfDuplexCall(
    ServerContext& context, ServerStream<StreamingOutputCallRequest, StreamingOutputCallResponse>& stream) {
  echo_metadata(context);
  std::vector<StreamingOutputCallRequest> requests;
  while (std::optional<StreamingOutputCallRequest> request = co_await stream.read())
    requests.push_back(*std::move(request));
  for (StreamingOutputCallRequest& request : requests) {
    Status answered = co_await answer(std::move(request), &stream);
    if (!answered.ok()) co_return answered;
  }
  co_return Status();
}

}  // namespace minigrpc::conformance
