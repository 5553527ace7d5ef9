// etcdserverpb.Watch: a WatchSession for each stream.
//
// Thread rule: any loop; shutdown() from any thread.
#pragma once

#include <mutex>
#include <set>

#include "etcd/api/watch.minigrpc.h"
#include "registry/member.h"

namespace minigrpc::registry {

class WatchSession;

class WatchService final : public etcdserverpb::Watch::Handler {
 public:
  // Both are borrowed.
  WatchService(Member& member, Runtime& runtime) : member_(member), runtime_(runtime) {}

  Task<Status> Watch(ServerContext& context,
                     ServerStream<etcdserverpb::WatchRequest, etcdserverpb::WatchResponse>& stream) override;

  // Ends every stream with UNAVAILABLE, those that come later too.
  void shutdown();

 private:
  Member& member_;
  Runtime& runtime_;
  std::mutex mutex_;
  std::set<WatchSession*> sessions_;
  bool shut_down_ = false;
};

}  // namespace minigrpc::registry
