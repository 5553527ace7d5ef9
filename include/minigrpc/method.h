// A method's name on the wire and its kind; generated code holds one for each method.
//
// Thread rule: constants.
#pragma once

#include <cstdint>
#include <string_view>

namespace minigrpc {

enum class MethodKind : std::uint8_t { kUnary, kClientStreaming, kServerStreaming, kBidirectional };

struct MethodDescriptor {
  std::string_view path;  // "/package.Service/Method"; static storage
  MethodKind kind;
};

}  // namespace minigrpc
