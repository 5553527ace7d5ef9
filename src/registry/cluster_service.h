// etcdserverpb.Cluster, of a cluster that has one member and keeps it: what changes the membership is not implemented.
//
// Thread rule: any loop.
#pragma once

#include "etcd/api/cluster.minigrpc.h"
#include "registry/member.h"

namespace minigrpc::registry {

class ClusterService final : public etcdserverpb::Cluster::Handler {
 public:
  // `member` is borrowed.
  explicit ClusterService(Member& member) : member_(member) {}
  Task<Result<etcdserverpb::MemberListResponse>> MemberList(ServerContext&,
                                                            etcdserverpb::MemberListRequest) override;

 private:
  Member& member_;
};

}  // namespace minigrpc::registry
