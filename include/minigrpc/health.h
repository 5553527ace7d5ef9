// Health: gRPC's health service (grpc.health.v1), which load balancers and orchestrators ask.
//
//   Health health;
//   server.add(health.service());
//   health.set_serving("shop.ProdService", Serving::kServing);      // "" stands for the server as a whole
//
// A service that was never set is not known: Check answers NOT_FOUND, Watch says SERVICE_UNKNOWN until it is set. "" is
// serving from the start.
//
// Thread rule: any thread, but construction and destruction. Must outlive the server it was added to.
#pragma once

#include <minigrpc/server.h>

#include <memory>
#include <string_view>

namespace minigrpc {

namespace services {
class HealthService;
}

enum class Serving : std::uint8_t { kServing, kNotServing };

class Health {
 public:
  Health();
  ~Health();
  Health(const Health&) = delete;
  Health& operator=(const Health&) = delete;

  // Borrowed for the life of this.
  Service& service();

  void set_serving(std::string_view service, Serving serving);
  // The service is not known any more.
  void forget(std::string_view service);
  // Every service is not serving from now on, whatever is set; watchers hear it.
  void shutdown();
  // Ends the calls of watchers with UNAVAILABLE: before Server::shutdown(), which would wait for them.
  void end_watches();

 private:
  std::unique_ptr<services::HealthService> impl_;
};

}  // namespace minigrpc
