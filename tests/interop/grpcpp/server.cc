// grpc++'s side of peer.proto, and the shop's service.
//
//   grpcpp_peer_server [PORT]     serves 127.0.0.1:PORT (0, the default: any), says "listening PORT", until SIGTERM
#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <mutex>
#include <set>
#include <string>
#include <thread>

#include "Prod.grpc.pb.h"
#include "peer.grpc.pb.h"

namespace minigrpc::interop {
namespace {

using grpc::ServerContext;
using std::chrono::milliseconds;

void echo_metadata(ServerContext& context) {
  for (const auto& [name, value] : context.client_metadata()) {
    const std::string key(name.data(), name.size());
    if (key.starts_with("x-echo-")) context.AddInitialMetadata(key, {value.data(), value.size()});
    if (key.starts_with("x-trail-")) context.AddTrailingMetadata(key, {value.data(), value.size()});
  }
}

std::string pattern(int size) {
  std::string bytes(static_cast<std::size_t>(size), '\0');
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<char>(i % 251);
  return bytes;
}

grpc::Status failure_of(const Request& request) {
  if (!request.has_fail()) return grpc::Status::OK;
  const Failure& fail = request.fail();
  return grpc::Status(static_cast<grpc::StatusCode>(fail.code()), fail.message(), fail.details());
}

struct Received {
  int count = 0;
  std::int64_t size = 0;
  void add(const Request& request) {
    ++count;
    size += static_cast<std::int64_t>(request.payload().size());
  }
};

Response response_to(const ServerContext& context, const Request& request, const Received& received) {
  Response response;
  response.set_payload(request.response_size() > 0 ? pattern(request.response_size()) : request.payload());
  response.set_received_count(received.count);
  response.set_received_size(received.size);
  const bool unbounded = context.raw_deadline().tv_sec == gpr_inf_future(GPR_CLOCK_REALTIME).tv_sec;
  const auto left = std::chrono::duration_cast<milliseconds>(context.deadline() - std::chrono::system_clock::now());
  response.set_deadline_left_ms(unbounded ? -1 : std::max<std::int64_t>(left.count(), 0));
  return response;
}

const grpc::Status kCancelled(grpc::StatusCode::CANCELLED, "cancelled");

class PeerService final : public Peer::Service {
  grpc::Status Unary(ServerContext* context, const Request* request, Response* response) override {
    echo_metadata(*context);
    Received received;
    received.add(*request);
    if (!wait(*context, *request)) return kCancelled;
    *response = response_to(*context, *request, received);
    return failure_of(*request);
  }

  grpc::Status Feed(ServerContext* context, const Request* request, grpc::ServerWriter<Response>* writer) override {
    echo_metadata(*context);
    Received received;
    received.add(*request);
    return answer(*context, *request, received, *writer) ? failure_of(*request) : kCancelled;
  }

  grpc::Status Collect(ServerContext* context, grpc::ServerReader<Request>* reader, Response* response) override {
    echo_metadata(*context);
    Received received;
    Request request;
    while (reader->Read(&request)) {
      received.add(request);
      if (request.has_fail()) return failure_of(request);
    }
    if (!wait(*context, request)) return kCancelled;
    *response = response_to(*context, request, received);
    return grpc::Status::OK;
  }

  grpc::Status Chat(ServerContext* context, grpc::ServerReaderWriter<Response, Request>* stream) override {
    echo_metadata(*context);
    Received received;
    Request request;
    while (stream->Read(&request)) {
      received.add(request);
      if (!answer(*context, request, received, *stream)) return kCancelled;
      if (request.has_fail()) return failure_of(request);
    }
    note_if_cancelled(*context, request.call_name());
    return grpc::Status::OK;
  }

  grpc::Status WasCancelled(ServerContext*, const CallName* request, CallState* state) override {
    const std::lock_guard lock(mutex_);
    state->set_cancelled(cancelled_.contains(request->name()));
    return grpc::Status::OK;
  }

  // The request's delay; false when the call is over.
  bool wait(ServerContext& context, const Request& request) {
    const auto end = std::chrono::steady_clock::now() + milliseconds(request.delay_ms());
    while (std::chrono::steady_clock::now() < end && !context.IsCancelled())
      std::this_thread::sleep_for(milliseconds(1));
    return !note_if_cancelled(context, request.call_name());
  }

  bool answer(ServerContext& context, const Request& request, const Received& received,
              grpc::internal::WriterInterface<Response>& writer) {
    for (int i = 0; i < request.response_count(); ++i) {
      if (!wait(context, request)) return false;
      if (!writer.Write(response_to(context, request, received))) {
        note_if_cancelled(context, request.call_name());
        return false;
      }
    }
    return true;
  }

  bool note_if_cancelled(ServerContext& context, const std::string& call_name) {
    if (!context.IsCancelled()) return false;
    const std::lock_guard lock(mutex_);
    if (!call_name.empty()) cancelled_.insert(call_name);
    return true;
  }

  std::mutex mutex_;
  std::set<std::string> cancelled_;
};

class Stock final : public ProdService::Service {
  grpc::Status GetProdStock(ServerContext*, const ProdRequest* request, ProdResponse* response) override {
    response->set_prod_stock(request->prod_id() * 20);
    return grpc::Status::OK;
  }
};

int serve(const std::string& address) {
  // Blocked here, so that every thread of grpc++ inherits it and sigwait() below gets them.
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  PeerService peer;
  Stock stock;
  int port = 0;
  grpc::ServerBuilder builder;
  builder.AddListeningPort(address, grpc::InsecureServerCredentials(), &port);
  builder.RegisterService(&peer);
  builder.RegisterService(&stock);
  const std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  if (!server) return 1;
  std::printf("listening %d\n", port);
  std::fflush(stdout);
  int signal = 0;
  sigwait(&signals, &signal);
  server->Shutdown(std::chrono::system_clock::now() + std::chrono::seconds(2));
  return 0;
}

}  // namespace
}  // namespace minigrpc::interop

int main(int argc, char** argv) {
  return minigrpc::interop::serve(std::string("127.0.0.1:") + (argc > 1 ? argv[1] : "0"));
}
