// examples/prod/provider.cc with grpc++: serves ProdService and the health service, and announces itself in
// the registry, under a lease that it keeps alive, until SIGINT or SIGTERM. What grpc++ has no part for is
// written out, no more than is needed: unlike minigrpc's, this one does not register again when its lease is
// lost.
//
//   grpcpp_provider --listen HOST:PORT --registry HOST:PORT
#include <grpcpp/grpcpp.h>

#include <condition_variable>
#include <csignal>
#include <iostream>
#include <map>
#include <mutex>
#include <thread>

#include "Prod.grpc.pb.h"
#include "etcd/api/kv.grpc.pb.h"
#include "etcd/api/lease.grpc.pb.h"

namespace {

constexpr std::int64_t kLeaseSeconds = 10;

class Stock final : public ProdService::CallbackService {
  grpc::ServerUnaryReactor* GetProdStock(grpc::CallbackServerContext* context, const ProdRequest* request,
                                         ProdResponse* response) override {
    grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
    const std::int64_t stock = std::int64_t{20} * request->prod_id();
    if (stock != static_cast<std::int32_t>(stock)) {
      reactor->Finish(grpc::Status(grpc::StatusCode::OUT_OF_RANGE, "no such product"));
      return reactor;
    }
    response->set_prod_stock(static_cast<std::int32_t>(stock));
    reactor->Finish(grpc::Status::OK);
    return reactor;
  }
};

// A key in the registry, for as long as it lives.
class Announcement {
 public:
  Announcement(const std::shared_ptr<grpc::Channel>& registry, const std::string& address)
      : leases_(etcdserverpb::Lease::NewStub(registry)) {
    grpc::ClientContext granting, putting;
    etcdserverpb::LeaseGrantRequest grant;
    etcdserverpb::LeaseGrantResponse granted;
    grant.set_ttl(kLeaseSeconds);
    status_ = leases_->LeaseGrant(&granting, grant, &granted);
    if (!status_.ok()) return;
    lease_ = granted.id();
    etcdserverpb::PutRequest put;
    etcdserverpb::PutResponse done;
    put.set_key("ProdService/" + address);
    put.set_value(R"({"Op":0,"Addr":")" + address + R"(","Metadata":{"weight":1,"state":"serving"}})");
    put.set_lease(lease_);
    status_ = etcdserverpb::KV::NewStub(registry)->Put(&putting, put, &done);
    if (status_.ok()) keeping_ = std::jthread([this](const std::stop_token& stop) { keep_alive(stop); });
  }
  ~Announcement() {
    keep_alive_context_.TryCancel();
    if (lease_ == 0) return;
    grpc::ClientContext context;
    etcdserverpb::LeaseRevokeRequest request;
    etcdserverpb::LeaseRevokeResponse response;
    request.set_id(lease_);
    leases_->LeaseRevoke(&context, request, &response);
  }
  const grpc::Status& status() const { return status_; }

 private:
  void keep_alive(const std::stop_token& stop) {
    const auto stream = leases_->LeaseKeepAlive(&keep_alive_context_);
    etcdserverpb::LeaseKeepAliveRequest request;
    etcdserverpb::LeaseKeepAliveResponse response;
    request.set_id(lease_);
    std::mutex mutex;
    std::condition_variable_any wake;
    std::unique_lock lock(mutex);
    while (!stop.stop_requested() && stream->Write(request) && stream->Read(&response))
      wake.wait_for(lock, stop, std::chrono::seconds(kLeaseSeconds / 3), [] { return false; });
  }

  std::unique_ptr<etcdserverpb::Lease::Stub> leases_;
  std::int64_t lease_ = 0;
  grpc::Status status_;
  grpc::ClientContext keep_alive_context_;
  std::jthread keeping_;
};

}  // namespace

int main(int argc, char** argv) {
  std::map<std::string, std::string> flags{{"--listen", "127.0.0.1:5051"}, {"--registry", "127.0.0.1:2379"}};
  for (int i = 1; i + 1 < argc; i += 2) flags[argv[i]] = argv[i + 1];
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);  // before there is a thread

  Stock stock;
  int port = 0;
  grpc::EnableDefaultHealthCheckService(true);
  grpc::ServerBuilder builder;
  builder.AddListeningPort(flags["--listen"], grpc::InsecureServerCredentials(), &port);
  builder.RegisterService(&stock);
  const std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  if (!server) return 1;

  const std::string host = flags["--listen"].substr(0, flags["--listen"].rfind(':'));
  const auto registry = grpc::CreateChannel(flags["--registry"], grpc::InsecureChannelCredentials());
  const Announcement announcement(registry, host + ":" + std::to_string(port));
  if (!announcement.status().ok()) {
    std::cerr << "grpcpp_provider: " << announcement.status().error_message() << "\n";
    return 1;
  }
  std::cerr << "grpcpp_provider: serving ProdService on port " << port << "\n";
  int signal = 0;
  sigwait(&signals, &signal);
  server->Shutdown(std::chrono::system_clock::now() + std::chrono::seconds(10));
}
