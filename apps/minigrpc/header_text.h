// The header that every answer of etcd's API begins with, as JSON and as fields.
//
// Pure functions. Thread rule: any thread.
#pragma once

#include <string>

#include "etcd/api/header.pb.h"

namespace minigrpc::cli {

// {"cluster_id":1,"member_id":2,…}: what is zero is left out, as Go's encoding/json does.
std::string header_json(const etcdserverpb::ResponseHeader& header);
// "ClusterID" : 1, and so on, a line each.
std::string header_fields(const etcdserverpb::ResponseHeader& header);

}  // namespace minigrpc::cli
