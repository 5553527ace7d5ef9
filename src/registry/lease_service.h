// etcdserverpb.Lease on the store. The writer thread owns the leases, and revokes those that are due.
//
// Thread rule: any loop.
#pragma once

#include "etcd/api/lease.minigrpc.h"
#include "registry/access.h"
#include "registry/member.h"

namespace minigrpc::registry {

class LeaseService final : public etcdserverpb::Lease::Handler {
 public:
  // `member` is borrowed.
  explicit LeaseService(Member& member) : member_(member) {}

  Task<Result<etcdserverpb::LeaseGrantResponse>> LeaseGrant(ServerContext&,
                                                            etcdserverpb::LeaseGrantRequest request) override;
  Task<Result<etcdserverpb::LeaseRevokeResponse>> LeaseRevoke(ServerContext&,
                                                              etcdserverpb::LeaseRevokeRequest request) override;
  Task<Status> LeaseKeepAlive(ServerContext&, ServerStream<etcdserverpb::LeaseKeepAliveRequest,
                                                           etcdserverpb::LeaseKeepAliveResponse>& stream) override;
  Task<Result<etcdserverpb::LeaseTimeToLiveResponse>> LeaseTimeToLive(
      ServerContext&, etcdserverpb::LeaseTimeToLiveRequest request) override;
  Task<Result<etcdserverpb::LeaseLeasesResponse>> LeaseLeases(ServerContext&,
                                                              etcdserverpb::LeaseLeasesRequest request) override;

 private:
  using KeepAliveStream = ServerStream<etcdserverpb::LeaseKeepAliveRequest, etcdserverpb::LeaseKeepAliveResponse>;
  // Answers until the client is done, or the call is over.
  Task<Status> serve(Access access, KeepAliveStream* stream);
  Member& member_;
};

}  // namespace minigrpc::registry
