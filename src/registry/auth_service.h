// etcdserverpb.Auth: signing in, and the users, roles and permissions.
//
// Thread rule: any loop. Passwords are hashed on worker threads.
#pragma once

#include "etcd/api/auth.minigrpc.h"
#include "registry/access.h"
#include "registry/member.h"

namespace minigrpc::registry {

class AuthService final : public etcdserverpb::Auth::Handler {
 public:
  // Both are borrowed.
  AuthService(Member& member, Runtime& runtime) : member_(member), runtime_(runtime) {}

  Task<Result<etcdserverpb::AuthEnableResponse>> AuthEnable(ServerContext& context,
                                                            etcdserverpb::AuthEnableRequest) override;
  Task<Result<etcdserverpb::AuthDisableResponse>> AuthDisable(ServerContext& context,
                                                              etcdserverpb::AuthDisableRequest) override;
  Task<Result<etcdserverpb::AuthStatusResponse>> AuthStatus(ServerContext& context,
                                                            etcdserverpb::AuthStatusRequest) override;
  Task<Result<etcdserverpb::AuthenticateResponse>> Authenticate(ServerContext&,
                                                                etcdserverpb::AuthenticateRequest request) override;
  Task<Result<etcdserverpb::AuthUserAddResponse>> UserAdd(ServerContext& context,
                                                          etcdserverpb::AuthUserAddRequest request) override;
  // Everybody may ask for oneself.
  Task<Result<etcdserverpb::AuthUserGetResponse>> UserGet(ServerContext& context,
                                                          etcdserverpb::AuthUserGetRequest request) override;
  Task<Result<etcdserverpb::AuthUserListResponse>> UserList(ServerContext& context,
                                                            etcdserverpb::AuthUserListRequest) override;
  Task<Result<etcdserverpb::AuthUserDeleteResponse>> UserDelete(ServerContext& context,
                                                                etcdserverpb::AuthUserDeleteRequest request) override;
  Task<Result<etcdserverpb::AuthUserChangePasswordResponse>> UserChangePassword(
      ServerContext& context, etcdserverpb::AuthUserChangePasswordRequest request) override;
  Task<Result<etcdserverpb::AuthUserGrantRoleResponse>> UserGrantRole(
      ServerContext& context, etcdserverpb::AuthUserGrantRoleRequest request) override;
  Task<Result<etcdserverpb::AuthUserRevokeRoleResponse>> UserRevokeRole(
      ServerContext& context, etcdserverpb::AuthUserRevokeRoleRequest request) override;
  Task<Result<etcdserverpb::AuthRoleAddResponse>> RoleAdd(ServerContext& context,
                                                          etcdserverpb::AuthRoleAddRequest request) override;
  // Everybody may ask for the roles that one has.
  Task<Result<etcdserverpb::AuthRoleGetResponse>> RoleGet(ServerContext& context,
                                                          etcdserverpb::AuthRoleGetRequest request) override;
  Task<Result<etcdserverpb::AuthRoleListResponse>> RoleList(ServerContext& context,
                                                            etcdserverpb::AuthRoleListRequest) override;
  Task<Result<etcdserverpb::AuthRoleDeleteResponse>> RoleDelete(ServerContext& context,
                                                                etcdserverpb::AuthRoleDeleteRequest request) override;
  Task<Result<etcdserverpb::AuthRoleGrantPermissionResponse>> RoleGrantPermission(
      ServerContext& context, etcdserverpb::AuthRoleGrantPermissionRequest request) override;
  Task<Result<etcdserverpb::AuthRoleRevokePermissionResponse>> RoleRevokePermission(
      ServerContext& context, etcdserverpb::AuthRoleRevokePermissionRequest request) override;

 private:
  Status check_root(const ServerContext& context) const;
  // Asks for root, then makes `next(model)` the model, on disk and in force.
  template <class Response, class Next>
  Task<Result<Response>> change(const ServerContext& context, Next next);
  Task<Result<std::string>> hash(std::string password);

  Member& member_;
  Runtime& runtime_;
};

}  // namespace minigrpc::registry
