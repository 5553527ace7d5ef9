// HeaderName: the names of header fields that HTTP/2 or gRPC give a meaning, recognized once, where a field
// is received.
//
// Thread rule: a free function without state.
#pragma once

#include <cstdint>
#include <string_view>

namespace minigrpc {

enum class HeaderName : std::uint8_t {
  kOther,  // the application's, or not looked at yet
  // Pseudo-header fields of requests (RFC 9113, 8.3.1).
  kMethod,
  kScheme,
  kPath,
  kAuthority,
  // HTTP's.
  kHost,
  kTe,
  kContentType,
  kContentLength,
  kUserAgent,
  kOfConnections,  // those of HTTP/1.1's connections, which HTTP/2 forbids (RFC 9113, 8.2.2)
  // gRPC's (grpc: doc/PROTOCOL-HTTP2.md, Requests).
  kGrpcTimeout,
  kGrpcEncoding,
  kGrpcAcceptEncoding,
};

HeaderName header_name(std::string_view name);

}  // namespace minigrpc
