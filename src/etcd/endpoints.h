// The list of a registry's endpoints, as people write it. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace minigrpc::etcd {

enum class EndpointScheme : std::uint8_t { kNone, kHttp, kHttps };

struct Endpoint {
  std::string address;  // "host:port"
  EndpointScheme scheme = EndpointScheme::kNone;
  friend bool operator==(const Endpoint&, const Endpoint&) = default;
};

//   list     = endpoint *("," endpoint)
//   endpoint = ["http://" | "https://"] host ":" port ["/"]
// Spaces around an endpoint, empty ones and repetitions of an address are dropped. Nothing else is checked: a bad
// address shows when it is connected to.
std::vector<Endpoint> parse_endpoints(std::string_view list);

}  // namespace minigrpc::etcd
