#include "services/health_service.h"

#include <utility>

namespace minigrpc {

using grpc::health::v1::HealthCheckRequest;
using grpc::health::v1::HealthCheckResponse;
using grpc::health::v1::HealthListRequest;
using grpc::health::v1::HealthListResponse;

namespace services {

HealthService::HealthService() { statuses_[""] = HealthCheckResponse::SERVING; }

std::optional<HealthService::ServingStatus> HealthService::status_of(std::string_view service) const {
  const auto found = statuses_.find(service);
  return found == statuses_.end() ? std::nullopt : std::optional(found->second);
}

Task<Result<HealthCheckResponse>> HealthService::Check(ServerContext&, HealthCheckRequest request) {
  std::lock_guard lock(mutex_);
  const std::optional<ServingStatus> status = status_of(request.service());
  if (!status) co_return Status(StatusCode::kNotFound, "unknown service");
  HealthCheckResponse answer;
  answer.set_status(*status);
  co_return answer;
}

Task<Result<HealthListResponse>> HealthService::List(ServerContext&, HealthListRequest) {
  std::lock_guard lock(mutex_);
  if (statuses_.size() > kListMax)
    co_return Status(StatusCode::kResourceExhausted, "too many services to list: ask for one");
  HealthListResponse answer;
  for (const auto& [service, status] : statuses_) (*answer.mutable_statuses())[service].set_status(status);
  co_return answer;
}

Task<Status> HealthService::Watch(ServerContext&, HealthCheckRequest request,
                                  ServerWriter<HealthCheckResponse>& writer) {
  Watcher watcher;
  watcher.service = request.service();
  std::optional<ServingStatus> sent;
  Status status;
  {
    std::lock_guard lock(mutex_);
    watchers_.insert(&watcher);
  }
  for (;;) {
    HealthCheckResponse answer;
    bool ended = false;
    {
      std::lock_guard lock(mutex_);
      watcher.changed.reset();
      answer.set_status(status_of(watcher.service).value_or(HealthCheckResponse::SERVICE_UNKNOWN));
      ended = watches_ended_;
    }
    if (sent != answer.status()) {
      sent = answer.status();
      auto writing = writer.write(answer);
      const bool open = co_await writing;
      if (!open) break;
    }
    if (ended) {
      status = Status(StatusCode::kUnavailable, "the server is shutting down");
      break;
    }
    const bool changed = co_await watcher.changed.wait();
    if (!changed) break;
  }
  std::lock_guard lock(mutex_);
  watchers_.erase(&watcher);
  co_return status;
}

void HealthService::set(std::string_view service, std::optional<ServingStatus> status) {
  std::lock_guard lock(mutex_);
  if (!status)
    statuses_.erase(std::string(service));
  else
    statuses_[std::string(service)] = shut_down_ ? HealthCheckResponse::NOT_SERVING : *status;
  for (Watcher* watcher : watchers_)
    if (watcher->service == service) watcher->changed.set();
}

void HealthService::shutdown() {
  std::lock_guard lock(mutex_);
  shut_down_ = true;
  for (auto& [service, status] : statuses_) status = HealthCheckResponse::NOT_SERVING;
  for (Watcher* watcher : watchers_) watcher->changed.set();
}

void HealthService::end_watches() {
  std::lock_guard lock(mutex_);
  watches_ended_ = true;
  for (Watcher* watcher : watchers_) watcher->changed.set();
}

}  // namespace services

Health::Health() : impl_(std::make_unique<services::HealthService>()) {}
Health::~Health() = default;
Service& Health::service() { return *impl_; }
void Health::set_serving(std::string_view service, Serving serving) {
  impl_->set(service,
             serving == Serving::kServing ? HealthCheckResponse::SERVING : HealthCheckResponse::NOT_SERVING);
}
void Health::forget(std::string_view service) { impl_->set(service, std::nullopt); }
void Health::shutdown() { impl_->shutdown(); }
void Health::end_watches() { impl_->end_watches(); }

}  // namespace minigrpc
