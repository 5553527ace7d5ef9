// grpc++'s side of gRPC's interoperability tests: interop_client --server_host=HOST --server_port=PORT --test_case=NAME.
// Exits with 0 where the case holds, and says otherwise why it does not.
#include <grpcpp/grpcpp.h>

#include <array>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <functional>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "grpc/testing/test.grpc.pb.h"
#include "tests/conformance/flags.h"
#include "tests/conformance/grpcpp/compressed.h"
#include "xds/service/orca/v3/orca.grpc.pb.h"

// Ends the case with what was expected; a case returns why it failed, or nothing.
#define EXPECT(condition) \
  if (!(condition)) return std::string("not so: " #condition)
#define EXPECT_STATUS(status, expected_code) \
  if ((status).error_code() != grpc::StatusCode::expected_code) return text_of(status)

namespace minigrpc::conformance {
namespace {

using grpc::ClientContext;
using grpc::Status;
using grpc::testing::Empty;
using grpc::testing::SimpleRequest;
using grpc::testing::SimpleResponse;
using grpc::testing::StreamingInputCallRequest;
using grpc::testing::StreamingInputCallResponse;
using grpc::testing::StreamingOutputCallRequest;
using grpc::testing::StreamingOutputCallResponse;
using grpc::testing::TestService;
using Inspector = grpc::testing::InteropClientContextInspector;
using std::chrono::steady_clock;

constexpr std::size_t kLargeRequestSize = 271828;
constexpr int kLargeResponseSize = 314159;
constexpr std::array<std::size_t, 4> kRequestSizes = {27182, 8, 1828, 45904};
constexpr std::array<int, 4> kResponseSizes = {31415, 9, 2653, 58979};
constexpr const char* kEchoInitial = "x-grpc-test-echo-initial";
constexpr const char* kEchoInitialValue = "test_initial_metadata_value";
constexpr const char* kEchoTrailing = "x-grpc-test-echo-trailing-bin";
constexpr const char* kEchoTrailingValue = "\xab\xab\xab";

struct Setup {
  std::function<std::shared_ptr<grpc::Channel>()> new_channel;
  std::shared_ptr<grpc::Channel> channel;
  std::unique_ptr<TestService::Stub> stub;
  const Flags* flags;
};

// A context with a bound, so that a case that would hang fails.
struct Call : ClientContext {
  explicit Call(std::chrono::milliseconds timeout = std::chrono::seconds(90)) {
    set_deadline(std::chrono::system_clock::now() + timeout);
  }
};

std::string text_of(const Status& status) {
  return "the call ended with " + std::to_string(status.error_code()) + ": " + status.error_message();
}

bool are_zeros(const grpc::testing::Payload& payload, int size) {
  return payload.body() == std::string(static_cast<std::size_t>(size), '\0');
}

template <class Request>
void fill(Request* request, std::size_t size) {
  request->mutable_payload()->mutable_body()->assign(size, '\0');
}

SimpleRequest large_request() {
  SimpleRequest request;
  request.set_response_size(kLargeResponseSize);
  fill(&request, kLargeRequestSize);
  return request;
}

StreamingInputCallRequest input_of(std::size_t size) {
  StreamingInputCallRequest request;
  fill(&request, size);
  return request;
}

StreamingOutputCallRequest output_of(int response_size, std::size_t request_size) {
  StreamingOutputCallRequest request;
  request.add_response_parameters()->set_size(response_size);
  fill(&request, request_size);
  return request;
}

// ---- unary ----

std::string empty_unary(const Setup& setup) {
  Call call;
  Empty answer;
  EXPECT_STATUS(setup.stub->EmptyCall(&call, Empty(), &answer), OK);
  return "";
}

std::string large_unary(const Setup& setup) {
  Call call;
  SimpleResponse answer;
  EXPECT_STATUS(setup.stub->UnaryCall(&call, large_request(), &answer), OK);
  EXPECT(are_zeros(answer.payload(), kLargeResponseSize));
  return "";
}

// As minigrpc's client has it: the answers are marked as cacheable.
std::string cacheable_unary(const Setup& setup) {
  SimpleRequest request;
  fill(&request, 8);
  for (int i = 0; i < 2; ++i) {
    Call call;
    call.AddMetadata("x-user-ip", "1.2.3.4");
    SimpleResponse answer;
    EXPECT_STATUS(setup.stub->CacheableUnaryCall(&call, request, &answer), OK);
    EXPECT(!answer.payload().body().empty());
    EXPECT(call.GetServerInitialMetadata().count("cache-control") == 1);
  }
  return "";
}

std::string client_compressed_unary(const Setup& setup) {
  SimpleRequest request = large_request();
  request.mutable_expect_compressed()->set_value(true);
  Call probe;
  SimpleResponse refused;
  EXPECT_STATUS(setup.stub->UnaryCall(&probe, request, &refused), INVALID_ARGUMENT);
  for (const bool compress : {true, false}) {
    request.mutable_expect_compressed()->set_value(compress);
    Call call;
    if (compress) call.set_compression_algorithm(GRPC_COMPRESS_GZIP);
    SimpleResponse answer;
    EXPECT_STATUS(setup.stub->UnaryCall(&call, request, &answer), OK);
    EXPECT(are_zeros(answer.payload(), kLargeResponseSize));
  }
  return "";
}

std::string server_compressed_unary(const Setup& setup) {
  for (const bool compress : {true, false}) {
    SimpleRequest request = large_request();
    request.mutable_response_compressed()->set_value(compress);
    Call call;
    SimpleResponse answer;
    EXPECT_STATUS(setup.stub->UnaryCall(&call, request, &answer), OK);
    EXPECT(Inspector::compressed(call) == compress);
    EXPECT(are_zeros(answer.payload(), kLargeResponseSize));
  }
  return "";
}

std::string expect_status_and_message(const Setup& setup, const std::string& message) {
  SimpleRequest request;
  request.mutable_response_status()->set_code(grpc::StatusCode::UNKNOWN);
  request.mutable_response_status()->set_message(message);
  Call call;
  SimpleResponse answer;
  const Status status = setup.stub->UnaryCall(&call, request, &answer);
  EXPECT_STATUS(status, UNKNOWN);
  EXPECT(status.error_message() == message);
  return "";
}

std::string status_code_and_message(const Setup& setup) {
  const std::string message = "test status message";
  if (std::string why = expect_status_and_message(setup, message); !why.empty()) return why;
  Call call;
  const auto stream = setup.stub->FullDuplexCall(&call);
  StreamingOutputCallRequest request;
  request.mutable_response_status()->set_code(grpc::StatusCode::UNKNOWN);
  request.mutable_response_status()->set_message(message);
  stream->Write(request);
  stream->WritesDone();
  StreamingOutputCallResponse response;
  EXPECT(!stream->Read(&response));
  const Status status = stream->Finish();
  EXPECT_STATUS(status, UNKNOWN);
  EXPECT(status.error_message() == message);
  return "";
}

std::string special_status_message(const Setup& setup) {
  return expect_status_and_message(
      setup, "\t\ntest with whitespace\r\nand Unicode BMP \xe2\x98\xba and non-BMP \xf0\x9f\x98\x88\t\n");
}

std::string unimplemented_method(const Setup& setup) {
  Call call;
  Empty answer;
  EXPECT_STATUS(setup.stub->UnimplementedCall(&call, Empty(), &answer), UNIMPLEMENTED);
  return "";
}

std::string unimplemented_service(const Setup& setup) {
  Call call;
  Empty answer;
  const auto stub = grpc::testing::UnimplementedService::NewStub(setup.channel);
  EXPECT_STATUS(stub->UnimplementedCall(&call, Empty(), &answer), UNIMPLEMENTED);
  return "";
}

std::string concurrent_large_unary(const Setup& setup) {
  struct One {
    Call call;
    SimpleResponse answer;
    Status status;
    std::unique_ptr<grpc::ClientAsyncResponseReader<SimpleResponse>> reader;
  };
  grpc::CompletionQueue queue;
  std::vector<One> calls(1000);
  const SimpleRequest request = large_request();
  for (One& one : calls) {
    one.reader = setup.stub->AsyncUnaryCall(&one.call, request, &queue);
    one.reader->Finish(&one.answer, &one.status, &one);
  }
  std::string why;
  for (std::size_t i = 0; i < calls.size(); ++i) {
    void* tag = nullptr;
    bool ok = false;
    queue.Next(&tag, &ok);
    const One& one = *static_cast<One*>(tag);
    if (!one.status.ok()) why = text_of(one.status);
    if (one.status.ok() && !are_zeros(one.answer.payload(), kLargeResponseSize)) why = "a payload is not what was asked";
  }
  return why;
}

std::string pick_first_unary(const Setup& setup) {
  SimpleRequest request;
  request.set_fill_server_id(true);
  std::string first;
  for (int i = 0; i < 20; ++i) {
    Call call;
    SimpleResponse answer;
    EXPECT_STATUS(setup.stub->UnaryCall(&call, request, &answer), OK);
    EXPECT(!answer.server_id().empty());
    if (i == 0) first = answer.server_id();
    EXPECT(answer.server_id() == first);
  }
  return "";
}

// ---- streams ----

std::string client_streaming(const Setup& setup) {
  Call call;
  StreamingInputCallResponse answer;
  const auto writer = setup.stub->StreamingInputCall(&call, &answer);
  for (const std::size_t size : kRequestSizes) EXPECT(writer->Write(input_of(size)));
  writer->WritesDone();
  EXPECT_STATUS(writer->Finish(), OK);
  EXPECT(answer.aggregated_payload_size() == 74922);
  return "";
}

std::string client_compressed_streaming(const Setup& setup) {
  StreamingInputCallRequest first = input_of(27182);
  first.mutable_expect_compressed()->set_value(true);
  StreamingInputCallResponse answer;
  Call probe;
  const auto probing = setup.stub->StreamingInputCall(&probe, &answer);
  probing->Write(first);
  probing->WritesDone();
  EXPECT_STATUS(probing->Finish(), INVALID_ARGUMENT);

  Call call;
  call.set_compression_algorithm(GRPC_COMPRESS_GZIP);
  const auto writer = setup.stub->StreamingInputCall(&call, &answer);
  EXPECT(writer->Write(first));
  StreamingInputCallRequest second = input_of(45904);
  second.mutable_expect_compressed()->set_value(false);
  EXPECT(writer->Write(second, grpc::WriteOptions().set_no_compression()));
  writer->WritesDone();
  EXPECT_STATUS(writer->Finish(), OK);
  EXPECT(answer.aggregated_payload_size() == 73086);
  return "";
}

std::string server_streaming(const Setup& setup) {
  StreamingOutputCallRequest request;
  for (const int size : kResponseSizes) request.add_response_parameters()->set_size(size);
  Call call;
  const auto reader = setup.stub->StreamingOutputCall(&call, request);
  StreamingOutputCallResponse response;
  for (const int size : kResponseSizes) {
    EXPECT(reader->Read(&response));
    EXPECT(are_zeros(response.payload(), size));
  }
  EXPECT(!reader->Read(&response));
  EXPECT_STATUS(reader->Finish(), OK);
  return "";
}

std::string server_compressed_streaming(const Setup& setup) {
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
  Call call;
  const auto reader = setup.stub->StreamingOutputCall(&call, request);
  StreamingOutputCallResponse response;
  for (const Part& part : kParts) {
    EXPECT(reader->Read(&response));
    EXPECT(Inspector::compressed(call) == part.compressed);
    EXPECT(are_zeros(response.payload(), part.size));
  }
  EXPECT(!reader->Read(&response));
  EXPECT_STATUS(reader->Finish(), OK);
  return "";
}

std::string ping_pong(const Setup& setup) {
  Call call;
  const auto stream = setup.stub->FullDuplexCall(&call);
  StreamingOutputCallResponse response;
  for (std::size_t i = 0; i < kRequestSizes.size(); ++i) {
    EXPECT(stream->Write(output_of(kResponseSizes[i], kRequestSizes[i])));
    EXPECT(stream->Read(&response));
    EXPECT(are_zeros(response.payload(), kResponseSizes[i]));
  }
  stream->WritesDone();
  EXPECT(!stream->Read(&response));
  EXPECT_STATUS(stream->Finish(), OK);
  return "";
}

std::string empty_stream(const Setup& setup) {
  Call call;
  const auto stream = setup.stub->FullDuplexCall(&call);
  stream->WritesDone();
  StreamingOutputCallResponse response;
  EXPECT(!stream->Read(&response));
  EXPECT_STATUS(stream->Finish(), OK);
  return "";
}

std::string expect_echoed(const ClientContext& call) {
  const auto initial = call.GetServerInitialMetadata().find(kEchoInitial);
  EXPECT(initial != call.GetServerInitialMetadata().end() && initial->second == kEchoInitialValue);
  const auto trailing = call.GetServerTrailingMetadata().find(kEchoTrailing);
  EXPECT(trailing != call.GetServerTrailingMetadata().end() && trailing->second == kEchoTrailingValue);
  return "";
}

std::string custom_metadata(const Setup& setup) {
  Call unary;
  unary.AddMetadata(kEchoInitial, kEchoInitialValue);
  unary.AddMetadata(kEchoTrailing, kEchoTrailingValue);
  SimpleResponse answer;
  EXPECT_STATUS(setup.stub->UnaryCall(&unary, large_request(), &answer), OK);
  if (std::string why = expect_echoed(unary); !why.empty()) return why;

  Call call;
  call.AddMetadata(kEchoInitial, kEchoInitialValue);
  call.AddMetadata(kEchoTrailing, kEchoTrailingValue);
  const auto stream = setup.stub->FullDuplexCall(&call);
  EXPECT(stream->Write(output_of(kLargeResponseSize, kLargeRequestSize)));
  stream->WritesDone();
  StreamingOutputCallResponse response;
  EXPECT(stream->Read(&response));
  EXPECT(!stream->Read(&response));
  EXPECT_STATUS(stream->Finish(), OK);
  return expect_echoed(call);
}

std::string cancel_after_begin(const Setup& setup) {
  Call call;
  StreamingInputCallResponse answer;
  const auto writer = setup.stub->StreamingInputCall(&call, &answer);
  call.TryCancel();
  EXPECT_STATUS(writer->Finish(), CANCELLED);
  return "";
}

std::string cancel_after_first_response(const Setup& setup) {
  Call call;
  const auto stream = setup.stub->FullDuplexCall(&call);
  EXPECT(stream->Write(output_of(31415, 27182)));
  StreamingOutputCallResponse response;
  EXPECT(stream->Read(&response));
  EXPECT(are_zeros(response.payload(), 31415));
  call.TryCancel();
  EXPECT_STATUS(stream->Finish(), CANCELLED);
  return "";
}

std::string timeout_on_sleeping_server(const Setup& setup) {
  Call call(std::chrono::milliseconds(1));
  const auto stream = setup.stub->FullDuplexCall(&call);
  StreamingOutputCallRequest request;
  fill(&request, 27182);
  stream->Write(request);
  StreamingOutputCallResponse response;
  EXPECT(!stream->Read(&response));
  EXPECT_STATUS(stream->Finish(), DEADLINE_EXCEEDED);
  return "";
}

// ---- soak ----

// Whether one iteration is as it should be.
bool iterate(TestService::Stub& stub, const Flags& flags) {
  SimpleRequest request;
  request.set_response_size(flags.number("soak_response_size"));
  fill(&request, static_cast<std::size_t>(flags.number("soak_request_size")));
  const auto begin = steady_clock::now();
  Call call;
  SimpleResponse answer;
  const Status status = stub.UnaryCall(&call, request, &answer);
  return status.ok() && are_zeros(answer.payload(), request.response_size()) &&
         steady_clock::now() - begin <= flags.milliseconds("soak_per_iteration_max_acceptable_latency_ms");
}

std::string soak(const Setup& setup, const std::function<void()>& before_each, TestService::Stub* const* stub) {
  const Flags& flags = *setup.flags;
  const auto end = steady_clock::now() + std::chrono::seconds(flags.number("soak_overall_timeout_seconds"));
  int failures = 0;
  for (int i = 0; i < flags.number("soak_iterations"); ++i) {
    if (steady_clock::now() > end) return "only " + std::to_string(i) + " iterations fitted into the time";
    const auto begin = steady_clock::now();
    before_each();
    if (!iterate(**stub, flags)) ++failures;
    std::this_thread::sleep_until(begin + flags.milliseconds("soak_min_time_ms_between_rpcs"));
  }
  return failures > flags.number("soak_max_failures") ? std::to_string(failures) + " iterations failed" : "";
}

std::string rpc_soak(const Setup& setup) {
  TestService::Stub* const stub = setup.stub.get();
  return soak(setup, [] {}, &stub);
}

std::string channel_soak(const Setup& setup) {
  std::unique_ptr<TestService::Stub> own;
  TestService::Stub* stub = nullptr;
  const auto connect = [&] {
    own = TestService::NewStub(setup.new_channel());
    stub = own.get();
  };
  return soak(setup, connect, &stub);
}

// ---- reports of load ----
//
// grpc++ has no policies of a user's own, which could listen to them. So these look at what arrived.

using xds::data::orca::v3::OrcaLoadReport;

bool has_entry(const google::protobuf::Map<std::string, double>& map, const std::string& name, double value) {
  return map.size() == 1 && map.count(name) == 1 && map.at(name) == value;
}

std::string orca_per_rpc(const Setup& setup) {
  SimpleRequest request;
  grpc::testing::TestOrcaReport& expected = *request.mutable_orca_per_query_report();
  expected.set_cpu_utilization(0.8210);
  expected.set_memory_utilization(0.5847);
  (*expected.mutable_request_cost())["cost"] = 3456.32;
  (*expected.mutable_utilization())["util"] = 0.30499;
  Call call;
  SimpleResponse answer;
  EXPECT_STATUS(setup.stub->UnaryCall(&call, request, &answer), OK);
  const auto found = call.GetServerTrailingMetadata().find("endpoint-load-metrics-bin");
  EXPECT(found != call.GetServerTrailingMetadata().end());
  OrcaLoadReport report;
  EXPECT(report.ParseFromArray(found->second.data(), static_cast<int>(found->second.size())));
  EXPECT(report.cpu_utilization() == 0.8210 && report.mem_utilization() == 0.5847);
  EXPECT(has_entry(report.request_cost(), "cost", 3456.32));
  EXPECT(has_entry(report.utilization(), "util", 0.30499));
  return "";
}

std::string orca_oob(const Setup& setup) {
  Call watch;
  xds::service::orca::v3::OrcaLoadReportRequest interval;
  interval.mutable_report_interval()->set_seconds(1);
  const auto stub = xds::service::orca::v3::OpenRcaService::NewStub(setup.channel);
  const auto reports = stub->StreamCoreMetrics(&watch, interval);
  Call call;
  const auto stream = setup.stub->FullDuplexCall(&call);
  struct Load {
    double cpu, memory, util;
  };
  for (const Load& load : {Load{0.8210, 0.5847, 0.30499}, Load{0.29309, 0.2, 0.2039}}) {
    StreamingOutputCallRequest request;
    request.mutable_orca_oob_report()->set_cpu_utilization(load.cpu);
    request.mutable_orca_oob_report()->set_memory_utilization(load.memory);
    (*request.mutable_orca_oob_report()->mutable_utilization())["util"] = load.util;
    request.add_response_parameters()->set_size(1);
    EXPECT(stream->Write(request));
    StreamingOutputCallResponse response;
    EXPECT(stream->Read(&response));
    OrcaLoadReport report;
    do EXPECT(reports->Read(&report));
    while (report.cpu_utilization() != load.cpu);
    EXPECT(report.mem_utilization() == load.memory);
    EXPECT(has_entry(report.utilization(), "util", load.util));
  }
  watch.TryCancel();
  stream->WritesDone();
  EXPECT_STATUS(stream->Finish(), OK);
  return "";
}

struct Case {
  const char* name;
  std::string (*run)(const Setup& setup);
};

#define CASE(name) \
  { #name, name }
constexpr Case kCases[] = {CASE(empty_unary),
                           CASE(cacheable_unary),
                           CASE(large_unary),
                           CASE(client_compressed_unary),
                           CASE(server_compressed_unary),
                           CASE(status_code_and_message),
                           CASE(special_status_message),
                           CASE(unimplemented_method),
                           CASE(unimplemented_service),
                           CASE(concurrent_large_unary),
                           CASE(pick_first_unary),
                           CASE(client_streaming),
                           CASE(client_compressed_streaming),
                           CASE(server_streaming),
                           CASE(server_compressed_streaming),
                           CASE(ping_pong),
                           CASE(empty_stream),
                           CASE(custom_metadata),
                           CASE(cancel_after_begin),
                           CASE(cancel_after_first_response),
                           CASE(timeout_on_sleeping_server),
                           CASE(rpc_soak),
                           CASE(channel_soak),
                           CASE(orca_per_rpc),
                           CASE(orca_oob)};
#undef CASE

Flags read_flags(int argc, char** argv) {
  return Flags(argc, argv,
               {{"server_host", "localhost"},
                {"server_port", "10000"},
                {"server_host_override", ""},
                {"test_case", "large_unary"},
                {"use_tls", "false"},
                {"use_test_ca", "false"},
                {"ca_file", ""},
                {"soak_iterations", "10"},
                {"soak_max_failures", "0"},
                {"soak_per_iteration_max_acceptable_latency_ms", "1000"},
                {"soak_overall_timeout_seconds", "60"},
                {"soak_min_time_ms_between_rpcs", "0"},
                {"soak_request_size", "271828"},
                {"soak_response_size", "314159"}});
}

std::shared_ptr<grpc::Channel> connect(const Flags& flags) {
  grpc::ChannelArguments arguments;
  // Otherwise all channels to one address share a connection, and channel_soak tests nothing.
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  std::shared_ptr<grpc::ChannelCredentials> credentials = grpc::InsecureChannelCredentials();
  if (flags.boolean("use_tls")) {
    std::ostringstream authority;
    authority << std::ifstream(flags.text("ca_file")).rdbuf();
    credentials = grpc::SslCredentials({.pem_root_certs = authority.str(), .pem_private_key = "", .pem_cert_chain = ""});
    if (!flags.text("server_host_override").empty())
      arguments.SetSslTargetNameOverride(flags.text("server_host_override"));
  }
  return grpc::CreateCustomChannel(flags.text("server_host") + ":" + flags.text("server_port"), credentials, arguments);
}

}  // namespace
}  // namespace minigrpc::conformance

int main(int argc, char** argv) {
  using namespace minigrpc::conformance;
  const Flags flags = read_flags(argc, argv);
  const auto new_channel = [&flags] { return connect(flags); };
  const std::shared_ptr<grpc::Channel> channel = new_channel();
  const Setup setup{
      .new_channel = new_channel, .channel = channel, .stub = TestService::NewStub(channel), .flags = &flags};
  for (const Case& one : kCases) {
    if (flags.text("test_case") != one.name) continue;
    const std::string why = one.run(setup);
    std::printf("%s %s%s%s\n", why.empty() ? "ok" : "FAIL", one.name, why.empty() ? "" : ": ", why.c_str());
    return why.empty() ? 0 : 1;
  }
  std::fprintf(stderr, "interop_client: no case %s\n", flags.text("test_case").c_str());
  return 2;
}
