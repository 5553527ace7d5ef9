// HealthWatch: asks one connection's server whether a service of it can be called, and goes on listening (gRPC A17; the
// method Watch of grpc.health.v1.Health). Without protobuf: its two messages have a field each.
//
// Thread rule: its connection's loop.
#pragma once

#include <functional>
#include <string>

#include "rpc/server_watch.h"

namespace minigrpc::rpc {

enum class ServerHealth : std::uint8_t { kUnknown, kServing, kNotServing };

class HealthWatch {
 public:
  struct Request {
    std::string service;
    ServerWatch::Caller caller;
  };
  // Told when it changes, with why where it is not kServing; may end the watch.
  using Changed = std::function<void(ServerHealth, const Status& why)>;

  // Asks at once. The connection outlives the watch.
  HealthWatch(net::Loop& loop, ClientConnection& connection, const Request& request,
              const BackoffOptions& backoff, Changed changed);

  // Whether it has a stream of the connection.
  bool under_way() const { return watch_.under_way(); }

 private:
  ServerWatch watch_;
};

}  // namespace minigrpc::rpc
