#include "wire/status_mapping.h"

#include <gtest/gtest.h>

namespace minigrpc::wire {
namespace {

TEST(StatusMapping, OfHttpStatus) {
  struct Row {
    int http_status;
    StatusCode expected;
  };
  for (const Row& row :
       {Row{400, StatusCode::kInternal}, Row{401, StatusCode::kUnauthenticated},
        Row{403, StatusCode::kPermissionDenied}, Row{404, StatusCode::kUnimplemented},
        Row{429, StatusCode::kUnavailable}, Row{502, StatusCode::kUnavailable},
        Row{503, StatusCode::kUnavailable}, Row{504, StatusCode::kUnavailable},
        Row{200, StatusCode::kUnknown}, Row{301, StatusCode::kUnknown}, Row{405, StatusCode::kUnknown},
        Row{408, StatusCode::kUnknown}, Row{415, StatusCode::kUnknown}, Row{500, StatusCode::kUnknown},
        Row{0, StatusCode::kUnknown}, Row{-1, StatusCode::kUnknown}}) {
    EXPECT_EQ(status_code_from_http(row.http_status), row.expected) << row.http_status;
  }
}

TEST(StatusMapping, OfHttp2Errors) {
  struct Row {
    std::uint32_t error_code;
    std::string_view name;
    StatusCode expected;
  };
  for (const Row& row :
       {Row{0x0, "NO_ERROR", StatusCode::kInternal}, Row{0x1, "PROTOCOL_ERROR", StatusCode::kInternal},
        Row{0x2, "INTERNAL_ERROR", StatusCode::kInternal},
        Row{0x3, "FLOW_CONTROL_ERROR", StatusCode::kInternal},
        Row{0x4, "SETTINGS_TIMEOUT", StatusCode::kInternal}, Row{0x5, "STREAM_CLOSED", StatusCode::kInternal},
        Row{0x6, "FRAME_SIZE_ERROR", StatusCode::kInternal},
        Row{0x7, "REFUSED_STREAM", StatusCode::kUnavailable}, Row{0x8, "CANCEL", StatusCode::kCancelled},
        Row{0x9, "COMPRESSION_ERROR", StatusCode::kInternal},
        Row{0xa, "CONNECT_ERROR", StatusCode::kInternal},
        Row{0xb, "ENHANCE_YOUR_CALM", StatusCode::kResourceExhausted},
        Row{0xc, "INADEQUATE_SECURITY", StatusCode::kPermissionDenied},
        Row{0xd, "HTTP_1_1_REQUIRED", StatusCode::kInternal}, Row{0xe, "", StatusCode::kInternal},
        Row{0xffffffff, "", StatusCode::kInternal}}) {
    EXPECT_EQ(status_code_from_http2_error(row.error_code), row.expected) << row.error_code;
    EXPECT_EQ(http2_error_name(row.error_code), row.name);
  }
}

TEST(ContentType, SubtypeOfGrpcOnly) {
  struct Row {
    std::string_view content_type;
    std::optional<std::string_view> subtype;
    bool proto;
  };
  for (const Row& row :
       {Row{"application/grpc", "", true}, Row{"application/grpc+proto", "proto", true},
        Row{"application/grpc;charset=utf-8", "", true}, Row{"application/grpc ; q=1", "", true},
        Row{"Application/GRPC+Proto", "Proto", true}, Row{"application/grpc+proto; x=+json", "proto", true},
        Row{"application/grpc+json", "json", false}, Row{"application/grpc+", std::nullopt, false},
        Row{"application/grpc-web", std::nullopt, false},
        Row{"application/grpc-web+proto", std::nullopt, false},
        Row{"application/grpcfoo", std::nullopt, false}, Row{"application/grp", std::nullopt, false},
        Row{"application/json", std::nullopt, false}, Row{"text/html", std::nullopt, false},
        Row{" application/grpc", std::nullopt, false}, Row{"", std::nullopt, false}}) {
    EXPECT_EQ(grpc_content_subtype(row.content_type), row.subtype) << row.content_type;
    EXPECT_EQ(is_grpc_proto_content_type(row.content_type), row.proto) << row.content_type;
  }
}

}  // namespace
}  // namespace minigrpc::wire
