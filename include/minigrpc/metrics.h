// Metrics: counts calls the way that gRPC's dashboards for Prometheus know, on both sides.
//
//   Metrics metrics;
//   Server server(runtime, {.interceptors = {metrics.server()}});
//   Channel channel(runtime, target, {.interceptors = {metrics.client()}});
//   … metrics.text() …                        // what GET /metrics answers
//
//   grpc_server_started_total{grpc_type,grpc_service,grpc_method}
//   grpc_server_handled_total{…,grpc_code}
//   grpc_server_msg_received_total{…}  grpc_server_msg_sent_total{…}
//   grpc_server_handling_seconds{…}           a histogram
//
// and the same with grpc_client. A method appears with its first call.
//
// Thread rule: any thread.
#pragma once

#include <minigrpc/interceptor.h>

#include <memory>
#include <string>
#include <vector>

namespace minigrpc {

struct MetricsOptions {
  // Upper bounds of the histograms, in seconds, ascending; +Inf follows by itself.
  std::vector<double> buckets{0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10};
};

class Metrics {
 public:
  explicit Metrics(MetricsOptions options = {});
  ~Metrics();
  Metrics(const Metrics&) = delete;
  Metrics& operator=(const Metrics&) = delete;

  // Each may serve any number of servers or channels, and outlive this.
  std::shared_ptr<ServerInterceptor> server();
  std::shared_ptr<ClientInterceptor> client();

  // All of it in Prometheus's text format, 0.0.4: "text/plain; version=0.0.4".
  std::string text() const;

 private:
  class Side;
  class ServerSide;
  class ClientSide;
  std::shared_ptr<ServerSide> server_;
  std::shared_ptr<ClientSide> client_;
};

}  // namespace minigrpc
