// Addresses as people write them: "host:port", "[::1]:port", "unix:/path", "in-process:name".
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
  // A Unix socket over which this process speaks to itself: its ends refuse every other process.
  bool in_process = false;
};

// INVALID_ARGUMENT that says what is wrong. "unix:path", "unix:///path", "unix-abstract:name" as in gRPC's naming, and
// "in-process:name", which is served and found within one process only.
Result<Address> parse_address(std::string_view text);

// Every socket address that it stands for; looks a name up, blocking. UNAVAILABLE when the name is unknown.
Result<std::vector<SocketAddress>> resolve_address(const Address& address);

// Literal addresses and Unix paths need no lookup: nothing for a name.
std::vector<SocketAddress> literal_addresses(const Address& address);

// Whether it stands for an "in-process:name" of this process.
bool is_in_process(const SocketAddress& address);

// "10.0.0.1:5051", "[::1]:5051", "unix:/path", "in-process:name".
std::string to_string(const SocketAddress& address);

}  // namespace minigrpc::net
