// What an answer that is not gRPC's own means in gRPC's terms: HTTP status, RST_STREAM error code, content
// type.
//
// Thread rule: free functions without state.
#pragma once

#include <minigrpc/status.h>

#include <cstdint>
#include <optional>
#include <string_view>

namespace minigrpc::wire {

// The code for a response without grpc-status, by its `:status` (grpc: doc/http-grpc-status-mapping.md).
// For clients only: a server never translates this way, and a grpc-status always wins.
StatusCode status_code_from_http(int http_status);

// The code for a stream that the peer reset (grpc: doc/PROTOCOL-HTTP2.md, Errors). Codes that gRPC does not
// map, among them those that HTTP/2 does not know, are INTERNAL.
StatusCode status_code_from_http2_error(std::uint32_t error_code);

// "REFUSED_STREAM" for 7 (RFC 9113, 7); empty for a code that HTTP/2 does not define.
std::string_view http2_error_name(std::uint32_t error_code);

// What follows "application/grpc" in a content type: "" for the bare type or one with parameters, "proto" for
// "application/grpc+proto", "json" for "application/grpc+json;charset=utf-8". Nothing if the type is another
// one, such as application/grpc-web. Case does not matter (RFC 9110, 8.3.1). Borrows `content_type`.
std::optional<std::string_view> grpc_content_subtype(std::string_view content_type);

// Whether messages under this content type are protobuf: application/grpc or application/grpc+proto.
bool is_grpc_proto_content_type(std::string_view content_type);

}  // namespace minigrpc::wire
