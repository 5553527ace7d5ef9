#include "services/reflection_answers.h"

#include <google/protobuf/descriptor.pb.h>
#include <minigrpc/status.h>

namespace minigrpc::services {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::FileDescriptor;
using grpc::reflection::v1::ServerReflectionRequest;

namespace {

void set_error(StatusCode code, const std::string& message, grpc::reflection::v1::ServerReflectionResponse& response) {
  response.mutable_error_response()->set_error_code(static_cast<int>(code));
  response.mutable_error_response()->set_error_message(message);
}

void append(const FileDescriptor& file, grpc::reflection::v1::ServerReflectionResponse& response) {
  google::protobuf::FileDescriptorProto proto;
  file.CopyTo(&proto);
  response.mutable_file_descriptor_response()->add_file_descriptor_proto(proto.SerializeAsString());
}

}  // namespace

void ReflectionAnswers::list_services(Response& response) const {
  auto* list = response.mutable_list_services_response();
  for (const std::string& service : services_) list->add_service()->set_name(service);
}

void ReflectionAnswers::add_imports(const FileDescriptor& file, Response& response) {
  for (int i = 0; i < file.dependency_count(); ++i) {
    const FileDescriptor& import = *file.dependency(i);
    if (!sent_.insert(&import).second) continue;
    append(import, response);
    add_imports(import, response);
  }
}

void ReflectionAnswers::add_file(const FileDescriptor* file, const std::string& asked_for, Response& response) {
  if (file == nullptr) return set_error(StatusCode::kNotFound, "not found: " + asked_for, response);
  // What was asked for is sent whenever it is asked for.
  sent_.insert(file);
  append(*file, response);
  add_imports(*file, response);
}

void ReflectionAnswers::add_extension_numbers(const std::string& type, Response& response) const {
  const Descriptor* descriptor = pool_.FindMessageTypeByName(type);
  if (descriptor == nullptr) return set_error(StatusCode::kNotFound, "not found: " + type, response);
  auto* numbers = response.mutable_all_extension_numbers_response();
  numbers->set_base_type_name(type);
  std::vector<const FieldDescriptor*> extensions;
  pool_.FindAllExtensions(descriptor, &extensions);
  for (const FieldDescriptor* extension : extensions) numbers->add_extension_number(extension->number());
}

grpc::reflection::v1::ServerReflectionResponse ReflectionAnswers::answer(const ServerReflectionRequest& request) {
  Response response;
  response.set_valid_host(request.host());
  *response.mutable_original_request() = request;
  switch (request.message_request_case()) {
    case ServerReflectionRequest::kListServices:
      list_services(response);
      break;
    case ServerReflectionRequest::kFileByFilename:
      add_file(pool_.FindFileByName(request.file_by_filename()), request.file_by_filename(), response);
      break;
    case ServerReflectionRequest::kFileContainingSymbol:
      add_file(pool_.FindFileContainingSymbol(request.file_containing_symbol()), request.file_containing_symbol(),
               response);
      break;
    case ServerReflectionRequest::kFileContainingExtension: {
      const auto& wanted = request.file_containing_extension();
      const Descriptor* type = pool_.FindMessageTypeByName(wanted.containing_type());
      const FieldDescriptor* extension =
          type == nullptr ? nullptr : pool_.FindExtensionByNumber(type, wanted.extension_number());
      add_file(extension == nullptr ? nullptr : extension->file(),
               "extension " + std::to_string(wanted.extension_number()) + " of " + wanted.containing_type(), response);
      break;
    }
    case ServerReflectionRequest::kAllExtensionNumbersOfType:
      add_extension_numbers(request.all_extension_numbers_of_type(), response);
      break;
    case ServerReflectionRequest::MESSAGE_REQUEST_NOT_SET:
      set_error(StatusCode::kInvalidArgument, "the request asks for nothing that this server knows", response);
      break;
  }
  return response;
}

}  // namespace minigrpc::services
