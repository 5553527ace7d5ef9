#include "etcd/endpoints.h"

#include <algorithm>

namespace minigrpc::etcd {

namespace {

EndpointScheme take_scheme(std::string_view& endpoint) {
  constexpr std::string_view kHttp = "http://";
  constexpr std::string_view kHttps = "https://";
  if (endpoint.starts_with(kHttp)) return endpoint.remove_prefix(kHttp.size()), EndpointScheme::kHttp;
  if (endpoint.starts_with(kHttps)) return endpoint.remove_prefix(kHttps.size()), EndpointScheme::kHttps;
  return EndpointScheme::kNone;
}

}  // namespace

std::vector<Endpoint> parse_endpoints(std::string_view list) {
  std::vector<Endpoint> endpoints;
  while (!list.empty()) {
    const std::size_t comma = std::min(list.find(','), list.size());
    std::string_view endpoint = list.substr(0, comma);
    list.remove_prefix(std::min(comma + 1, list.size()));

    const std::size_t begin = std::min(endpoint.find_first_not_of(" \t"), endpoint.size());
    endpoint.remove_prefix(begin);
    const EndpointScheme scheme = take_scheme(endpoint);
    while (!endpoint.empty() && (endpoint.back() == ' ' || endpoint.back() == '\t' || endpoint.back() == '/'))
      endpoint.remove_suffix(1);
    if (endpoint.empty() || std::ranges::find(endpoints, endpoint, &Endpoint::address) != endpoints.end()) continue;
    endpoints.push_back({std::string(endpoint), scheme});
  }
  return endpoints;
}

}  // namespace minigrpc::etcd
