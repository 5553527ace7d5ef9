#include "registry/cluster_service.h"

#include <algorithm>

namespace minigrpc::registry {

namespace {

Status bad_urls() { return {StatusCode::kInvalidArgument, "etcdserver: given member URLs are invalid"}; }
Status not_found() { return {StatusCode::kNotFound, "etcdserver: member not found"}; }

// etcd's rule for URLs of members: a scheme, a host and a port, and nothing behind.
bool is_member_url(const std::string& url) {
  const std::size_t scheme = url.find("://");
  if (scheme == std::string::npos) return false;
  const std::string_view name = std::string_view(url).substr(0, scheme);
  if (name == "unix" || name == "unixs") return url.size() > scheme + 3;
  const std::string_view address = std::string_view(url).substr(scheme + 3);
  const std::size_t colon = address.rfind(':');
  return (name == "http" || name == "https") && colon != std::string_view::npos && colon > 0 &&
         colon + 1 < address.size() && address.find('/') == std::string_view::npos &&
         std::ranges::all_of(address.substr(colon + 1), [](char c) { return c >= '0' && c <= '9'; });
}

bool are_member_urls(const auto& urls) {
  return !urls.empty() && std::ranges::all_of(urls, [](const std::string& url) { return is_member_url(url); });
}

}  // namespace

void ClusterService::describe(etcdserverpb::Member* one) const {
  one->set_id(member_.identity().member_id);
  one->set_name(member_.options().name);
  for (const std::string& url : member_.peer_urls()) one->add_peerurls(url);
  for (const std::string& url : member_.client_urls()) one->add_clienturls(url);
}

Status ClusterService::check(const ServerContext& context, std::uint64_t id) const {
  const Result<Access> access = Access::of(member_.auth(), context);
  if (!access) return access.error();
  if (Status status = access->may_administer(); !status.ok()) return status;
  return id == member_.identity().member_id ? Status() : not_found();
}

Task<Result<etcdserverpb::MemberListResponse>> ClusterService::MemberList(ServerContext&,
                                                                          etcdserverpb::MemberListRequest) {
  etcdserverpb::MemberListResponse answer;
  // etcd 3.4's answer has no revision, as the membership is not in the keyspace; 3.6's has the store's.
  member_.fill(answer.mutable_header(), member_.hub().revision());
  describe(answer.add_members());
  co_return answer;
}

Task<Result<etcdserverpb::MemberUpdateResponse>> ClusterService::MemberUpdate(
    ServerContext& context, etcdserverpb::MemberUpdateRequest request) {
  if (Status status = check(context, request.id()); !status.ok()) co_return status;
  if (!are_member_urls(request.peerurls())) co_return bad_urls();
  std::string lines;
  for (const std::string& url : request.peerurls()) lines += url + "\n";
  auto update = [&](store::WriteBatch& batch) { return batch.put_record(kPeerUrlsRecord, lines); };
  auto publish = [&] { member_.set_peer_urls({request.peerurls().begin(), request.peerurls().end()}); };
  auto changing = member_.writer().change(update, publish);
  Status status = co_await changing;
  if (!status.ok()) co_return status;
  etcdserverpb::MemberUpdateResponse answer;
  member_.fill(answer.mutable_header(), member_.hub().revision());
  describe(answer.add_members());
  co_return answer;
}

Task<Result<etcdserverpb::MemberAddResponse>> ClusterService::MemberAdd(ServerContext& context,
                                                                        etcdserverpb::MemberAddRequest request) {
  if (Status status = check(context, member_.identity().member_id); !status.ok()) co_return status;
  if (!are_member_urls(request.peerurls())) co_return bad_urls();
  co_return Status(StatusCode::kFailedPrecondition,
                   "minigrpcd is a single member: for more of them start etcd from a snapshot, and point clients at it");
}

Task<Result<etcdserverpb::MemberRemoveResponse>> ClusterService::MemberRemove(
    ServerContext& context, etcdserverpb::MemberRemoveRequest request) {
  if (Status status = check(context, request.id()); !status.ok()) co_return status;
  co_return Status(StatusCode::kFailedPrecondition,
                   "minigrpcd is a single member, and cannot be removed: stop the process instead");
}

Task<Result<etcdserverpb::MemberPromoteResponse>> ClusterService::MemberPromote(
    ServerContext& context, etcdserverpb::MemberPromoteRequest request) {
  if (Status status = check(context, request.id()); !status.ok()) co_return status;
  co_return Status(StatusCode::kFailedPrecondition, "etcdserver: can only promote a learner member");
}

}  // namespace minigrpc::registry
