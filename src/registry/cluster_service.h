// etcdserverpb.Cluster, of a cluster that has one member and keeps it: what would change the membership is refused.
//
// Thread rule: any loop.
#pragma once

#include "etcd/api/cluster.minigrpc.h"
#include "registry/access.h"
#include "registry/member.h"

namespace minigrpc::registry {

class ClusterService final : public etcdserverpb::Cluster::Handler {
 public:
  // `member` is borrowed.
  explicit ClusterService(Member& member) : member_(member) {}
  Task<Result<etcdserverpb::MemberListResponse>> MemberList(ServerContext&, etcdserverpb::MemberListRequest) override;
  // Keeps what the list shows as peer URLs. Nobody listens there.
  Task<Result<etcdserverpb::MemberUpdateResponse>> MemberUpdate(ServerContext& context,
                                                                etcdserverpb::MemberUpdateRequest request) override;
  // FAILED_PRECONDITION, with the advice to run etcd.
  Task<Result<etcdserverpb::MemberAddResponse>> MemberAdd(ServerContext& context,
                                                          etcdserverpb::MemberAddRequest request) override;
  Task<Result<etcdserverpb::MemberRemoveResponse>> MemberRemove(ServerContext& context,
                                                                etcdserverpb::MemberRemoveRequest request) override;
  Task<Result<etcdserverpb::MemberPromoteResponse>> MemberPromote(ServerContext& context,
                                                                  etcdserverpb::MemberPromoteRequest request) override;

 private:
  // What all of them ask first; NOT_FOUND when `id` is not ours.
  Status check(const ServerContext& context, std::uint64_t id) const;
  void describe(etcdserverpb::Member* one) const;

  Member& member_;
};

}  // namespace minigrpc::registry
