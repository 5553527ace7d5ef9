// minigrpc: GetProdStock as its users write it, on one event loop.
//
//   minigrpc_unary [PORT | unix:PATH]     serves 127.0.0.1:PORT (0, the default: any), says "listening PORT",
//   runs until SIGTERM
#include <minigrpc/runtime.h>
#include <minigrpc/server.h>

#include <csignal>
#include <cstdio>
#include <string>

#include "Prod.minigrpc.h"

namespace {

class Stock final : public ProdService::Handler {
 public:
  minigrpc::Task<minigrpc::Result<ProdResponse>> GetProdStock(minigrpc::ServerContext&,
                                                              ProdRequest request) override {
    ProdResponse response;
    response.set_prod_stock(request.prod_id() * 20);
    co_return response;
  }
};

}  // namespace

int main(int argc, char** argv) {
  minigrpc::Runtime runtime({.loops = 1});
  Stock stock;
  minigrpc::Server server(runtime);
  server.add(stock);
  const std::string argument = argc > 1 ? argv[1] : "0";
  const std::string address = argument.starts_with("unix:") ? argument : "127.0.0.1:" + argument;
  const minigrpc::Result<std::uint16_t> port = server.listen(address);
  if (!port) {
    std::fprintf(stderr, "%s\n", port.error().to_string().c_str());
    return 1;
  }
  std::printf("listening %u\n", *port);
  std::fflush(stdout);
  minigrpc::sync_wait(runtime.wait_for_signal({SIGINT, SIGTERM}));
}
