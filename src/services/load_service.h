// The handler of xds.service.orca.v3.OpenRcaService: one report for all streams, each with a period of its
// own.
//
// Thread rule: any thread; one lock.
#pragma once

#include <minigrpc/load_report.h>
#include <minigrpc/runtime.h>

#include <mutex>

#include "xds/service/orca/v3/orca.minigrpc.h"

namespace minigrpc::services {

class LoadService final : public xds::service::orca::v3::OpenRcaService::Handler {
 public:
  LoadService(Runtime& runtime, const LoadReporterOptions& options) : runtime_(runtime), options_(options) {}

  Task<Status> StreamCoreMetrics(ServerContext&, xds::service::orca::v3::OrcaLoadReportRequest request,
                                 ServerWriter<xds::data::orca::v3::OrcaLoadReport>& writer) override;

  void set(const LoadReport& report);
  void end_reports() { ended_.set(); }

 private:
  Runtime& runtime_;
  const LoadReporterOptions options_;
  AsyncEvent ended_;
  std::mutex mutex_;
  xds::data::orca::v3::OrcaLoadReport report_;
};

}  // namespace minigrpc::services
