// What a server says of its own services, by gRPC's reflection (grpc.reflection.v1, or v1alpha where it has only that).
//
// Thread rule: tasks on any executor; the channel is borrowed until they have ended.
#pragma once

#include <google/protobuf/descriptor.pb.h>
#include <minigrpc/channel.h>

#include <string>
#include <vector>

namespace minigrpc::cli {

struct Reflected {
  std::vector<std::string> services;  // all that the server has
  google::protobuf::FileDescriptorSet files;
  std::vector<std::string> missing;  // what was asked for and the server does not know
};

// What to ask for besides the list of services.
struct ReflectionQuestion {
  bool all_services = false;
  // Each service of that name, with or without its package.
  std::string service{};
  // Any other thing, by its full name.
  std::string symbol{};
};

// The files come with everything that they import. UNIMPLEMENTED where the server has no reflection; another failure as
// the call had it.
Task<Result<Reflected>> reflect(const Channel* channel, ReflectionQuestion question, CallOptions options);

}  // namespace minigrpc::cli
