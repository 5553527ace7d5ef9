// Whether the last message that a call received came compressed. grpc++ tells that to two classes of gRPC's own
// interoperability programs alone, which its contexts name as friends, by functions that it exports and does not declare.
//
// Thread rule: that of the call's reads.
#pragma once

#include <grpcpp/grpcpp.h>

#include <cstdint>

std::uint32_t grpc_call_test_only_get_message_flags(grpc_call* call);

namespace grpc::testing {

inline bool message_compressed(grpc_call* call) {
  constexpr std::uint32_t kCompressed = 0x80000000U;     // still to be decompressed
  constexpr std::uint32_t kWasCompressed = 0x40000000U;  // decompressed by now
  return (grpc_call_test_only_get_message_flags(call) & (kCompressed | kWasCompressed)) != 0;
}

class InteropServerContextInspector {
 public:
  static bool compressed(const ServerContextBase& context) { return message_compressed(context.call_.call); }
};

class InteropClientContextInspector {
 public:
  static bool compressed(const ClientContext& context) { return message_compressed(context.call_); }
};

}  // namespace grpc::testing
