// How logs and dashboards name a call's method and kind.
//
// Thread rule: free functions.
#pragma once

#include <minigrpc/method.h>

#include <string_view>

namespace minigrpc::rpc {

struct MethodWords {
  std::string_view service;  // "shop.ProdService"
  std::string_view method;   // "GetProdStock"
};

// Of "/shop.ProdService/GetProdStock"; views into it.
inline MethodWords method_words(std::string_view path) {
  if (path.starts_with('/')) path.remove_prefix(1);
  const std::size_t slash = path.rfind('/');
  if (slash == std::string_view::npos) return {"", path};
  return {path.substr(0, slash), path.substr(slash + 1)};
}

inline std::string_view kind_word(MethodKind kind) {
  switch (kind) {
    case MethodKind::kUnary: return "unary";
    case MethodKind::kClientStreaming: return "client_stream";
    case MethodKind::kServerStreaming: return "server_stream";
    case MethodKind::kBidirectional: return "bidi_stream";
  }
  return "";
}

}  // namespace minigrpc::rpc
