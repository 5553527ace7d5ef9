// Prints x.minigrpc.h and x.minigrpc.cc for x.proto: for each service a Handler to implement and a Client to call with.
//
// Thread rule: none; it has no state.
#pragma once

#include <google/protobuf/compiler/code_generator.h>

#include <cstdint>
#include <string>

namespace minigrpc::plugin {

// What the header that it prints asks of <minigrpc/generated.h>: its MINIGRPC_GENERATED_VERSION.
inline constexpr int kGeneratedVersion = 1;

class Generator final : public google::protobuf::compiler::CodeGenerator {
 public:
  // A file without services gets files without code, so that a build knows their names beforehand. Refused, with the
  // reason in `error`: any `parameter`, and files whose C++ cannot compile.
  bool Generate(const google::protobuf::FileDescriptor* file, const std::string& parameter,
                google::protobuf::compiler::GeneratorContext* context, std::string* error) const override;
  std::uint64_t GetSupportedFeatures() const override { return FEATURE_PROTO3_OPTIONAL; }
};

}  // namespace minigrpc::plugin
