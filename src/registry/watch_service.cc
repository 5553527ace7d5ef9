#include "registry/watch_service.h"

#include "registry/watch_session.h"

namespace minigrpc::registry {

Task<Status> WatchService::Watch(ServerContext& context,
                                 ServerStream<etcdserverpb::WatchRequest, etcdserverpb::WatchResponse>& stream) {
  WatchSession session(member_, runtime_, context, stream);
  const OpenCalls::Entry entry(member_.open_calls(), [&session] { session.end(); });
  Task<Status> running = session.run();
  Status status = co_await running;
  co_return status;
}

}  // namespace minigrpc::registry
