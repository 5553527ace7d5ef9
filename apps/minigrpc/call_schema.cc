#include "call_schema.h"

#include <google/protobuf/compiler/importer.h>
#include <google/protobuf/descriptor.pb.h>
#include <google/protobuf/descriptor_database.h>
#include <google/protobuf/unknown_field_set.h>
#include <google/protobuf/util/json_util.h>
#include <google/protobuf/util/type_resolver_util.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "etcd/api/auth.pb.h"
#include "etcd/api/cluster.pb.h"
#include "etcd/api/election.pb.h"
#include "etcd/api/kv.pb.h"
#include "etcd/api/lease.pb.h"
#include "etcd/api/lock.pb.h"
#include "etcd/api/maintenance.pb.h"
#include "etcd/api/watch.pb.h"
#include "grpc/channelz/v1/channelz.pb.h"
#include "grpc/health/v1/health.pb.h"

namespace minigrpc::cli {

namespace {

namespace pb = google::protobuf;

constexpr std::string_view kTypeUrlPrefix = "type.googleapis.com";
// Of the schemas that are built in, the files with services. Naming a message of each keeps the linker from
// dropping it.
std::vector<const pb::FileDescriptor*> built_in_files() {
  return {etcdserverpb::RangeRequest::descriptor()->file(),
          etcdserverpb::WatchRequest::descriptor()->file(),
          etcdserverpb::LeaseGrantRequest::descriptor()->file(),
          etcdserverpb::MemberListRequest::descriptor()->file(),
          etcdserverpb::StatusRequest::descriptor()->file(),
          etcdserverpb::AuthenticateRequest::descriptor()->file(),
          v3lockpb::LockRequest::descriptor()->file(),
          v3electionpb::CampaignRequest::descriptor()->file(),
          grpc::channelz::v1::GetServersRequest::descriptor()->file(),
          grpc::health::v1::HealthCheckRequest::descriptor()->file()};
}

Status bad(std::string message) { return Status(StatusCode::kInvalidArgument, std::move(message)); }

// Collects what the compiler complains about, as "file:line:column: message".
class Complaints final : public pb::compiler::MultiFileErrorCollector {
 public:
  void AddError(const std::string& file, int line, int column, const std::string& message) override {
    // The compiler counts from 0, and says -1 for a whole file.
    const std::string place =
        line < 0 ? "" : std::to_string(line + 1) + ":" + std::to_string(column + 1) + ":";
    text_ += (text_.empty() ? "" : "\n") + file + ":" + place + " " + message;
  }
  const std::string& text() const { return text_; }

 private:
  std::string text_;
};

MethodKind kind_of(const pb::MethodDescriptor& method) {
  if (method.client_streaming())
    return method.server_streaming() ? MethodKind::kBidirectional : MethodKind::kClientStreaming;
  return method.server_streaming() ? MethodKind::kServerStreaming : MethodKind::kUnary;
}

std::string type_url(const std::string& type) { return std::string(kTypeUrlPrefix) + "/" + type; }

}  // namespace

struct CallSchema::Files {
  Complaints complaints;
  pb::compiler::DiskSourceTree tree;
  // Where a file on disk and a built-in one have the same name, the one on disk counts.
  pb::DescriptorPoolDatabase built_in{*pb::DescriptorPool::generated_pool()};
  pb::SimpleDescriptorDatabase given;
  pb::MergedDescriptorDatabase compiled{&given, &built_in};
  pb::compiler::SourceTreeDescriptorDatabase database{&tree, &compiled};
  pb::DescriptorPool pool{&database, database.GetValidationErrorCollector()};
  std::unique_ptr<pb::util::TypeResolver> resolver;
  std::vector<const pb::ServiceDescriptor*> services;

  Files() {
    database.RecordErrorsTo(&complaints);
    resolver.reset(pb::util::NewTypeResolverForDescriptorPool(std::string(kTypeUrlPrefix), &pool));
  }

  void add_services(const pb::FileDescriptor& file) {
    for (int i = 0; i < file.service_count(); ++i) services.push_back(file.service(i));
  }

