// The handlers of grpc.reflection.v1 and v1alpha: two names for the same answers.
//
// Thread rule: any thread.
#pragma once

#include <minigrpc/reflection.h>

#include <string>
#include <vector>

#include "grpc/reflection/v1/reflection.minigrpc.h"
#include "grpc/reflection/v1alpha/reflection.minigrpc.h"

namespace minigrpc::services {

class ReflectionServices {
 public:
  void add_to(Server& server);

 private:
  class V1 final : public grpc::reflection::v1::ServerReflection::Handler {
   public:
    explicit V1(const ReflectionServices& owner) : owner_(owner) {}
    Task<Status> ServerReflectionInfo(ServerContext& context,
                                      ServerStream<grpc::reflection::v1::ServerReflectionRequest,
                                                   grpc::reflection::v1::ServerReflectionResponse>& stream) override;

   private:
    const ReflectionServices& owner_;
  };
  class V1Alpha final : public grpc::reflection::v1alpha::ServerReflection::Handler {
   public:
    explicit V1Alpha(const ReflectionServices& owner) : owner_(owner) {}
    Task<Status> ServerReflectionInfo(
        ServerContext& context, ServerStream<grpc::reflection::v1alpha::ServerReflectionRequest,
                                             grpc::reflection::v1alpha::ServerReflectionResponse>& stream) override;

   private:
    const ReflectionServices& owner_;
  };

  std::vector<std::string> names() const;

  const Server* server_ = nullptr;
  V1 v1_{*this};
  V1Alpha v1alpha_{*this};
};

}  // namespace minigrpc::services
