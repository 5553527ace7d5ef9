// consumer: finds ProdService in the registry, and asks it for the stock of a product.
#include <minigrpc/channel.h>
#include <minigrpc/discovery.h>

#include <iostream>

#include "Prod.minigrpc.h"
#include "flags.h"

using namespace minigrpc;
using namespace std::chrono_literals;

// Waits for a provider, and asks another one when the one asked has died: nothing changes by asking twice.
Task<Result<ProdResponse>> ask(const ProdService::Client& client, int id) {
  ProdRequest request;
  request.set_prod_id(id);
  Result<ProdResponse> stock = Status(StatusCode::kUnavailable, "nobody was asked");
  for (int tries = 0; tries < 5; ++tries) {
    CallDetails details;
    auto asking = client.GetProdStock(request, {.timeout = 5s, .wait_for_ready = true, .details = &details});
    stock = co_await asking;
    if (stock) std::cerr << details.peer + " answered " + std::to_string(stock->prod_stock()) + "\n";
    if (stock || stock.error().code() != StatusCode::kUnavailable) break;
    std::cerr << details.peer + " did not answer, asking again: " + stock.error().message() + "\n";
  }
  co_return stock;
}

int main(int argc, char** argv) {
  const Flags flags(argc, argv,
                    "consumer: finds ProdService in the registry, and asks for the stock of a product",
                    {{"--registry", "127.0.0.1:2379", "HOST:PORT[,HOST:PORT...] of the registry"},
                     {"--target", "", "HOST:PORT of a provider, to ask it without a registry"},
                     {"--id", "4", "the product"},
                     {"--count", "1", "how often to ask"},
                     {"--interval", "100ms", "the pause in between"}});
  const int id = flags.number("--id");
  const int count = flags.number("--count");
  const std::chrono::milliseconds interval = flags.duration("--interval");
  if (count == 0) flags.fail("--count wants at least 1");
  const std::string& provider = flags.address("--target");

  Runtime runtime;
  discovery::install(runtime);
  const Channel channel(
      runtime, provider.empty() ? "etcd://" + flags.address("--registry") + "/ProdService" : provider);
  const ProdService::Client client(channel);

  Result<ProdResponse> stock = Status(StatusCode::kUnknown, "nothing was asked");
  for (int i = 0; i < count; ++i) {
    if (i > 0) sync_wait(runtime.sleep_for(interval));
    stock = sync_wait(ask(client, id));
    if (!stock) {
      std::cerr << "consumer: " << stock.error().to_string() << "\n";
      return 1;
    }
  }
  std::cout << stock->prod_stock() << std::endl;
}
