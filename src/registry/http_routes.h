// Which method a path of etcd's gateway calls: "/v3/kv/range" is etcdserverpb.KV's Range.
//
// Thread rule: constants.
#pragma once

#include <minigrpc/method.h>

#include <string_view>

namespace google::protobuf {
class MethodDescriptor;
}

namespace minigrpc::registry {

struct HttpRoute {
  std::string_view path;        // behind "/v3" or "/v3beta"
  MethodDescriptor method;      // of a call of bytes: every kind is a stream of them
  // From the generated code; null where this program has no such service.
  const google::protobuf::MethodDescriptor* descriptor() const;
};

// Null: no such path. `path` is whole, without a query.
const HttpRoute* find_route(std::string_view path);

}  // namespace minigrpc::registry
