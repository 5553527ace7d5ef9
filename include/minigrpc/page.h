// Page: what a server answers by HTTP/1.1, on the port on which it serves gRPC. For Prometheus, probes and browsers.
//
//   Metrics metrics;
//   Server server(runtime, {.interceptors = {metrics.server()}});
//   server.add_page("/metrics", [&metrics] { return Page{.body = metrics.text()}; });
//   server.listen("0.0.0.0:5051");                        // curl http://localhost:5051/metrics
//
// Who speaks HTTP/2 with prior knowledge is served gRPC as before; under TLS, ALPN decides. A port that the world reaches
// shows its pages to the world.
//
// Pure.
#pragma once

#include <string>

namespace minigrpc {

struct Page {
  // RFC 9110, section 15.
  int status = 200;
  std::string content_type = "text/plain; charset=utf-8";
  std::string body{};
};

}  // namespace minigrpc
