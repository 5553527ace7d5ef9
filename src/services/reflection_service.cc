#include "services/reflection_service.h"

#include "services/reflection_answers.h"

namespace minigrpc {

namespace services {

namespace v1 = grpc::reflection::v1;
namespace v1alpha = grpc::reflection::v1alpha;

void ReflectionServices::add_to(Server& server) {
  detail::require(server_ == nullptr, "a Reflection was added to two servers");
  server_ = &server;
  server.add(v1_);
  server.add(v1alpha_);
}

std::vector<std::string> ReflectionServices::names() const { return server_->service_names(); }

Task<Status> ReflectionServices::V1::ServerReflectionInfo(
    ServerContext&, ServerStream<v1::ServerReflectionRequest, v1::ServerReflectionResponse>& stream) {
  ReflectionAnswers answers(*google::protobuf::DescriptorPool::generated_pool(), owner_.names());
  while (std::optional<v1::ServerReflectionRequest> request = co_await stream.read()) {
    const v1::ServerReflectionResponse response = answers.answer(*request);
    const bool written = co_await stream.write(response);
    if (!written) break;
  }
  co_return Status();
}

// The messages of both versions are the same on the wire.
Task<Status> ReflectionServices::V1Alpha::ServerReflectionInfo(
    ServerContext&, ServerStream<v1alpha::ServerReflectionRequest, v1alpha::ServerReflectionResponse>& stream) {
  ReflectionAnswers answers(*google::protobuf::DescriptorPool::generated_pool(), owner_.names());
  while (std::optional<v1alpha::ServerReflectionRequest> request = co_await stream.read()) {
    v1::ServerReflectionRequest same_request;
    v1alpha::ServerReflectionResponse response;
    if (!same_request.ParseFromString(request->SerializeAsString()) ||
        !response.ParseFromString(answers.answer(same_request).SerializeAsString()))
      co_return Status(StatusCode::kInternal, "the two versions of reflection differ");
    const bool written = co_await stream.write(response);
    if (!written) break;
  }
  co_return Status();
}

}  // namespace services

Reflection::Reflection() : impl_(std::make_unique<services::ReflectionServices>()) {}
Reflection::~Reflection() = default;
void Reflection::add_to(Server& server) { impl_->add_to(server); }

}  // namespace minigrpc
