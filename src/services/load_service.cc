#include "services/load_service.h"

#include <algorithm>
#include <utility>

#include "rpc/load_report.h"

namespace minigrpc {

using xds::data::orca::v3::OrcaLoadReport;
using xds::service::orca::v3::OrcaLoadReportRequest;

namespace services {

namespace {

// Beyond it a period is as good as none; below it the sum with a point in time cannot overflow.
constexpr std::int64_t kPeriodMaxS = std::int64_t{100} * 365 * 24 * 3600;

std::chrono::nanoseconds asked_period(const OrcaLoadReportRequest& request) {
  const auto& interval = request.report_interval();
  return std::chrono::seconds(std::clamp<std::int64_t>(interval.seconds(), 0, kPeriodMaxS)) +
         std::chrono::nanoseconds(std::max(interval.nanos(), 0));
}

}  // namespace

Task<Status> LoadService::StreamCoreMetrics(ServerContext&, OrcaLoadReportRequest request,
                                            ServerWriter<OrcaLoadReport>& writer) {
  const std::chrono::nanoseconds period = std::max(options_.period_min, asked_period(request));
  for (;;) {
    OrcaLoadReport report;
    {
      std::lock_guard lock(mutex_);
      report = report_;
    }
    auto writing = writer.write(report);
    const bool open = co_await writing;
    if (!open) co_return Status();
    const TimePoint next =
        std::chrono::steady_clock::now() + std::chrono::duration_cast<TimePoint::duration>(period);
    // False also when the call is over, which the next write finds out.
    const bool ended = co_await ended_.wait_until(runtime_, next);
    if (ended) co_return Status(StatusCode::kUnavailable, "the server is shutting down");
  }
}

void LoadService::set(const LoadReport& report) {
  OrcaLoadReport next;
  next.ParseFromString(rpc::serialize_load_report(report));
  next.clear_request_cost();
  std::lock_guard lock(mutex_);
  report_.Swap(&next);
}

}  // namespace services

LoadReporter::LoadReporter(Runtime& runtime, LoadReporterOptions options)
    : impl_(std::make_unique<services::LoadService>(runtime, options)) {}
LoadReporter::~LoadReporter() = default;
Service& LoadReporter::service() { return *impl_; }
void LoadReporter::set(LoadReport report) { impl_->set(report); }
void LoadReporter::end_reports() { impl_->end_reports(); }

}  // namespace minigrpc
