// A provider and its consumer in one program, outside of minigrpc's tree.
#include "api/stock.minigrpc.h"

#include <iostream>

using namespace minigrpc;
using namespace std::chrono_literals;

class Stocks final : public api::Stocks::Handler {
 public:
  Task<Result<api::Stock>> Get(ServerContext&, api::Product product) override {
    api::Stock stock;
    stock.set_count(product.id() * 20);
    co_return stock;
  }
};

int main() {
  Runtime runtime;
  Stocks stocks;
  Server server(runtime);
  server.add(stocks);
  const Result<std::uint16_t> port = server.listen("127.0.0.1:0");
  if (!port) {
    std::cerr << port.error().to_string() << '\n';
    return 1;
  }
  const Channel channel(runtime, "127.0.0.1:" + std::to_string(*port));
  const api::Stocks::Client client(channel);
  api::Product product;
  product.set_id(4);
  const Result<api::Stock> stock = sync_wait(client.Get(product, {.timeout = 5s}));
  if (!stock) {
    std::cerr << stock.error().to_string() << '\n';
    return 1;
  }
  std::cout << "stock: " << stock->count() << '\n';
}
