// grpc.testing.TestService as gRPC's interop-test-descriptions.md says a server has it ("Server").
//
// Thread rule: handlers, on any loop; it has no state that changes.
#pragma once

#include <minigrpc/load_report.h>
#include <minigrpc/runtime.h>

#include <string>

#include "grpc/testing/test.minigrpc.h"

namespace minigrpc::conformance {

class TestService final : public grpc::testing::TestService::Handler {
 public:
  // `runtime` and `load` are borrowed. `server_id` is what a client sees that asks who answered.
  TestService(Runtime& runtime, LoadReporter& load, std::string server_id)
      : runtime_(runtime), load_(load), server_id_(std::move(server_id)) {}

  Task<Result<grpc::testing::Empty>> EmptyCall(ServerContext& context, grpc::testing::Empty) override;
  Task<Result<grpc::testing::SimpleResponse>> UnaryCall(ServerContext& context,
                                                        grpc::testing::SimpleRequest request) override;
  Task<Result<grpc::testing::SimpleResponse>> CacheableUnaryCall(ServerContext& context,
                                                                 grpc::testing::SimpleRequest request) override;
  Task<Status> StreamingOutputCall(ServerContext& context, grpc::testing::StreamingOutputCallRequest request,
                                   ServerWriter<grpc::testing::StreamingOutputCallResponse>& writer) override;
  Task<Result<grpc::testing::StreamingInputCallResponse>> StreamingInputCall(
      ServerContext& context, ServerReader<grpc::testing::StreamingInputCallRequest>& reader) override;
  Task<Status> FullDuplexCall(ServerContext& context,
                              ServerStream<grpc::testing::StreamingOutputCallRequest,
                                           grpc::testing::StreamingOutputCallResponse>& stream) override;
  Task<Status> HalfDuplexCall(ServerContext& context,
                              ServerStream<grpc::testing::StreamingOutputCallRequest,
                                           grpc::testing::StreamingOutputCallResponse>& stream) override;

 private:
  // Writes the responses that one request asks for. CANCELLED: the call is over.
  Task<Status> answer(grpc::testing::StreamingOutputCallRequest request,
                      ServerWriter<grpc::testing::StreamingOutputCallResponse>* writer);

  Runtime& runtime_;
  LoadReporter& load_;
  const std::string server_id_;
};

}  // namespace minigrpc::conformance
