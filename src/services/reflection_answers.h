// ReflectionAnswers: what one stream of questions about a server's schemas is answered, from a pool of descriptors.
//
// Thread rule: one call's.
#pragma once

#include <google/protobuf/descriptor.h>

#include <set>
#include <string>
#include <vector>

#include "grpc/reflection/v1/reflection.pb.h"

namespace minigrpc::services {

class ReflectionAnswers {
 public:
  // `pool` is borrowed. `services`: what list_services answers.
  ReflectionAnswers(const google::protobuf::DescriptorPool& pool, std::vector<std::string> services)
      : pool_(pool), services_(std::move(services)) {}

  grpc::reflection::v1::ServerReflectionResponse answer(const grpc::reflection::v1::ServerReflectionRequest& request);

 private:
  using Response = grpc::reflection::v1::ServerReflectionResponse;
  void list_services(Response& response) const;
  void add_file(const google::protobuf::FileDescriptor* file, const std::string& asked_for, Response& response);
  void add_imports(const google::protobuf::FileDescriptor& file, Response& response);
  void add_extension_numbers(const std::string& type, Response& response) const;

  const google::protobuf::DescriptorPool& pool_;
  const std::vector<std::string> services_;
  std::set<const google::protobuf::FileDescriptor*> sent_;
};

}  // namespace minigrpc::services
