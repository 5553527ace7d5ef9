#include "registry/http_routes.h"

#include <google/protobuf/descriptor.h>

#include <algorithm>
#include <array>
#include <string>

namespace minigrpc::registry {

namespace {

constexpr HttpRoute route(std::string_view path, std::string_view method) {
  return {path, {method, MethodKind::kBidirectional}};
}

// etcd: api/etcdserverpb/rpc.proto, and those of lock and election; with the older names of leases.
constexpr std::array kRoutes{
    route("/kv/range", "/etcdserverpb.KV/Range"),
    route("/kv/put", "/etcdserverpb.KV/Put"),
    route("/kv/deleterange", "/etcdserverpb.KV/DeleteRange"),
    route("/kv/txn", "/etcdserverpb.KV/Txn"),
    route("/kv/compaction", "/etcdserverpb.KV/Compact"),
    route("/watch", "/etcdserverpb.Watch/Watch"),
    route("/lease/grant", "/etcdserverpb.Lease/LeaseGrant"),
    route("/lease/revoke", "/etcdserverpb.Lease/LeaseRevoke"),
    route("/kv/lease/revoke", "/etcdserverpb.Lease/LeaseRevoke"),
    route("/lease/keepalive", "/etcdserverpb.Lease/LeaseKeepAlive"),
    route("/lease/timetolive", "/etcdserverpb.Lease/LeaseTimeToLive"),
    route("/kv/lease/timetolive", "/etcdserverpb.Lease/LeaseTimeToLive"),
    route("/lease/leases", "/etcdserverpb.Lease/LeaseLeases"),
    route("/kv/lease/leases", "/etcdserverpb.Lease/LeaseLeases"),
    route("/cluster/member/add", "/etcdserverpb.Cluster/MemberAdd"),
    route("/cluster/member/remove", "/etcdserverpb.Cluster/MemberRemove"),
    route("/cluster/member/update", "/etcdserverpb.Cluster/MemberUpdate"),
    route("/cluster/member/list", "/etcdserverpb.Cluster/MemberList"),
    route("/cluster/member/promote", "/etcdserverpb.Cluster/MemberPromote"),
    route("/maintenance/alarm", "/etcdserverpb.Maintenance/Alarm"),
    route("/maintenance/status", "/etcdserverpb.Maintenance/Status"),
    route("/maintenance/defragment", "/etcdserverpb.Maintenance/Defragment"),
    route("/maintenance/hash", "/etcdserverpb.Maintenance/HashKV"),
    route("/maintenance/hashkv", "/etcdserverpb.Maintenance/HashKV"),
    route("/maintenance/snapshot", "/etcdserverpb.Maintenance/Snapshot"),
    route("/maintenance/transfer-leadership", "/etcdserverpb.Maintenance/MoveLeader"),
    route("/maintenance/downgrade", "/etcdserverpb.Maintenance/Downgrade"),
    route("/auth/enable", "/etcdserverpb.Auth/AuthEnable"),
    route("/auth/disable", "/etcdserverpb.Auth/AuthDisable"),
    route("/auth/status", "/etcdserverpb.Auth/AuthStatus"),
    route("/auth/authenticate", "/etcdserverpb.Auth/Authenticate"),
    route("/auth/user/add", "/etcdserverpb.Auth/UserAdd"),
    route("/auth/user/get", "/etcdserverpb.Auth/UserGet"),
    route("/auth/user/list", "/etcdserverpb.Auth/UserList"),
    route("/auth/user/delete", "/etcdserverpb.Auth/UserDelete"),
    route("/auth/user/changepw", "/etcdserverpb.Auth/UserChangePassword"),
    route("/auth/user/grant", "/etcdserverpb.Auth/UserGrantRole"),
    route("/auth/user/revoke", "/etcdserverpb.Auth/UserRevokeRole"),
    route("/auth/role/add", "/etcdserverpb.Auth/RoleAdd"),
    route("/auth/role/get", "/etcdserverpb.Auth/RoleGet"),
    route("/auth/role/list", "/etcdserverpb.Auth/RoleList"),
    route("/auth/role/delete", "/etcdserverpb.Auth/RoleDelete"),
    route("/auth/role/grant", "/etcdserverpb.Auth/RoleGrantPermission"),
    route("/auth/role/revoke", "/etcdserverpb.Auth/RoleRevokePermission"),
    route("/lock/lock", "/v3lockpb.Lock/Lock"),
    route("/lock/unlock", "/v3lockpb.Lock/Unlock"),
    route("/election/campaign", "/v3electionpb.Election/Campaign"),
    route("/election/proclaim", "/v3electionpb.Election/Proclaim"),
    route("/election/leader", "/v3electionpb.Election/Leader"),
    route("/election/observe", "/v3electionpb.Election/Observe"),
    route("/election/resign", "/v3electionpb.Election/Resign"),
};

}  // namespace

const google::protobuf::MethodDescriptor* HttpRoute::descriptor() const {
  std::string name(method.path.substr(1));
  std::ranges::replace(name, '/', '.');
  return google::protobuf::DescriptorPool::generated_pool()->FindMethodByName(name);
}

const HttpRoute* find_route(std::string_view path) {
  // etcd 3.4 still serves the older prefix.
  constexpr std::string_view kPrefixes[] = {"/v3beta", "/v3"};
  for (const std::string_view prefix : kPrefixes) {
    if (!path.starts_with(prefix)) continue;
    const auto found = std::ranges::find(kRoutes, path.substr(prefix.size()), &HttpRoute::path);
    if (found != kRoutes.end()) return found;
  }
  return nullptr;
}

}  // namespace minigrpc::registry
