#include "etcd/endpoints.h"

#include <algorithm>

namespace minigrpc::etcd {

std::vector<std::string> parse_endpoints(std::string_view list) {
  constexpr std::string_view kScheme = "http://";
  std::vector<std::string> endpoints;
  while (!list.empty()) {
    const std::size_t comma = std::min(list.find(','), list.size());
    std::string_view endpoint = list.substr(0, comma);
    list.remove_prefix(std::min(comma + 1, list.size()));

    const std::size_t begin = std::min(endpoint.find_first_not_of(" \t"), endpoint.size());
    endpoint.remove_prefix(begin);
    if (endpoint.starts_with(kScheme)) endpoint.remove_prefix(kScheme.size());
    while (!endpoint.empty() && (endpoint.back() == ' ' || endpoint.back() == '\t' || endpoint.back() == '/'))
      endpoint.remove_suffix(1);
    if (endpoint.empty() || std::ranges::find(endpoints, endpoint) != endpoints.end()) continue;
    endpoints.emplace_back(endpoint);
  }
  return endpoints;
}

}  // namespace minigrpc::etcd
