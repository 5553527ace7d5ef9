// The list of a registry's endpoints, as people write it. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace minigrpc::etcd {

//   list     = endpoint *("," endpoint)
//   endpoint = ["http://"] host ":" port ["/"]
// Spaces around an endpoint, empty ones and repetitions are dropped. Nothing else is checked: a bad address
// shows when it is connected to.
std::vector<std::string> parse_endpoints(std::string_view list);

}  // namespace minigrpc::etcd
