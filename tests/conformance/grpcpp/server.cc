// grpc++'s side of gRPC's interoperability tests: interop_server --port=PORT, until SIGTERM.
#include <grpcpp/grpcpp.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdio>
#include <fstream>
#include <mutex>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "grpc/testing/test.grpc.pb.h"
#include "tests/conformance/flags.h"
#include "tests/conformance/grpcpp/compressed.h"
#include "xds/service/orca/v3/orca.grpc.pb.h"

namespace minigrpc::conformance {
namespace {

using grpc::ServerContext;
using grpc::Status;
using grpc::StatusCode;
using grpc::testing::SimpleRequest;
using grpc::testing::SimpleResponse;
using grpc::testing::StreamingInputCallRequest;
using grpc::testing::StreamingInputCallResponse;
using grpc::testing::StreamingOutputCallRequest;
using grpc::testing::StreamingOutputCallResponse;
using xds::data::orca::v3::OrcaLoadReport;
using Writer = grpc::internal::WriterInterface<StreamingOutputCallResponse>;

void echo_metadata(ServerContext* context) {
  for (const auto& [name, value] : context->client_metadata()) {
    const std::string text(value.data(), value.size());
    if (name == "x-grpc-test-echo-initial") context->AddInitialMetadata(std::string(name.data(), name.size()), text);
    if (name == "x-grpc-test-echo-trailing-bin")
      context->AddTrailingMetadata(std::string(name.data(), name.size()), text);
  }
}

template <class Request>
Status requested_status(const Request& request) {
  return Status(static_cast<StatusCode>(request.response_status().code()), request.response_status().message());
}

// The request came as the client says that it sent it.
template <class Request>
Status check_compressed(const ServerContext* context, const Request& request) {
  const bool compressed = grpc::testing::InteropServerContextInspector::compressed(*context);
  if (!request.has_expect_compressed() || request.expect_compressed().value() == compressed) return Status::OK;
  return Status(StatusCode::INVALID_ARGUMENT, "the request came otherwise than it says");
}

OrcaLoadReport report_of(const grpc::testing::TestOrcaReport& requested) {
  OrcaLoadReport report;
  report.set_cpu_utilization(requested.cpu_utilization());
  report.set_mem_utilization(requested.memory_utilization());
  *report.mutable_utilization() = requested.utilization();
  *report.mutable_request_cost() = requested.request_cost();
  return report;
}

// Debian's grpc++ comes without its own recorders of load.
class LoadService final : public xds::service::orca::v3::OpenRcaService::Service {
 public:
  void set(const OrcaLoadReport& report) {
    const std::lock_guard lock(mutex_);
    report_ = report;
  }

 private:
  Status StreamCoreMetrics(ServerContext* context,
                           const xds::service::orca::v3::OrcaLoadReportRequest* request,
                           grpc::ServerWriter<OrcaLoadReport>* writer) override {
    for (;;) {
      OrcaLoadReport report;
      {
        const std::lock_guard lock(mutex_);
        report = report_;
      }
      if (!writer->Write(report)) return Status::CANCELLED;
      const auto next =
          std::chrono::steady_clock::now() + std::chrono::seconds(request->report_interval().seconds());
      while (std::chrono::steady_clock::now() < next && !context->IsCancelled())
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
  }

  std::mutex mutex_;
  OrcaLoadReport report_;
};

class TestService final : public grpc::testing::TestService::Service {
 public:
  // `load` is borrowed.
  explicit TestService(LoadService& load) : load_(load) {}

 private:
  Status EmptyCall(ServerContext* context, const grpc::testing::Empty*, grpc::testing::Empty*) override {
    echo_metadata(context);
    return Status::OK;
  }

  Status UnaryCall(ServerContext* context, const SimpleRequest* request, SimpleResponse* response) override {
    echo_metadata(context);
    if (Status status = check_compressed(context, *request); !status.ok()) return status;
    if (request->has_response_status()) return requested_status(*request);
    if (request->has_orca_per_query_report())
      context->AddTrailingMetadata("endpoint-load-metrics-bin",
                                   report_of(request->orca_per_query_report()).SerializeAsString());
    if (request->response_compressed().value()) context->set_compression_level(GRPC_COMPRESS_LEVEL_HIGH);
    response->mutable_payload()->mutable_body()->assign(static_cast<std::size_t>(request->response_size()), '\0');
    if (request->fill_server_id()) response->set_server_id("grpc++-" + std::to_string(getpid()));
    return Status::OK;
  }

