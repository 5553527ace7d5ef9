#include "net/address.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/un.h>

#include <charconv>
#include <cstddef>
#include <cstring>
#include <memory>

namespace minigrpc::net {

namespace {

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

}  // namespace

Result<Address> parse_address(std::string_view text) {
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
  const auto* local = reinterpret_cast<const sockaddr_un*>(raw);
  const std::size_t size = address.size() - offsetof(sockaddr_un, sun_path);
  if (address.size() <= offsetof(sockaddr_un, sun_path)) return "unix:";
  if (local->sun_path[0] == '\0') return "unix-abstract:" + std::string(local->sun_path + 1, size - 1);
  return "unix:" + std::string(local->sun_path, strnlen(local->sun_path, size));
}

}  // namespace minigrpc::net
