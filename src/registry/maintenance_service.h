// etcdserverpb.Maintenance: state, alarms, snapshots and the hash of the keyspace. What is not overridden is not implemented.
//
// Thread rule: any loop.
#pragma once

#include "etcd/api/maintenance.minigrpc.h"
#include "registry/member.h"

namespace minigrpc::registry {

class MaintenanceService final : public etcdserverpb::Maintenance::Handler {
 public:
  // Both are borrowed.
  MaintenanceService(Member& member, Runtime& runtime) : member_(member), runtime_(runtime) {}

  // Lists alarms: NOSPACE while the quota is used up. It goes by itself when space is free again, so there is nothing
  // to disarm.
  Task<Result<etcdserverpb::AlarmResponse>> Alarm(ServerContext&, etcdserverpb::AlarmRequest request) override;
  Task<Result<etcdserverpb::StatusResponse>> Status(ServerContext&, etcdserverpb::StatusRequest) override;
  // A checksum of every change from the compacted revision on: equal where the histories are. The number is not etcd's
  // own, which depends on its file format.
  Task<Result<etcdserverpb::HashKVResponse>> HashKV(ServerContext&, etcdserverpb::HashKVRequest request) override;
  // An etcd snapshot.
  Task<minigrpc::Status> Snapshot(ServerContext&, etcdserverpb::SnapshotRequest,
                                  ServerWriter<etcdserverpb::SnapshotResponse>& writer) override;

 private:
  Result<bool> out_of_space();
  Member& member_;
  Runtime& runtime_;
};

}  // namespace minigrpc::registry
