// provider: serves ProdService, and announces itself in the registry.
#include <minigrpc/discovery.h>
#include <minigrpc/health.h>

#include <csignal>
#include <iostream>
#include <optional>

#include "Prod.minigrpc.h"
#include "flags.h"

using namespace minigrpc;
using namespace std::chrono_literals;

// Twenty pieces for each number: product 4 has 80.
class Stock final : public ProdService::Handler {
 public:
  Task<Result<ProdResponse>> GetProdStock(ServerContext&, ProdRequest request) override {
    const std::int64_t stock = std::int64_t{20} * request.prod_id();
    if (stock != static_cast<std::int32_t>(stock)) co_return Status(StatusCode::kOutOfRange, "no such product");
    ProdResponse response;
    response.set_prod_stock(static_cast<std::int32_t>(stock));
    co_return response;
  }
};

void say(std::string_view text) { std::cerr << "provider: " + std::string(text) + "\n"; }

int main(int argc, char** argv) {
  const Flags flags(
      argc, argv, "provider: serves ProdService, and announces itself in the registry",
      {{"--listen", "0.0.0.0:5051", "HOST:PORT to serve on"},
       {"--registry", "127.0.0.1:2379", "HOST:PORT[,HOST:PORT...] to announce it in, or none"},
       {"--advertise", "", "HOST:PORT where others reach it; by default what the registry sees"}});
  const std::string& registry = flags["--registry"];

  Runtime runtime;
  Stock stock;
  Health health;
  Server server(runtime);
  server.add(stock);
  server.add(health.service());
  const Result<std::uint16_t> port = server.listen(flags.address("--listen"));
  if (!port) return say(port.error().message()), 1;
  health.set_serving("ProdService", Serving::kServing);
  say("serving ProdService on port " + std::to_string(*port));

  // Only now that it listens: whoever finds it can call it.
  std::optional<discovery::Announcer> announcer;
  if (registry != "none") {
    Result<std::string> address = flags.address("--advertise");
    if (address->empty()) address = discovery::advertised_address(flags["--listen"], *port, registry);
    if (!address) return say(address.error().message()), 1;
    announcer.emplace(
        runtime, discovery::AnnouncerOptions{
                     .registry = registry, .services = {"ProdService"}, .address = *address, .log = say});
  }

  sync_wait(runtime.wait_for_signal({SIGINT, SIGTERM}));
  say("leaving");
  const auto not_serving = [&health] {
    health.shutdown();
    health.end_watches();
  };
  if (announcer)
    sync_wait(announcer->leave(server, {.not_serving = not_serving}));
  else
    sync_wait(server.shutdown(10s));
}