  // Each file of `set`, and the services in it.
  Status add(const pb::FileDescriptorSet& set) {
    for (const pb::FileDescriptorProto& file : set.file()) given.Add(file);
    for (const pb::FileDescriptorProto& file : set.file()) {
      const pb::FileDescriptor* built = pool.FindFileByName(file.name());
      if (built == nullptr)
        return bad(file.name() + " cannot be used: " +
                   (complaints.text().empty() ? "an import is missing" : complaints.text()));
      add_services(*built);
    }
    return Status();
  }

  // The name under which the tree knows a file that was given as a path.
  std::string name_in_tree(const std::string& path) {
    std::string name;
    std::string shadowing;
    if (tree.DiskFileToVirtualFile(path, &name, &shadowing) == pb::compiler::DiskSourceTree::SUCCESS)
      return name;
    return path;
  }
};

CallSchema::CallSchema(std::unique_ptr<Files> files) : files_(std::move(files)) {}
CallSchema::CallSchema(CallSchema&&) noexcept = default;
CallSchema& CallSchema::operator=(CallSchema&&) noexcept = default;
CallSchema::~CallSchema() = default;

Result<CallSchema> CallSchema::load(const SchemaFiles& wanted) {
  auto files = std::make_unique<Files>();
  for (const std::string& path : wanted.import_paths) {
    if (!std::filesystem::is_directory(path)) return bad("import path " + path + " is not a directory");
    files->tree.MapPath("", path);
  }
  for (const std::string& proto : wanted.protos) {
    const std::filesystem::path directory = std::filesystem::path(proto).parent_path();
    if (std::filesystem::exists(proto)) files->tree.MapPath("", directory.empty() ? "." : directory.string());
  }
  for (const std::string& proto : wanted.protos) {
    const pb::FileDescriptor* file = files->pool.FindFileByName(files->name_in_tree(proto));
    if (file == nullptr)
      return bad(files->complaints.text().empty() ? proto + ": not found" : files->complaints.text());
    files->add_services(*file);
  }
  for (const std::string& path : wanted.descriptor_sets) {
    std::ifstream file(path, std::ios::binary);
    pb::FileDescriptorSet set;
    if (!file) return bad("cannot read " + path);
    if (!set.ParseFromIstream(&file)) return bad(path + " is no descriptor set (protoc --descriptor_set_out)");
    if (Status status = files->add(set); !status.ok()) return status;
  }
  if (wanted.empty())
    for (const pb::FileDescriptor* file : built_in_files())
      if (const pb::FileDescriptor* ours = files->pool.FindFileByName(file->name()); ours != nullptr)
        files->add_services(*ours);
  return CallSchema(std::move(files));
}

Result<CallSchema::Method> CallSchema::find_method(std::string_view name) const {
  if (name.starts_with('/')) name.remove_prefix(1);
  std::size_t separator = name.rfind('/');
  if (separator == std::string_view::npos) separator = name.rfind('.');
  if (separator == std::string_view::npos)
    return bad("\"" + std::string(name) + "\" is not a method; write Service/Method");
  const std::string service_name(name.substr(0, separator));
  const std::string method_name(name.substr(separator + 1));
  const Result<const pb::ServiceDescriptor*> found = find_service(service_name);
  if (!found) return found.error();
  const pb::ServiceDescriptor& service = **found;
  const pb::MethodDescriptor* method = service.FindMethodByName(method_name);
  if (method != nullptr)
    return Method{"/" + service.full_name() + "/" + method->name(), kind_of(*method),
                  method->input_type()->full_name(), method->output_type()->full_name()};
  std::string known_methods;
  for (int i = 0; i < service.method_count(); ++i) {
    known_methods += (i == 0 ? "" : ", ") + service.method(i)->name();
  }
  return Status(StatusCode::kNotFound, "service " + service.full_name() + " has no method \"" + method_name +
                                           "\"; there are: " + known_methods);
}

Result<const pb::ServiceDescriptor*> CallSchema::find_service(const std::string& service_name) const {
  std::vector<const pb::ServiceDescriptor*> found;
  std::string known_services;
  for (const pb::ServiceDescriptor* service : files_->services) {
    known_services += (known_services.empty() ? "" : ", ") + service->full_name();
    if (service->full_name() == service_name)
      found.insert(found.begin(), service);
    else if (service->name() == service_name)
      found.push_back(service);
  }
  if (found.empty())
    return Status(StatusCode::kNotFound, "no service \"" + service_name + "\"; there are: " + known_services);
  if (found.size() > 1 && found[0]->full_name() != service_name)
    return bad("service \"" + service_name + "\" could be " + found[0]->full_name() + " or " +
               found[1]->full_name());
  return found[0];
}

Result<CallSchema> CallSchema::of(const pb::FileDescriptorSet& set) {
  auto files = std::make_unique<Files>();
  if (Status status = files->add(set); !status.ok()) return status;
  return CallSchema(std::move(files));
}

std::vector<std::string> CallSchema::services() const {
  std::vector<std::string> names;
  for (const pb::ServiceDescriptor* service : files_->services) names.push_back(service->full_name());
  std::ranges::sort(names);
  return names;
}

Result<std::vector<std::string>> CallSchema::methods_of(std::string_view service) const {
  const Result<const pb::ServiceDescriptor*> found = find_service(std::string(service));
  if (!found) return found.error();
  std::vector<std::string> names;
  for (int i = 0; i < (*found)->method_count(); ++i) names.push_back((*found)->method(i)->full_name());
  return names;
}

Result<std::string> CallSchema::describe(std::string name) const {
  if (name.starts_with('.')) name.erase(0, 1);
  std::ranges::replace(name, '/', '.');
  const auto text = [&name](std::string_view kind, const auto& descriptor) {
    std::string said = name + " is " + std::string(kind) + ":\n" + descriptor.DebugString();
    while (said.ends_with('\n')) said.pop_back();
    return said;
  };
  const pb::DescriptorPool& pool = files_->pool;
  if (const auto* service = pool.FindServiceByName(name)) return text("a service", *service);
  if (const auto* method = pool.FindMethodByName(name)) return text("a method", *method);
  if (const auto* message = pool.FindMessageTypeByName(name)) return text("a message", *message);
  if (const auto* enumeration = pool.FindEnumTypeByName(name)) return text("an enum", *enumeration);
  if (const auto* field = pool.FindFieldByName(name)) return text("a field", *field);
  if (const auto* oneof = pool.FindOneofByName(name)) return text("a oneof", *oneof);
  if (const auto* extension = pool.FindExtensionByName(name)) return text("an extension", *extension);
  if (const auto* value = pool.FindEnumValueByName(name)) return text("an enum value", *value);
  // A service without its package.
  if (const auto service = find_service(name)) {
    name = (*service)->full_name();
    return text("a service", **service);
  }
  return Status(StatusCode::kNotFound, "nothing is called \"" + name + "\" there");
}

Result<std::string> CallSchema::to_message(const std::string& type, const std::string& json) const {
  std::string message;
  const pb::util::Status status =
      pb::util::JsonToBinaryString(files_->resolver.get(), type_url(type), json, &message);
  if (!status.ok()) return bad("JSON does not fit " + type + ": " + std::string(status.message()));
  return message;
}

Result<std::string> CallSchema::to_json(const std::string& type, const std::string& message,
                                        JsonStyle style) const {
  // The conversion stops at the first byte that it does not understand, without a word.
  if (pb::UnknownFieldSet fields; !fields.ParseFromString(message)) return bad("the message is no " + type);
  pb::util::JsonPrintOptions options;
  options.add_whitespace = style.indented;
  options.always_print_primitive_fields = style.with_defaults;
  std::string json;
  const pb::util::Status status =
      pb::util::BinaryToJsonString(files_->resolver.get(), type_url(type), message, &json, options);
  if (!status.ok()) return bad("the message is no " + type + ": " + std::string(status.message()));
  while (json.ends_with('\n')) json.pop_back();
  return json;
}

}  // namespace minigrpc::cli
