// The errors of etcd's keyspace, with etcd's codes and texts (etcd: api/v3rpc/rpctypes/error.go): clients
// compare them.
//
// Thread rule: free functions.
#pragma once

#include <minigrpc/status.h>

namespace minigrpc::store::errors {

inline Status empty_key() { return {StatusCode::kInvalidArgument, "etcdserver: key is not provided"}; }
inline Status key_not_found() { return {StatusCode::kInvalidArgument, "etcdserver: key not found"}; }
inline Status value_provided() { return {StatusCode::kInvalidArgument, "etcdserver: value is provided"}; }
inline Status lease_provided() { return {StatusCode::kInvalidArgument, "etcdserver: lease is provided"}; }
inline Status too_many_ops() {
  return {StatusCode::kInvalidArgument, "etcdserver: too many operations in txn request"};
}
inline Status duplicate_key() {
  return {StatusCode::kInvalidArgument, "etcdserver: duplicate key given in txn request"};
}
inline Status compacted() {
  return {StatusCode::kOutOfRange, "etcdserver: mvcc: required revision has been compacted"};
}
inline Status future_revision() {
  return {StatusCode::kOutOfRange, "etcdserver: mvcc: required revision is a future revision"};
}
inline Status no_space() {
  return {StatusCode::kResourceExhausted, "etcdserver: mvcc: database space exceeded"};
}
inline Status lease_not_found() { return {StatusCode::kNotFound, "etcdserver: requested lease not found"}; }
inline Status lease_exists() { return {StatusCode::kFailedPrecondition, "etcdserver: lease already exists"}; }
inline Status lease_ttl_too_large() { return {StatusCode::kOutOfRange, "etcdserver: too large lease TTL"}; }

}  // namespace minigrpc::store::errors
