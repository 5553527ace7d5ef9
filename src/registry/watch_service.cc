#include "registry/watch_service.h"

#include "registry/watch_session.h"

namespace minigrpc::registry {

Task<Status> WatchService::Watch(ServerContext&,
                                 ServerStream<etcdserverpb::WatchRequest, etcdserverpb::WatchResponse>& stream) {
  WatchSession session(member_, runtime_, stream);
  {
    std::lock_guard lock(mutex_);
    if (shut_down_) session.end();
    sessions_.insert(&session);
  }
  Task<Status> running = session.run();
  Status status = co_await running;
  std::lock_guard lock(mutex_);
  sessions_.erase(&session);
  co_return status;
}

void WatchService::shutdown() {
  std::lock_guard lock(mutex_);
  shut_down_ = true;
  for (WatchSession* session : sessions_) session->end();
}

}  // namespace minigrpc::registry
