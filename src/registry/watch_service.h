// etcdserverpb.Watch: a WatchSession for each stream.
//
// Thread rule: any loop.
#pragma once

#include "etcd/api/watch.minigrpc.h"
#include "registry/member.h"

namespace minigrpc::registry {

class WatchService final : public etcdserverpb::Watch::Handler {
 public:
  // Both are borrowed.
  WatchService(Member& member, Runtime& runtime) : member_(member), runtime_(runtime) {}

  Task<Status> Watch(ServerContext&,
                     ServerStream<etcdserverpb::WatchRequest, etcdserverpb::WatchResponse>& stream) override;

 private:
  Member& member_;
  Runtime& runtime_;
};

}  // namespace minigrpc::registry
