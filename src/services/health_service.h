// The handler of grpc.health.v1.Health: a table of statuses, and watchers that are told when it changes.
//
// Thread rule: any thread; one lock.
#pragma once

#include <minigrpc/health.h>
#include <minigrpc/runtime.h>

#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "grpc/health/v1/health.minigrpc.h"

namespace minigrpc::services {

class HealthService final : public grpc::health::v1::Health::Handler {
 public:
  using ServingStatus = grpc::health::v1::HealthCheckResponse::ServingStatus;

  HealthService();

  Task<Result<grpc::health::v1::HealthCheckResponse>> Check(ServerContext&,
                                                            grpc::health::v1::HealthCheckRequest request) override;
  Task<Result<grpc::health::v1::HealthListResponse>> List(ServerContext&,
                                                          grpc::health::v1::HealthListRequest) override;
  Task<Status> Watch(ServerContext&, grpc::health::v1::HealthCheckRequest request,
                     ServerWriter<grpc::health::v1::HealthCheckResponse>& writer) override;

  // none: not known.
  void set(std::string_view service, std::optional<ServingStatus> status);
  void shutdown();
  void end_watches();

 private:
  // One Watch call.
  struct Watcher {
    std::string service;
    AsyncEvent changed;
  };

  std::optional<ServingStatus> status_of(std::string_view service) const;

  // grpc-go's bound on what List answers: the names are the program's own, but a program may make them up.
  static constexpr std::size_t kListMax = 100;

  mutable std::mutex mutex_;
  std::map<std::string, ServingStatus, std::less<>> statuses_;
  std::set<Watcher*> watchers_;
  bool shut_down_ = false;
  bool watches_ended_ = false;
};

}  // namespace minigrpc::services
