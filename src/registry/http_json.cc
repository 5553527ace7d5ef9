#include "registry/http_json.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/util/json_util.h>
#include <google/protobuf/util/type_resolver_util.h>

#include <cstdio>
#include <memory>

#include "net/http1.h"

namespace minigrpc::registry {

namespace {

namespace pb = google::protobuf;

constexpr char kPrefix[] = "type.googleapis.com";

std::string url_of(const pb::Descriptor& type) { return std::string(kPrefix) + "/" + type.full_name(); }

std::unique_ptr<pb::util::TypeResolver> resolver_of(const pb::Descriptor& type) {
  return std::unique_ptr<pb::util::TypeResolver>(
      pb::util::NewTypeResolverForDescriptorPool(kPrefix, type.file()->pool()));
}

std::string text_of(const pb::util::Status& status) {
  const auto message = status.message();
  return {message.data(), message.size()};
}

bool is_space(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

// Follows the nesting of a document; a bracket within a string is none.
class Nesting {
 public:
  // Whether the document ends with this character.
  bool ends_with(char c) {
    if (in_string_) {
      if (!escaped_ && c == '"') in_string_ = false;
      escaped_ = !escaped_ && c == '\\';
      return false;
    }
    if (c == '"') in_string_ = true;
    if (c == '{' || c == '[') ++depth_;
    if (c == '}' || c == ']') return --depth_ <= 0;
    return false;
  }

 private:
  int depth_ = 0;
  bool in_string_ = false;
  bool escaped_ = false;
};

}  // namespace

Result<std::string> json_to_message(const pb::Descriptor& type, std::string_view json) {
  if (json.find_first_not_of(" \t\r\n") == std::string_view::npos) return std::string();
  std::string message;
  const pb::util::Status status =
      pb::util::JsonToBinaryString(resolver_of(type).get(), url_of(type), std::string(json), &message);
  if (!status.ok()) return Status(StatusCode::kInvalidArgument, text_of(status));
  return message;
}

Result<std::string> message_to_json(const pb::Descriptor& type, std::string_view message) {
  pb::util::JsonPrintOptions options;
  options.preserve_proto_field_names = true;
  std::string json;
  const pb::util::Status status =
      pb::util::BinaryToJsonString(resolver_of(type).get(), url_of(type), std::string(message), &json, options);
  if (!status.ok()) return Status(StatusCode::kInternal, text_of(status));
  return json;
}

std::vector<std::string_view> split_documents(std::string_view text) {
  std::vector<std::string_view> documents;
  for (;;) {
    while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
    if (text.empty()) return documents;
    Nesting nesting;
    std::size_t size = 0;
    bool whole = false;
    while (size < text.size() && !whole) whole = nesting.ends_with(text[size++]);
    documents.push_back(text.substr(0, size));
    text.remove_prefix(size);
  }
}

std::string json_quoted(std::string_view text) {
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      quoted.append(1, '\\').append(1, c);
    } else if (static_cast<unsigned char>(c) < 0x20) {
      char escaped[8];
      std::snprintf(escaped, sizeof escaped, "\\u%04x", static_cast<unsigned>(c));
      quoted += escaped;
    } else {
      quoted += c;
    }
  }
  return quoted + "\"";
}

std::string error_json(const Status& status) {
  const std::string message = json_quoted(status.message());
  return R"({"error":)" + message + R"(,"code":)" + std::to_string(static_cast<int>(status.code())) +
         R"(,"message":)" + message + "}";
}

std::string stream_error_json(const Status& status) {
  const int http_status = http_status_of(status.code());
  return R"({"error":{"grpc_code":)" + std::to_string(static_cast<int>(status.code())) + R"(,"http_code":)" +
         std::to_string(http_status) + R"(,"message":)" + json_quoted(status.message()) + R"(,"http_status":)" +
         json_quoted(net::http1::reason_of(http_status)) + "}}";
}

int http_status_of(StatusCode code) {
  switch (code) {
    case StatusCode::kOk:
      return 200;
    case StatusCode::kCancelled:
      return 408;
    case StatusCode::kInvalidArgument:
    case StatusCode::kFailedPrecondition:
    case StatusCode::kOutOfRange:
      return 400;
    case StatusCode::kUnauthenticated:
      return 401;
    case StatusCode::kPermissionDenied:
      return 403;
    case StatusCode::kNotFound:
      return 404;
    case StatusCode::kAlreadyExists:
    case StatusCode::kAborted:
      return 409;
    case StatusCode::kResourceExhausted:
      return 429;
    case StatusCode::kUnimplemented:
      return 501;
    case StatusCode::kUnavailable:
      return 503;
    case StatusCode::kDeadlineExceeded:
      return 504;
    case StatusCode::kUnknown:
    case StatusCode::kInternal:
    case StatusCode::kDataLoss:
      return 500;
  }
  return 500;
}

}  // namespace minigrpc::registry
