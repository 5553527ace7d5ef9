#include "header_text.h"

#include "json_object.h"

namespace minigrpc::cli {

std::string header_json(const etcdserverpb::ResponseHeader& header) {
  JsonObject object;
  object.number_unless_zero("cluster_id", header.cluster_id())
      .number_unless_zero("member_id", header.member_id());
  object.number_unless_zero("revision", header.revision())
      .number_unless_zero("raft_term", header.raft_term());
  return object.text();
}

std::string header_fields(const etcdserverpb::ResponseHeader& header) {
  return "\"ClusterID\" : " + std::to_string(header.cluster_id()) +
         "\n\"MemberID\" : " + std::to_string(header.member_id()) +
         "\n\"Revision\" : " + std::to_string(header.revision()) +
         "\n\"RaftTerm\" : " + std::to_string(header.raft_term()) + "\n";
}

}  // namespace minigrpc::cli
