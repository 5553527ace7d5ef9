// Reflection: gRPC's reflection service (grpc.reflection.v1, and v1alpha for older tools), by which grpcurl, `minigrpc call`
// and other tools learn what a server offers.
//
//   Reflection reflection;
//   reflection.add_to(server);      // before listen(); lists whatever the server has
//
// It tells of the schemas that are linked into the program. Those of protobuf's lite runtime carry no descriptors: their
// services are listed, but not described.
//
// Thread rule: any thread, but construction and destruction. Must outlive the server it was added to.
#pragma once

#include <minigrpc/server.h>

#include <memory>

namespace minigrpc {

namespace services {
class ReflectionServices;
}

class Reflection {
 public:
  Reflection();
  ~Reflection();
  Reflection(const Reflection&) = delete;
  Reflection& operator=(const Reflection&) = delete;

  // To one server, once.
  void add_to(Server& server);

 private:
  std::unique_ptr<services::ReflectionServices> impl_;
};

}  // namespace minigrpc
