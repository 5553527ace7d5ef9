#include "rpc/health_watch.h"

#include "rpc/client_connection.h"

namespace minigrpc::rpc {

namespace {

constexpr std::size_t kAnswerSizeMax = 1024;

// HealthCheckRequest: the service's name is field 1.
std::string serialize_request(const std::string& service) {
  std::string bytes;
  if (!service.empty()) {
    bytes += '\x0a';
    for (std::size_t size = service.size(); ; size >>= 7) {
      bytes += static_cast<char>(size < 0x80 ? size : (size & 0x7f) | 0x80);
      if (size < 0x80) break;
    }
    bytes += service;
  }
  return bytes;
}

// HealthCheckResponse: the status is field 1, an enumeration; 1 stands for SERVING.
bool is_serving(std::string_view bytes) { return bytes == std::string_view("\x08\x01", 2); }

// It holds nothing of the watch, which may be gone when it runs.
ServerWatch::Listener listener_of(const HealthWatch::Changed& changed, const std::string& address,
                                  const std::string& service) {
  return {.heard =
              [changed, address, service](std::string_view answer) {
                if (is_serving(answer)) return changed(ServerHealth::kServing, Status());
                changed(ServerHealth::kNotServing,
                        Status(StatusCode::kUnavailable, address + ": '" + service + "' is not serving"));
              },
          .ended =
              [changed, address](const Status& why) {
                // A server without the service is taken for healthy (gRPC A17).
                if (why.code() == StatusCode::kUnimplemented)
                  return changed(ServerHealth::kServing, Status());
                changed(ServerHealth::kNotServing,
                        Status(StatusCode::kUnavailable,
                               address + ": the health check failed: " + why.to_string()));
              }};
}

}  // namespace

HealthWatch::HealthWatch(net::Loop& loop, ClientConnection& connection, const Request& request,
                         const BackoffOptions& backoff, Changed changed)
    : watch_(loop, connection,
             {.path = "/grpc.health.v1.Health/Watch",
              .message = serialize_request(request.service),
              .caller = request.caller,
              .answer_size_max = kAnswerSizeMax},
             backoff, listener_of(changed, connection.address(), request.service)) {}

}  // namespace minigrpc::rpc
