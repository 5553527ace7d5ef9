// Addresses as people write them: "host:port", "[::1]:port", "unix:/path".
//
// Thread rule: free functions without state.
#pragma once

#include <minigrpc/result.h>

#include <boost/asio/generic/stream_protocol.hpp>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace minigrpc::net {

using SocketAddress = boost::asio::generic::stream_protocol::endpoint;

struct Address {
  bool is_unix = false;
  std::string host;  // a name or a literal without brackets; empty = every interface
  std::uint16_t port = 0;
  std::string path;  // of a Unix socket; a leading '@' means the abstract namespace
};

// INVALID_ARGUMENT that says what is wrong. "unix:path", "unix:///path", "unix-abstract:name" as in gRPC's naming.
Result<Address> parse_address(std::string_view text);

// Every socket address that it stands for; looks a name up, blocking. UNAVAILABLE when the name is unknown.
Result<std::vector<SocketAddress>> resolve_address(const Address& address);

// Literal addresses and Unix paths need no lookup: nothing for a name.
std::vector<SocketAddress> literal_addresses(const Address& address);

// "10.0.0.1:5051", "[::1]:5051", "unix:/path".
std::string to_string(const SocketAddress& address);

}  // namespace minigrpc::net
