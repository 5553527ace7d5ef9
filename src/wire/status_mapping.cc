#include "wire/status_mapping.h"

#include <algorithm>
#include <array>

namespace minigrpc::wire {

namespace {

struct Http2Error {
  std::string_view name;
  StatusCode code;
};

// By number, from 0 on. The documents map up to INADEQUATE_SECURITY. STREAM_CLOSED has no mapping there,
// since no call should be left to hear of it; if one is, one of the two sides has miscounted.
constexpr std::array<Http2Error, 14> kHttp2Errors = {{
    {"NO_ERROR", StatusCode::kInternal},
    {"PROTOCOL_ERROR", StatusCode::kInternal},
    {"INTERNAL_ERROR", StatusCode::kInternal},
    {"FLOW_CONTROL_ERROR", StatusCode::kInternal},
    {"SETTINGS_TIMEOUT", StatusCode::kInternal},
    {"STREAM_CLOSED", StatusCode::kInternal},
    {"FRAME_SIZE_ERROR", StatusCode::kInternal},
    {"REFUSED_STREAM", StatusCode::kUnavailable},
    {"CANCEL", StatusCode::kCancelled},
    {"COMPRESSION_ERROR", StatusCode::kInternal},
    {"CONNECT_ERROR", StatusCode::kInternal},
    {"ENHANCE_YOUR_CALM", StatusCode::kResourceExhausted},
    {"INADEQUATE_SECURITY", StatusCode::kPermissionDenied},
    {"HTTP_1_1_REQUIRED", StatusCode::kInternal},
}};

constexpr char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

bool equals_ignoring_case(std::string_view text, std::string_view lower_case) {
  return std::ranges::equal(text, lower_case, {}, lower);
}

}  // namespace

StatusCode status_code_from_http(int http_status) {
  switch (http_status) {
    case 400:
      return StatusCode::kInternal;
    case 401:
      return StatusCode::kUnauthenticated;
    case 403:
      return StatusCode::kPermissionDenied;
    case 404:
      return StatusCode::kUnimplemented;
    case 429:
    case 502:
    case 503:
    case 504:
      return StatusCode::kUnavailable;
    default:
      return StatusCode::kUnknown;
  }
}

StatusCode status_code_from_http2_error(std::uint32_t error_code) {
  return error_code < kHttp2Errors.size() ? kHttp2Errors[error_code].code : StatusCode::kInternal;
}

std::string_view http2_error_name(std::uint32_t error_code) {
  return error_code < kHttp2Errors.size() ? kHttp2Errors[error_code].name : std::string_view();
}

std::optional<std::string_view> grpc_content_subtype(std::string_view content_type) {
  constexpr std::string_view kType = "application/grpc";
  if (!equals_ignoring_case(content_type.substr(0, kType.size()), kType)) return std::nullopt;
  std::string_view rest = content_type.substr(kType.size());
  // Optional blanks may stand before the parameters.
  rest = rest.substr(0, rest.find(';'));
  while (rest.ends_with(' ') || rest.ends_with('\t')) rest.remove_suffix(1);
  if (rest.empty()) return rest;
  if (!rest.starts_with('+') || rest.size() == 1) return std::nullopt;
  return rest.substr(1);
}

bool is_grpc_proto_content_type(std::string_view content_type) {
  // What nearly every peer sends, without a look at the cases.
  if (content_type == "application/grpc" || content_type == "application/grpc+proto") return true;
  const std::optional<std::string_view> subtype = grpc_content_subtype(content_type);
  return subtype && (subtype->empty() || equals_ignoring_case(*subtype, "proto"));
}

}  // namespace minigrpc::wire
