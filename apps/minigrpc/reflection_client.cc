#include "reflection_client.h"

#include <minigrpc/generic.h>

#include <algorithm>
#include <deque>
#include <set>

#include "grpc/reflection/v1/reflection.pb.h"

namespace minigrpc::cli {

namespace {

using google::protobuf::FileDescriptorProto;
using grpc::reflection::v1::ServerReflectionRequest;
using grpc::reflection::v1::ServerReflectionResponse;

// The messages of both versions are the same on the wire.
constexpr MethodDescriptor kV1{"/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
                               MethodKind::kBidirectional};
constexpr MethodDescriptor kV1Alpha{"/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
                                    MethodKind::kBidirectional};

using Stream = ClientStream<RawMessage, RawMessage>;

// A server's answer to one question; what the stream ended with where there is none.
Task<Result<ServerReflectionResponse>> ask(Stream* stream, ServerReflectionRequest request) {
  const RawMessage message(request.SerializeAsString());
  co_await stream->write(message);
  const std::optional<RawMessage> answer = co_await stream->read();
  if (!answer) {
    Status status = co_await stream->finish();
    if (status.ok()) status = Status(StatusCode::kInternal, "the server ended the reflection without an answer");
    co_return status;
  }
  ServerReflectionResponse response;
  if (!response.ParseFromString(answer->bytes))
    co_return Status(StatusCode::kInternal, "the server's reflection is malformed");
  co_return response;
}

class Collector {
 public:
  explicit Collector(Stream* stream) : stream_(stream) {}

  Task<Status> list_services() {
    ServerReflectionRequest request;
    request.set_list_services("*");
    auto asking = ask(stream_, std::move(request));
    const Result<ServerReflectionResponse> answer = co_await std::move(asking);
    if (!answer) co_return answer.error();
    for (const auto& service : answer->list_services_response().service()) found_.services.push_back(service.name());
    std::ranges::sort(found_.services);
    co_return Status();
  }

  Task<Status> fetch_symbol(std::string name) {
    ServerReflectionRequest request;
    request.set_file_containing_symbol(name);
    auto asking = ask(stream_, std::move(request));
    const Result<ServerReflectionResponse> answer = co_await std::move(asking);
    if (!answer) co_return answer.error();
    if (answer->has_error_response())
      found_.missing.push_back(std::move(name));
    else if (Status status = take(*answer); !status.ok())
      co_return status;
    co_return Status();
  }

  // Some servers send a file alone, without what it imports.
  Task<Status> fetch_imports() {
    while (!wanted_.empty()) {
      std::string name = std::move(wanted_.front());
      wanted_.pop_front();
      if (names_.contains(name)) continue;
      ServerReflectionRequest request;
      request.set_file_by_filename(name);
      auto asking = ask(stream_, std::move(request));
      const Result<ServerReflectionResponse> answer = co_await std::move(asking);
      if (!answer) co_return answer.error();
      if (Status status = take(*answer); !status.ok()) co_return status;
      if (!names_.contains(name))
        co_return Status(StatusCode::kNotFound, "the server does not tell of " + name + ", which its schema imports");
    }
    co_return Status();
  }

  Reflected& found() { return found_; }

 private:
  Status take(const ServerReflectionResponse& response) {
    for (const std::string& bytes : response.file_descriptor_response().file_descriptor_proto()) {
      FileDescriptorProto file;
      if (!file.ParseFromString(bytes))
        return Status(StatusCode::kInternal, "the server's reflection has a malformed file");
      if (!names_.insert(file.name()).second) continue;
      for (const std::string& import : file.dependency()) wanted_.push_back(import);
      *found_.files.add_file() = std::move(file);
    }
    return Status();
  }

  Stream* stream_;
  Reflected found_;
  std::set<std::string> names_;
  std::deque<std::string> wanted_;
};

bool is_called(std::string_view service, std::string_view name) {
  return service == name || (service.ends_with(name) && service.size() > name.size() &&
                             service[service.size() - name.size() - 1] == '.');
}

Task<Result<Reflected>> reflect_by(const Channel* channel, const MethodDescriptor* method,
                                   ReflectionQuestion question, CallOptions options) {
  Stream stream = GenericClient(*channel).bidirectional(*method, std::move(options));
  Collector collector(&stream);
  auto listing = collector.list_services();
  Status status = co_await std::move(listing);
  if (!status.ok()) co_return status;
  std::vector<std::string> symbols;
  for (const std::string& service : collector.found().services)
    if (question.all_services || (!question.service.empty() && is_called(service, question.service)))
      symbols.push_back(service);
  if (!question.symbol.empty()) symbols.push_back(question.symbol);
  for (std::string& symbol : symbols) {
    auto fetching = collector.fetch_symbol(std::move(symbol));
    status = co_await std::move(fetching);
    if (!status.ok()) co_return status;
  }
  auto fetching = collector.fetch_imports();
  status = co_await std::move(fetching);
  if (!status.ok()) co_return status;
  stream.cancel();
  co_return std::move(collector.found());
}

}  // namespace

Task<Result<Reflected>> reflect(const Channel* channel, ReflectionQuestion question, CallOptions options) {
  auto newer = reflect_by(channel, &kV1, question, options);
  Result<Reflected> found = co_await std::move(newer);
  if (found || found.error().code() != StatusCode::kUnimplemented) co_return found;
  auto older = reflect_by(channel, &kV1Alpha, std::move(question), std::move(options));
  found = co_await std::move(older);
  co_return found;
}

}  // namespace minigrpc::cli
