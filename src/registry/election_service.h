// v3electionpb.Election: the leader is who stands first in the line of the election's name.
//
// Thread rule: any loop.
#pragma once

#include "etcd/api/election.minigrpc.h"
#include "registry/access.h"
#include "registry/member.h"

namespace minigrpc::registry {

class ElectionService final : public v3electionpb::Election::Handler {
 public:
  // `member` is borrowed.
  explicit ElectionService(Member& member) : member_(member) {}

  Task<Result<v3electionpb::CampaignResponse>> Campaign(ServerContext& context,
                                                        v3electionpb::CampaignRequest request) override;
  Task<Result<v3electionpb::ProclaimResponse>> Proclaim(ServerContext& context,
                                                        v3electionpb::ProclaimRequest request) override;
  Task<Result<v3electionpb::LeaderResponse>> Leader(ServerContext& context,
                                                    v3electionpb::LeaderRequest request) override;
  // Who leads, then each of its proclamations, then who leads next, and so on.
  Task<Status> Observe(ServerContext& context, v3electionpb::LeaderRequest request,
                       ServerWriter<v3electionpb::LeaderResponse>& writer) override;
  Task<Result<v3electionpb::ResignResponse>> Resign(ServerContext& context,
                                                    v3electionpb::ResignRequest request) override;

 private:
  using LeaderWriter = ServerWriter<v3electionpb::LeaderResponse>;
  // UNKNOWN without a leader, as etcd has it.
  Result<v3electionpb::LeaderResponse> find_leader(const Access& access, const std::string& name) const;
  // One term: until its key is deleted. False when the call is over.
  Task<Result<bool>> observe_leader(v3electionpb::LeaderResponse leader, LeaderWriter* writer);
  // Until somebody puts a key of that name. False when the call is over.
  Task<Result<bool>> wait_for_candidate(std::string name, std::int64_t revision);

  Member& member_;
};

}  // namespace minigrpc::registry
