// The errors of etcd's authentication, with etcd's codes and texts (etcd: api/v3rpc/rpctypes/error.go): clients
// compare them.
//
// Thread rule: free functions.
#pragma once

#include <minigrpc/status.h>

namespace minigrpc::auth::errors {

inline Status root_user_not_exist() {
  return {StatusCode::kFailedPrecondition, "etcdserver: root user does not exist"};
}
inline Status root_role_not_exist() {
  return {StatusCode::kFailedPrecondition, "etcdserver: root user does not have root role"};
}
inline Status user_exists() { return {StatusCode::kFailedPrecondition, "etcdserver: user name already exists"}; }
inline Status user_empty() { return {StatusCode::kInvalidArgument, "etcdserver: user name is empty"}; }
inline Status user_not_found() { return {StatusCode::kFailedPrecondition, "etcdserver: user name not found"}; }
inline Status role_exists() { return {StatusCode::kFailedPrecondition, "etcdserver: role name already exists"}; }
inline Status role_not_found() { return {StatusCode::kFailedPrecondition, "etcdserver: role name not found"}; }
inline Status role_empty() { return {StatusCode::kInvalidArgument, "etcdserver: role name is empty"}; }
inline Status role_not_granted() {
  return {StatusCode::kFailedPrecondition, "etcdserver: role is not granted to the user"};
}
inline Status permission_not_given() { return {StatusCode::kInvalidArgument, "etcdserver: permission not given"}; }
inline Status permission_not_granted() {
  return {StatusCode::kFailedPrecondition, "etcdserver: permission is not granted to the role"};
}
inline Status permission_denied() { return {StatusCode::kPermissionDenied, "etcdserver: permission denied"}; }
inline Status auth_failed() {
  return {StatusCode::kInvalidArgument, "etcdserver: authentication failed, invalid user ID or password"};
}
// Not in etcd's table, so its code is UNKNOWN there, too.
inline Status no_password_user() {
  return {StatusCode::kUnknown, "auth: authentication failed, password was given for no password user"};
}
inline Status not_enabled() {
  return {StatusCode::kFailedPrecondition, "etcdserver: authentication is not enabled"};
}
inline Status invalid_token() { return {StatusCode::kUnauthenticated, "etcdserver: invalid auth token"}; }
inline Status invalid_management() { return {StatusCode::kInvalidArgument, "etcdserver: invalid auth management"}; }
inline Status old_revision() { return {StatusCode::kInvalidArgument, "etcdserver: revision of auth store is old"}; }

}  // namespace minigrpc::auth::errors
