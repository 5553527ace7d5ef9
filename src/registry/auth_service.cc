#include "registry/auth_service.h"

#include <optional>
#include <utility>

#include "auth/errors.h"
#include "auth/password.h"

namespace minigrpc::registry {

namespace {

void add_permission(const auth::Permission& permission, etcdserverpb::AuthRoleGetResponse& answer) {
  authpb::Permission& one = *answer.add_perm();
  one.set_permtype(static_cast<authpb::Permission::Type>(permission.type));
  one.set_key(permission.key);
  one.set_range_end(permission.range_end);
}

}  // namespace

Status AuthService::check_root(const ServerContext& context) const {
  const Result<Access> access = Access::of(member_.auth(), context);
  if (!access) return access.error();
  return access->may_administer();
}

template <class Response, class Next>
Task<Result<Response>> AuthService::change(const ServerContext& context, Next next) {
  const Result<Access> access = Access::of(member_.auth(), context);
  if (!access) co_return access.error();
  std::optional<auth::Model> changed;
  auto apply = [&](store::WriteBatch& batch) -> Status {
    if (Status status = access->may_administer(); !status.ok()) return status;
    const std::shared_ptr<const auth::Model> before = member_.auth().model();
    Result<auth::Model> after = next(*before);
    if (!after) return std::move(after).error();
    changed = *std::move(after);
    return store_changes(*before, *changed, batch);
  };
  auto publish = [&] { member_.auth().publish(*std::move(changed)); };
  auto changing = member_.writer().change(apply, publish);
  Status status = co_await changing;
  if (!status.ok()) co_return status;
  Response answer;
  member_.fill(answer.mutable_header(), member_.hub().revision());
  co_return answer;
}

Task<Result<std::string>> AuthService::hash(std::string password) {
  const auto work = [password = std::move(password), cost = member_.auth().bcrypt_cost()] {
    return auth::hash_password(password, cost);
  };
  Task<Result<std::string>> hashing = runtime_.blocking(work);
  Result<std::string> result = co_await hashing;
  co_return result;
}

Task<Result<etcdserverpb::AuthEnableResponse>> AuthService::AuthEnable(ServerContext& context,
                                                                       etcdserverpb::AuthEnableRequest) {
  return change<etcdserverpb::AuthEnableResponse>(context,
                                                  [](const auth::Model& model) { return model.with_enabled(); });
}

Task<Result<etcdserverpb::AuthDisableResponse>> AuthService::AuthDisable(ServerContext& context,
                                                                         etcdserverpb::AuthDisableRequest) {
  return change<etcdserverpb::AuthDisableResponse>(
      context, [](const auth::Model& model) -> Result<auth::Model> { return model.with_disabled(); });
}

Task<Result<etcdserverpb::AuthStatusResponse>> AuthService::AuthStatus(ServerContext& context,
                                                                       etcdserverpb::AuthStatusRequest) {
  if (Status status = check_root(context); !status.ok()) co_return status;
  const std::shared_ptr<const auth::Model> model = member_.auth().model();
  etcdserverpb::AuthStatusResponse answer;
  member_.fill(answer.mutable_header(), member_.hub().revision());
  answer.set_enabled(model->enabled());
  answer.set_authrevision(model->revision());
  co_return answer;
}

Task<Result<etcdserverpb::AuthenticateResponse>> AuthService::Authenticate(ServerContext&,
                                                                           etcdserverpb::AuthenticateRequest request) {
  for (;;) {
    const std::shared_ptr<const auth::Model> model = member_.auth().model();
    if (!model->enabled()) co_return auth::errors::not_enabled();
    const auth::User* user = model->user(request.name());
    if (user == nullptr) co_return auth::errors::auth_failed();
    if (user->no_password) co_return auth::errors::no_password_user();
    const auto work = [password = request.password(), hash = user->password_hash] {
      return auth::password_matches(password, hash);
    };
    Task<bool> matching = runtime_.blocking(work);
    const bool matches = co_await matching;
    if (!matches) {
      member_.log().warn("a user could not sign in", {{"user", request.name()}});
      co_return auth::errors::auth_failed();
    }
    Result<std::string> token = member_.auth().assign_token(request.name(), model->revision());
    if (!token) co_return std::move(token).error();
    // The password may have been changed meanwhile, before the token was there to be forgotten.
    if (member_.auth().revision() != model->revision()) continue;
    etcdserverpb::AuthenticateResponse answer;
    member_.fill(answer.mutable_header(), member_.hub().revision());
    answer.set_token(*std::move(token));
    co_return answer;
  }
}

Task<Result<etcdserverpb::AuthUserAddResponse>> AuthService::UserAdd(ServerContext& context,
                                                                     etcdserverpb::AuthUserAddRequest request) {
  // Before the hash: nobody else shall have us compute.
  if (Status status = check_root(context); !status.ok()) co_return status;
  auth::User user{.name = request.name(), .password_hash = {}, .roles = {}, .no_password = request.options().no_password()};
  if (!user.no_password) {
    Task<Result<std::string>> hashing = hash(request.password());
    Result<std::string> hashed = co_await hashing;
    if (!hashed) co_return std::move(hashed).error();
    user.password_hash = *std::move(hashed);
  }
  const auto add = [&user](const auth::Model& model) { return model.with_user(user); };
  auto changing = change<etcdserverpb::AuthUserAddResponse>(context, add);
  Result<etcdserverpb::AuthUserAddResponse> answer = co_await changing;
  co_return answer;
}

Task<Result<etcdserverpb::AuthUserGetResponse>> AuthService::UserGet(ServerContext& context,
                                                                     etcdserverpb::AuthUserGetRequest request) {
  const Result<Access> access = Access::of(member_.auth(), context);
  if (!access) co_return access.error();
  Status status = access->may_administer();
  if (!status.ok() && (access->user().empty() || access->user() != request.name())) co_return status;
  const std::shared_ptr<const auth::Model> model = member_.auth().model();
  const auth::User* user = model->user(request.name());
  if (user == nullptr) co_return auth::errors::user_not_found();
  etcdserverpb::AuthUserGetResponse answer;
  member_.fill(answer.mutable_header(), member_.hub().revision());
  for (const std::string& role : user->roles) answer.add_roles(role);
  co_return answer;
}

Task<Result<etcdserverpb::AuthUserListResponse>> AuthService::UserList(ServerContext& context,
                                                                       etcdserverpb::AuthUserListRequest) {
  if (Status status = check_root(context); !status.ok()) co_return status;
  etcdserverpb::AuthUserListResponse answer;
  member_.fill(answer.mutable_header(), member_.hub().revision());
  const std::shared_ptr<const auth::Model> model = member_.auth().model();
  for (const auto& [name, user] : model->users()) answer.add_users(name);
  co_return answer;
}

Task<Result<etcdserverpb::AuthUserDeleteResponse>> AuthService::UserDelete(
    ServerContext& context, etcdserverpb::AuthUserDeleteRequest request) {
  return change<etcdserverpb::AuthUserDeleteResponse>(
      context, [name = request.name()](const auth::Model& model) { return model.without_user(name); });
}

Task<Result<etcdserverpb::AuthUserChangePasswordResponse>> AuthService::UserChangePassword(
    ServerContext& context, etcdserverpb::AuthUserChangePasswordRequest request) {
  if (Status status = check_root(context); !status.ok()) co_return status;
  Task<Result<std::string>> hashing = hash(request.password());
  Result<std::string> hashed = co_await hashing;
  if (!hashed) co_return std::move(hashed).error();
  const auto replace = [&](const auth::Model& model) { return model.with_password(request.name(), *hashed); };
  auto changing = change<etcdserverpb::AuthUserChangePasswordResponse>(context, replace);
  Result<etcdserverpb::AuthUserChangePasswordResponse> answer = co_await changing;
  co_return answer;
}

Task<Result<etcdserverpb::AuthUserGrantRoleResponse>> AuthService::UserGrantRole(
    ServerContext& context, etcdserverpb::AuthUserGrantRoleRequest request) {
  return change<etcdserverpb::AuthUserGrantRoleResponse>(
      context, [request](const auth::Model& model) { return model.with_role_granted(request.user(), request.role()); });
}

Task<Result<etcdserverpb::AuthUserRevokeRoleResponse>> AuthService::UserRevokeRole(
    ServerContext& context, etcdserverpb::AuthUserRevokeRoleRequest request) {
  return change<etcdserverpb::AuthUserRevokeRoleResponse>(
      context, [request](const auth::Model& model) { return model.with_role_revoked(request.name(), request.role()); });
}

Task<Result<etcdserverpb::AuthRoleAddResponse>> AuthService::RoleAdd(ServerContext& context,
                                                                     etcdserverpb::AuthRoleAddRequest request) {
  return change<etcdserverpb::AuthRoleAddResponse>(
      context, [name = request.name()](const auth::Model& model) { return model.with_role(name); });
}

Task<Result<etcdserverpb::AuthRoleGetResponse>> AuthService::RoleGet(ServerContext& context,
                                                                     etcdserverpb::AuthRoleGetRequest request) {
  const Result<Access> access = Access::of(member_.auth(), context);
  if (!access) co_return access.error();
  const std::shared_ptr<const auth::Model> model = member_.auth().model();
  if (Status status = access->may_administer(); !status.ok()) {
    const auth::User* user = model->user(access->user());
    if (user == nullptr || !user->has_role(request.role())) co_return status;
  }
  const auth::Role* role = model->role(request.role());
  if (role == nullptr) co_return auth::errors::role_not_found();
  etcdserverpb::AuthRoleGetResponse answer;
  member_.fill(answer.mutable_header(), member_.hub().revision());
  // The root role has no permissions of its own, and needs none.
  if (role->name == auth::kRoot)
    add_permission({auth::PermissionType::kReadWrite, std::string(), std::string(1, '\0')}, answer);
  else
    for (const auth::Permission& permission : role->permissions) add_permission(permission, answer);
  co_return answer;
}

Task<Result<etcdserverpb::AuthRoleListResponse>> AuthService::RoleList(ServerContext& context,
                                                                       etcdserverpb::AuthRoleListRequest) {
  if (Status status = check_root(context); !status.ok()) co_return status;
  etcdserverpb::AuthRoleListResponse answer;
  member_.fill(answer.mutable_header(), member_.hub().revision());
  const std::shared_ptr<const auth::Model> model = member_.auth().model();
  for (const auto& [name, role] : model->roles()) answer.add_roles(name);
  co_return answer;
}

Task<Result<etcdserverpb::AuthRoleDeleteResponse>> AuthService::RoleDelete(
    ServerContext& context, etcdserverpb::AuthRoleDeleteRequest request) {
  return change<etcdserverpb::AuthRoleDeleteResponse>(
      context, [name = request.role()](const auth::Model& model) { return model.without_role(name); });
}

Task<Result<etcdserverpb::AuthRoleGrantPermissionResponse>> AuthService::RoleGrantPermission(
    ServerContext& context, etcdserverpb::AuthRoleGrantPermissionRequest request) {
  return change<etcdserverpb::AuthRoleGrantPermissionResponse>(
      context, [request](const auth::Model& model) -> Result<auth::Model> {
        if (!request.has_perm() || !authpb::Permission::Type_IsValid(request.perm().permtype()))
          return auth::errors::permission_not_given();
        return model.with_permission(request.name(), {static_cast<auth::PermissionType>(request.perm().permtype()),
                                                      request.perm().key(), request.perm().range_end()});
      });
}

Task<Result<etcdserverpb::AuthRoleRevokePermissionResponse>> AuthService::RoleRevokePermission(
    ServerContext& context, etcdserverpb::AuthRoleRevokePermissionRequest request) {
  return change<etcdserverpb::AuthRoleRevokePermissionResponse>(context, [request](const auth::Model& model) {
    return model.without_permission(request.role(), {request.key(), request.range_end()});
  });
}

}  // namespace minigrpc::registry
