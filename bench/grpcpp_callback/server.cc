// grpc++'s callback service: GetProdStock as its users write it.
//
//   grpcpp_callback [PORT | unix:PATH]     serves 127.0.0.1:PORT (0, the default: any), says "listening
//   PORT", runs until killed
#include <grpcpp/grpcpp.h>

#include <cstdio>
#include <string>

#include "Prod.grpc.pb.h"

namespace {

class Stock final : public ProdService::CallbackService {
  grpc::ServerUnaryReactor* GetProdStock(grpc::CallbackServerContext* context, const ProdRequest* request,
                                         ProdResponse* response) override {
    response->set_prod_stock(request->prod_id() * 20);
    grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
    reactor->Finish(grpc::Status::OK);
    return reactor;
  }
};

}  // namespace

int main(int argc, char** argv) {
  Stock stock;
  int port = 0;
  grpc::ServerBuilder builder;
  const std::string argument = argc > 1 ? argv[1] : "0";
  const std::string address = argument.starts_with("unix:") ? argument : "127.0.0.1:" + argument;
  builder.AddListeningPort(address, grpc::InsecureServerCredentials(), &port);
  builder.RegisterService(&stock);
  const std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  if (!server) return 1;
  std::printf("listening %d\n", port);
  std::fflush(stdout);
  server->Wait();
}
