#include "base/header_name.h"

#include <gtest/gtest.h>

namespace minigrpc {
namespace {

TEST(HeaderName, Known) {
  const struct {
    std::string_view text;
    HeaderName name;
  } kCases[] = {
      {":method", HeaderName::kMethod},
      {":scheme", HeaderName::kScheme},
      {":path", HeaderName::kPath},
      {":authority", HeaderName::kAuthority},
      {"host", HeaderName::kHost},
      {"te", HeaderName::kTe},
      {"content-type", HeaderName::kContentType},
      {"content-length", HeaderName::kContentLength},
      {"user-agent", HeaderName::kUserAgent},
      {"connection", HeaderName::kOfConnections},
      {"keep-alive", HeaderName::kOfConnections},
      {"proxy-connection", HeaderName::kOfConnections},
      {"transfer-encoding", HeaderName::kOfConnections},
      {"upgrade", HeaderName::kOfConnections},
      {"grpc-timeout", HeaderName::kGrpcTimeout},
      {"grpc-encoding", HeaderName::kGrpcEncoding},
      {"grpc-accept-encoding", HeaderName::kGrpcAcceptEncoding},
  };
  for (const auto& [text, name] : kCases) EXPECT_EQ(header_name(text), name) << text;
}

TEST(HeaderName, Other) {
  for (const std::string_view text :
       {"", "x", ":", ":status", "TE", "te ", "hosts", "grpc-status", "content-typ"})
    EXPECT_EQ(header_name(text), HeaderName::kOther) << text;
}

}  // namespace
}  // namespace minigrpc
