// CallSchema: what a call needs to know of its service, from .proto files, descriptor sets or a server's own word, and
// how JSON becomes messages and back.
//
// The schemas of etcd's API and of gRPC's health service are built in. Thread rule: one thread.
#pragma once

#include <minigrpc/method.h>
#include <minigrpc/result.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace google::protobuf {
class FileDescriptorSet;
class ServiceDescriptor;
}

namespace minigrpc::cli {

struct SchemaFiles {
  std::vector<std::string> protos{};        // as paths, or as names within an import path
  std::vector<std::string> import_paths{};  // where `import` looks; each file's own directory comes last
  std::vector<std::string> descriptor_sets{};  // files that protoc --descriptor_set_out --include_imports wrote
  bool empty() const { return protos.empty() && descriptor_sets.empty(); }
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
  // Of files with all their imports. INVALID_ARGUMENT where they are not complete.
  static Result<CallSchema> of(const google::protobuf::FileDescriptorSet& files);
  CallSchema(CallSchema&&) noexcept;
  CallSchema& operator=(CallSchema&&) noexcept;
  ~CallSchema();

  // "package.Service/Method", "package.Service.Method", or the service without its package where that is
  // unambiguous. NOT_FOUND names what there is.
  Result<Method> find_method(std::string_view name) const;

  // The full names of all services, in alphabetical order.
  std::vector<std::string> services() const;
  // The methods of a service, "package.Service.Method", in the order of the file. NOT_FOUND names what there is.
  Result<std::vector<std::string>> methods_of(std::string_view service) const;
  // What a service, method, message, field, enum or extension is, as its .proto file says it.
  Result<std::string> describe(std::string name) const;

  // INVALID_ARGUMENT says what does not fit.
  Result<std::string> to_message(const std::string& type, const std::string& json) const;
  Result<std::string> to_json(const std::string& type, const std::string& message, JsonStyle style) const;

 private:
  struct Files;
  Result<const google::protobuf::ServiceDescriptor*> find_service(const std::string& name) const;
  explicit CallSchema(std::unique_ptr<Files> files);
  std::unique_ptr<Files> files_;
};

}  // namespace minigrpc::cli
