#include "net/address.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/un.h>
#include <unistd.h>

#include <charconv>
#include <cstddef>
#include <cstring>
#include <memory>

namespace minigrpc::net {

namespace {

constexpr std::string_view kInProcess = "in-process:";

Status bad(std::string_view text, const char* why) {
  return Status(StatusCode::kInvalidArgument, "bad address '" + std::string(text) + "': " + why);
}

Result<Address> parse_unix(std::string_view text, std::string_view path, bool abstract) {
  if (path.starts_with("//")) path.remove_prefix(2);
  if (path.empty()) return bad(text, "a Unix socket needs a path");
  if (path.size() + 1 >= sizeof(sockaddr_un::sun_path)) return bad(text, "a Unix socket's path has at most 106 bytes");
  Address address;
  address.is_unix = true;
  address.path = (abstract ? "@" : "") + std::string(path);
  return address;
}

SocketAddress unix_address(const std::string& path) {
  sockaddr_un raw{};
  raw.sun_family = AF_UNIX;
  std::memcpy(raw.sun_path, path.data(), path.size());
  const bool abstract = path.starts_with('@');
  if (abstract) raw.sun_path[0] = '\0';
  // An abstract name is as long as the address says; a path ends with its zero byte.
  return {&raw, offsetof(sockaddr_un, sun_path) + path.size() + (abstract ? 0 : 1)};
}

// With the process in the name, so that each has its own; who else binds it or connects to it is found out by
// SO_PEERCRED.
std::string in_process_prefix() { return "@minigrpc/in-process/" + std::to_string(::getpid()) + "/"; }

Result<Address> parse_in_process(std::string_view text, std::string_view name) {
  if (name.empty()) return bad(text, "an address in the process needs a name");
  Address address;
  address.is_unix = true;
  address.in_process = true;
  address.path = in_process_prefix().append(name);
  if (address.path.size() >= sizeof(sockaddr_un::sun_path)) return bad(text, "the name is too long");
  return address;
}

// An abstract name with '@' for its zero byte, a path, or nothing.
std::string unix_name(const SocketAddress& address) {
  const std::size_t start = offsetof(sockaddr_un, sun_path);
  if (address.data()->sa_family != AF_UNIX || address.size() <= start) return {};
  const char* path = reinterpret_cast<const sockaddr_un*>(address.data())->sun_path;
  const std::size_t size = address.size() - start;
  if (path[0] == '\0') return "@" + std::string(path + 1, size - 1);
  return std::string(path, strnlen(path, size));
}

}  // namespace

Result<Address> parse_address(std::string_view text) {
  if (text.starts_with(kInProcess)) return parse_in_process(text, text.substr(kInProcess.size()));
  if (text.starts_with("unix:")) return parse_unix(text, text.substr(5), false);
  if (text.starts_with("unix-abstract:")) return parse_unix(text, text.substr(14), true);
  Address address;
  std::string_view port;
  if (text.starts_with('[')) {
    const std::size_t end = text.find(']');
    if (end == std::string_view::npos) return bad(text, "'[' without ']'");
    address.host = text.substr(1, end - 1);
    if (end + 1 >= text.size() || text[end + 1] != ':') return bad(text, "expected HOST:PORT");
    port = text.substr(end + 2);
  } else {
    const std::size_t colon = text.rfind(':');
    if (colon == std::string_view::npos) return bad(text, "expected HOST:PORT");
    if (text.find(':') != colon) return bad(text, "an IPv6 address stands in brackets: [::1]:5051");
    address.host = text.substr(0, colon);
    port = text.substr(colon + 1);
  }
  const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), address.port);
  if (port.empty() || error != std::errc() || end != port.data() + port.size())
    return bad(text, "the port is a number from 0 to 65535");
  return address;
}

std::vector<SocketAddress> literal_addresses(const Address& address) {
  if (address.is_unix) return {unix_address(address.path)};
  sockaddr_in v4{};
  v4.sin_family = AF_INET;
  v4.sin_port = htons(address.port);
  if (inet_pton(AF_INET, address.host.c_str(), &v4.sin_addr) == 1) return {SocketAddress(&v4, sizeof v4)};
  sockaddr_in6 v6{};
  v6.sin6_family = AF_INET6;
  v6.sin6_port = htons(address.port);
  if (address.host.empty() || inet_pton(AF_INET6, address.host.c_str(), &v6.sin6_addr) == 1)
    return {SocketAddress(&v6, sizeof v6)};
  return {};
}

Result<std::vector<SocketAddress>> resolve_address(const Address& address) {
  std::vector<SocketAddress> found = literal_addresses(address);
  if (!found.empty()) return found;
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* list = nullptr;
  const int error = getaddrinfo(address.host.c_str(), nullptr, &hints, &list);
  if (error != 0)
    return Status(StatusCode::kUnavailable, "cannot resolve '" + address.host + "': " + gai_strerror(error));
  const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> owner(list, &freeaddrinfo);
  for (const addrinfo* entry = list; entry != nullptr; entry = entry->ai_next) {
    SocketAddress one(entry->ai_addr, entry->ai_addrlen);
    if (entry->ai_family == AF_INET)
      reinterpret_cast<sockaddr_in*>(one.data())->sin_port = htons(address.port);
    else if (entry->ai_family == AF_INET6)
      reinterpret_cast<sockaddr_in6*>(one.data())->sin6_port = htons(address.port);
    else
      continue;
    found.push_back(one);
  }
  if (found.empty()) return Status(StatusCode::kUnavailable, "'" + address.host + "' has no address");
  return found;
}

bool is_in_process(const SocketAddress& address) { return unix_name(address).starts_with(in_process_prefix()); }

std::string to_string(const SocketAddress& address) {
  char text[INET6_ADDRSTRLEN] = {};
  const sockaddr* raw = address.data();
  if (raw->sa_family == AF_INET) {
    const auto* v4 = reinterpret_cast<const sockaddr_in*>(raw);
    inet_ntop(AF_INET, &v4->sin_addr, text, sizeof text);
    return std::string(text) + ":" + std::to_string(ntohs(v4->sin_port));
  }
  if (raw->sa_family == AF_INET6) {
    const auto* v6 = reinterpret_cast<const sockaddr_in6*>(raw);
    inet_ntop(AF_INET6, &v6->sin6_addr, text, sizeof text);
    return "[" + std::string(text) + "]:" + std::to_string(ntohs(v6->sin6_port));
  }
  const std::string name = unix_name(address);
  const std::string prefix = in_process_prefix();
  if (name.starts_with(prefix)) return std::string(kInProcess) + name.substr(prefix.size());
  if (name.starts_with('@')) return "unix-abstract:" + name.substr(1);
  return "unix:" + name;
}

}  // namespace minigrpc::net
