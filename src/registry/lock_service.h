// v3lockpb.Lock: a lock is the first place in the line of its name.
//
// Thread rule: any loop.
#pragma once

#include "etcd/api/lock.minigrpc.h"
#include "registry/member.h"

namespace minigrpc::registry {

class LockService final : public v3lockpb::Lock::Handler {
 public:
  // `member` is borrowed.
  explicit LockService(Member& member) : member_(member) {}
  Task<Result<v3lockpb::LockResponse>> Lock(ServerContext&, v3lockpb::LockRequest request) override;
  Task<Result<v3lockpb::UnlockResponse>> Unlock(ServerContext&, v3lockpb::UnlockRequest request) override;

 private:
  Member& member_;
};

}  // namespace minigrpc::registry
