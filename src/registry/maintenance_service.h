// etcdserverpb.Maintenance: state, alarms, upkeep, snapshots and hashes.
//
// Thread rule: any loop.
#pragma once

#include "etcd/api/maintenance.minigrpc.h"
#include "registry/access.h"
#include "registry/member.h"

namespace minigrpc::registry {

class MaintenanceService final : public etcdserverpb::Maintenance::Handler {
 public:
  // Both are borrowed.
  MaintenanceService(Member& member, Runtime& runtime) : member_(member), runtime_(runtime) {}

  // NOSPACE is listed while the quota is used up, and goes by itself when there is room again. Alarms that were set by
  // hand stay until they are disarmed.
  Task<Result<etcdserverpb::AlarmResponse>> Alarm(ServerContext& context, etcdserverpb::AlarmRequest request) override;
  Task<Result<etcdserverpb::StatusResponse>> Status(ServerContext&, etcdserverpb::StatusRequest) override;
  // Gives free pages back to the disk, while reads go on; writes wait a moment.
  Task<Result<etcdserverpb::DefragmentResponse>> Defragment(ServerContext& context,
                                                            etcdserverpb::DefragmentRequest) override;
  // A checksum of every change from the compacted revision on: equal where the histories are. The number is not etcd's
  // own, which depends on its file format.
  Task<Result<etcdserverpb::HashKVResponse>> HashKV(ServerContext& context,
                                                    etcdserverpb::HashKVRequest request) override;
  // The same, up to the latest.
  Task<Result<etcdserverpb::HashResponse>> Hash(ServerContext& context, etcdserverpb::HashRequest) override;
  // The leader is the one member, so it can only stay.
  Task<Result<etcdserverpb::MoveLeaderResponse>> MoveLeader(ServerContext& context,
                                                            etcdserverpb::MoveLeaderRequest request) override;
  // Refused: there is no older format to go back to.
  Task<Result<etcdserverpb::DowngradeResponse>> Downgrade(ServerContext& context,
                                                          etcdserverpb::DowngradeRequest request) override;
  // An etcd snapshot.
  Task<minigrpc::Status> Snapshot(ServerContext& context, etcdserverpb::SnapshotRequest,
                                  ServerWriter<etcdserverpb::SnapshotResponse>& writer) override;

 private:
  Result<bool> out_of_space();
  // The alarms, by the number of etcd's AlarmType: those that were set, and NOSPACE as it is.
  Result<std::uint32_t> active_alarms();
  minigrpc::Status check_root(const ServerContext& context) const;
  Member& member_;
  Runtime& runtime_;
};

}  // namespace minigrpc::registry
