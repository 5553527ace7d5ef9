#include <arpa/inet.h>
#include <minigrpc/discovery.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstring>

#include "etcd/endpoints.h"

namespace minigrpc::discovery {

namespace {

struct HostPort {
  std::string host;  // without brackets
  std::string port;
};

HostPort split(std::string_view address) {
  const std::size_t colon = std::min(address.rfind(':'), address.size());
  std::string_view host = address.substr(0, colon);
  if (host.size() >= 2 && host.front() == '[' && host.back() == ']') host = host.substr(1, host.size() - 2);
  return {std::string(host), std::string(address.substr(std::min(colon + 1, address.size())))};
}

std::string joined(const std::string& host, std::uint16_t port) {
  const bool is_v6 = host.find(':') != std::string::npos;
  return (is_v6 ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

// The address that packets from here to `to` carry. Connecting a datagram socket chooses it, and sends
// nothing.
std::string source_address(const addrinfo& to) {
  const int descriptor = socket(to.ai_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (descriptor < 0) return {};
  sockaddr_storage source{};
  socklen_t size = sizeof source;
  char text[NI_MAXHOST] = "";
  if (connect(descriptor, to.ai_addr, to.ai_addrlen) == 0 &&
      getsockname(descriptor, reinterpret_cast<sockaddr*>(&source), &size) == 0)
    (void)getnameinfo(reinterpret_cast<sockaddr*>(&source), size, text, sizeof text, nullptr, 0,
                      NI_NUMERICHOST);
  close(descriptor);
  return text;
}

std::string source_towards(const HostPort& registry, int family) {
  addrinfo hints{};
  hints.ai_family = family;
  hints.ai_socktype = SOCK_DGRAM;
  addrinfo* found = nullptr;
  if (getaddrinfo(registry.host.c_str(), registry.port.c_str(), &hints, &found) != 0) return {};
  std::string source;
  for (const addrinfo* candidate = found; candidate != nullptr && source.empty();
       candidate = candidate->ai_next)
    source = source_address(*candidate);
  freeaddrinfo(found);
  return source;
}

}  // namespace

Result<std::string> advertised_address(std::string_view listen, std::uint16_t port,
                                       std::string_view registry) {
  const std::string host = split(listen).host;
  const bool wildcard_v4 = host == "0.0.0.0";
  if (!wildcard_v4 && !host.empty() && host != "*" && host != "::") return joined(host, port);
  for (const etcd::Endpoint& endpoint : etcd::parse_endpoints(registry)) {
    // Who listens on 0.0.0.0 is not reached through IPv6.
    const std::string source = source_towards(split(endpoint.address), wildcard_v4 ? AF_INET : AF_UNSPEC);
    if (!source.empty()) return joined(source, port);
  }
  return Status(StatusCode::kUnavailable, "found no address of this host towards the registry " +
                                              std::string(registry) + ": say which one to advertise");
}

}  // namespace minigrpc::discovery
