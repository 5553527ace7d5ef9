#include "registry/cluster_service.h"

namespace minigrpc::registry {

Task<Result<etcdserverpb::MemberListResponse>> ClusterService::MemberList(ServerContext&,
                                                                          etcdserverpb::MemberListRequest) {
  etcdserverpb::MemberListResponse answer;
  // etcd's answer has no revision: the membership is not in the keyspace.
  member_.fill(answer.mutable_header(), 0);
  etcdserverpb::Member& one = *answer.add_members();
  one.set_id(member_.identity().member_id);
  one.set_name(member_.options().name);
  for (const std::string& url : member_.options().advertise_peer_urls) one.add_peerurls(url);
  for (const std::string& url : member_.client_urls()) one.add_clienturls(url);
  co_return answer;
}

}  // namespace minigrpc::registry
