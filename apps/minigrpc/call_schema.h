// CallSchema: what a call needs to know of its service, from .proto files, and how JSON becomes messages and
// back.
//
// The schemas of etcd's API and of gRPC's health service are built in. Thread rule: one thread.
#pragma once

#include <minigrpc/method.h>
#include <minigrpc/result.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace minigrpc::cli {

struct SchemaFiles {
  std::vector<std::string> protos;        // as paths, or as names within an import path
  std::vector<std::string> import_paths;  // where `import` looks; each file's own directory comes last
};

struct JsonStyle {
  bool indented = false;
  bool with_defaults = false;  // also the fields that have their default value
};

class CallSchema {
 public:
  struct Method {
    std::string path;  // "/package.Service/Method"
    MethodKind kind;
    std::string request_type;  // "package.Message"
    std::string response_type;
  };

  // INVALID_ARGUMENT with the compiler's words ("prod.proto:3:1: …").
  static Result<CallSchema> load(const SchemaFiles& files);
  CallSchema(CallSchema&&) noexcept;
  CallSchema& operator=(CallSchema&&) noexcept;
  ~CallSchema();

  // "package.Service/Method", "package.Service.Method", or the service without its package where that is
  // unambiguous. NOT_FOUND names what there is.
  Result<Method> find_method(std::string_view name) const;

  // INVALID_ARGUMENT says what does not fit.
  Result<std::string> to_message(const std::string& type, const std::string& json) const;
  Result<std::string> to_json(const std::string& type, const std::string& message, JsonStyle style) const;

 private:
  struct Files;
  explicit CallSchema(std::unique_ptr<Files> files);
  std::unique_ptr<Files> files_;
};

}  // namespace minigrpc::cli