  Status CacheableUnaryCall(ServerContext* context, const SimpleRequest*, SimpleResponse* response) override {
    context->AddInitialMetadata("cache-control", "max-age=60, public");
    const auto now = std::chrono::system_clock::now().time_since_epoch();
    response->mutable_payload()->set_body(std::to_string(now.count()));
    return Status::OK;
  }

  Status StreamingOutputCall(ServerContext* context, const StreamingOutputCallRequest* request,
                             grpc::ServerWriter<StreamingOutputCallResponse>* writer) override {
    echo_metadata(context);
    for (const auto& parameters : request->response_parameters())
      if (parameters.compressed().value()) context->set_compression_level(GRPC_COMPRESS_LEVEL_HIGH);
    answer(*request, writer);
    return request->has_response_status() ? requested_status(*request) : Status::OK;
  }

  Status StreamingInputCall(ServerContext* context, grpc::ServerReader<StreamingInputCallRequest>* reader,
                            StreamingInputCallResponse* response) override {
    echo_metadata(context);
    std::size_t size = 0;
    StreamingInputCallRequest request;
    while (reader->Read(&request)) {
      if (Status status = check_compressed(context, request); !status.ok()) return status;
      size += request.payload().body().size();
    }
    response->set_aggregated_payload_size(static_cast<int>(size));
    return Status::OK;
  }

  Status FullDuplexCall(
      ServerContext* context,
      grpc::ServerReaderWriter<StreamingOutputCallResponse, StreamingOutputCallRequest>* stream) override {
    echo_metadata(context);
    StreamingOutputCallRequest request;
    while (stream->Read(&request)) {
      if (request.has_response_status()) return requested_status(request);
      if (request.has_orca_oob_report()) load_.set(report_of(request.orca_oob_report()));
      answer(request, stream);
    }
    return Status::OK;
  }

  Status HalfDuplexCall(
      ServerContext* context,
      grpc::ServerReaderWriter<StreamingOutputCallResponse, StreamingOutputCallRequest>* stream) override {
    echo_metadata(context);
    std::vector<StreamingOutputCallRequest> requests;
    for (StreamingOutputCallRequest request; stream->Read(&request);) requests.push_back(request);
    for (const StreamingOutputCallRequest& request : requests) answer(request, stream);
    return Status::OK;
  }

  static void answer(const StreamingOutputCallRequest& request, Writer* writer) {
    for (const auto& parameters : request.response_parameters()) {
      if (parameters.interval_us() > 0)
        std::this_thread::sleep_for(std::chrono::microseconds(parameters.interval_us()));
      StreamingOutputCallResponse response;
      response.mutable_payload()->mutable_body()->assign(static_cast<std::size_t>(parameters.size()), '\0');
      grpc::WriteOptions options;
      if (!parameters.compressed().value()) options.set_no_compression();
      if (!writer->Write(response, options)) return;
    }
  }

  LoadService& load_;
};

std::string content_of(const std::string& path) {
  std::ostringstream content;
  content << std::ifstream(path).rdbuf();
  return content.str();
}

}  // namespace
}  // namespace minigrpc::conformance

int main(int argc, char** argv) {
  using namespace minigrpc::conformance;
  const Flags flags(argc, argv, {{"port", "10000"}, {"use_tls", "false"}, {"tls_cert_file", ""}, {"tls_key_file", ""}});
  // Before any thread starts, so that all of them leave the signals to us.
  sigset_t stop;
  sigemptyset(&stop);
  sigaddset(&stop, SIGTERM);
  sigaddset(&stop, SIGINT);
  pthread_sigmask(SIG_BLOCK, &stop, nullptr);

  std::shared_ptr<grpc::ServerCredentials> credentials = grpc::InsecureServerCredentials();
  if (flags.boolean("use_tls")) {
    grpc::SslServerCredentialsOptions options;
    options.pem_key_cert_pairs.push_back(
        {content_of(flags.text("tls_key_file")), content_of(flags.text("tls_cert_file"))});
    credentials = grpc::SslServerCredentials(options);
  }
  LoadService load;
  TestService service(load);
  int port = 0;
  grpc::ServerBuilder builder;
  builder.AddListeningPort("0.0.0.0:" + flags.text("port"), credentials, &port);
  builder.RegisterService(&service);
  builder.RegisterService(&load);
  const std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  if (server == nullptr || port == 0) return 1;
  std::printf("listening %d\n", port);
  std::fflush(stdout);
  int signal = 0;
  sigwait(&stop, &signal);
  server->Shutdown(std::chrono::system_clock::now() + std::chrono::seconds(1));
}
