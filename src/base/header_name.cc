#include "base/header_name.h"

namespace minigrpc {

namespace {

HeaderName pseudo(std::string_view name) {
  if (name == ":path") return HeaderName::kPath;
  if (name == ":method") return HeaderName::kMethod;
  if (name == ":scheme") return HeaderName::kScheme;
  if (name == ":authority") return HeaderName::kAuthority;
  return HeaderName::kOther;
}

HeaderName of_grpc(std::string_view name) {
  if (name == "grpc-timeout") return HeaderName::kGrpcTimeout;
  if (name == "grpc-encoding") return HeaderName::kGrpcEncoding;
  if (name == "grpc-accept-encoding") return HeaderName::kGrpcAcceptEncoding;
  return HeaderName::kOther;
}

}  // namespace

// Asked for many headers of every call: the first letter settles most.
HeaderName header_name(std::string_view name) {
  if (name.empty()) return HeaderName::kOther;
  switch (name.front()) {
    case ':':
      return pseudo(name);
    case 'c':
      if (name == "content-type") return HeaderName::kContentType;
      if (name == "content-length") return HeaderName::kContentLength;
      return name == "connection" ? HeaderName::kOfConnections : HeaderName::kOther;
    case 'g':
      return of_grpc(name);
    case 'h':
      return name == "host" ? HeaderName::kHost : HeaderName::kOther;
    case 'k':
      return name == "keep-alive" ? HeaderName::kOfConnections : HeaderName::kOther;
    case 'p':
      return name == "proxy-connection" ? HeaderName::kOfConnections : HeaderName::kOther;
    case 't':
      if (name == "te") return HeaderName::kTe;
      return name == "transfer-encoding" ? HeaderName::kOfConnections : HeaderName::kOther;
    case 'u':
      if (name == "user-agent") return HeaderName::kUserAgent;
      return name == "upgrade" ? HeaderName::kOfConnections : HeaderName::kOther;
    default:
      return HeaderName::kOther;
  }
}

}  // namespace minigrpc
