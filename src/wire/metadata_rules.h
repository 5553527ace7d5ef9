// Which header fields are an application's metadata, and what may stand in them
// (grpc: doc/PROTOCOL-HTTP2.md, Custom-Metadata).
//
// Thread rule: free functions without state.
//
//   Custom-Metadata → Binary-Header | ASCII-Header
//   Binary-Header   → Header-Name "-bin" : base64 of any bytes
//   ASCII-Header    → Header-Name : 0x20 to 0x7e
//   Header-Name     → one or more of 0-9 a-z _ - .
#pragma once

#include <string_view>

namespace minigrpc::wire {

// Whether `name` is a Header-Name.
bool is_legal_metadata_name(std::string_view name);

// Whether values under `name` are bytes, in base64 on the wire.
inline bool is_binary_metadata_name(std::string_view name) { return name.ends_with("-bin"); }

// Whether `value` may go out under a name without "-bin". Empty is legal.
bool is_legal_metadata_value(std::string_view value);

// Without the blanks around it, which HTTP/2 forbids in a field (RFC 9113, 8.2.1) and gRPC allows to strip.
std::string_view trim_metadata_value(std::string_view value);

// Whether an application may not send `name`, since the transport or gRPC itself sets or forbids it:
// pseudo-header fields, "grpc-*", user-agent, content-type, te, and what only HTTP/1.1 knows (RFC
// 9113, 8.2.2). Of "grpc-*" the few that gRPC leaves to applications are free: grpc-trace-bin, grpc-tags-bin,
// and a handler's grpc-retry-pushback-ms.
bool is_reserved_metadata_name(std::string_view name);

// Whether a received header field is the transport's, and no metadata for the application. Those are the
// reserved ones, except what tells of the peer: user-agent and grpc-previous-rpc-attempts.
bool is_transport_header(std::string_view name);

}  // namespace minigrpc::wire
