// Access: what the caller of one call may do. Everything, while authentication is off; what that costs is one load.
//
//   const Result<Access> access = Access::of(member.auth(), context);
//   if (!access) co_return access.error();                       // a token that is not valid
//   ...in the writer's body, where the answer still holds when the request is applied:
//   if (Status status = access->may_put(put, batch); !status.ok()) return status;
//
// A read is checked after its ReadView was made: then a permission that was taken away covers all that came after.
//
// Errors are etcd's: INVALID_ARGUMENT without a user or with one of an older auth revision, PERMISSION_DENIED.
//
// Thread rule: any thread, one at a time.
#pragma once

#include <minigrpc/server_context.h>

#include <string>
#include <vector>

#include "registry/auth_store.h"
#include "store/store.h"

namespace minigrpc::registry {

class Access {
 public:
  // UNAUTHENTICATED for a token that is none, or has ended. No token is no error here. `store` is borrowed.
  static Result<Access> of(AuthStore& store, const ServerContext& context) {
    if (!store.enabled()) return Access(store);
    return identify(store, context);
  }

  // Whether anybody is signed in.
  Status signed_in() const { return store_->enabled() ? require_user() : Status(); }
  Status may_administer() const { return store_->enabled() ? require_root() : Status(); }
  Status may_read(store::KeyRange keys) const {
    return store_->enabled() ? check(auth::Right::kRead, keys) : Status();
  }
  Status may_write(store::KeyRange keys) const {
    return store_->enabled() ? check(auth::Right::kWrite, keys) : Status();
  }
  // Of a lease whose keys it may not all write it may not take hold either: the key could take them away with it.
  Status may_put(const store::PutRequest& put, store::WriteBatch& batch) const {
    return store_->enabled() ? check_put(put, batch) : Status();
  }
  Status may_delete(const store::DeleteRangeRequest& request) const {
    return store_->enabled() ? check_delete(request) : Status();
  }
  // Both branches and all compares, those of nested transactions too. `batch` is null for one that only reads.
  Status may_run(const store::TxnRequest& txn, store::WriteBatch* batch) const {
    return store_->enabled() ? check_txn(txn, batch) : Status();
  }
  // Whoever ends a lease deletes its keys.
  Status may_revoke(store::LeaseId lease, store::WriteBatch& batch) const {
    return store_->enabled() ? check_lease(lease, batch) : Status();
  }
  Status may_write_all(const std::vector<std::string>& keys) const {
    return store_->enabled() ? check_all(auth::Right::kWrite, keys) : Status();
  }
  Status may_read_all(const std::vector<std::string>& keys) const {
    return store_->enabled() ? check_all(auth::Right::kRead, keys) : Status();
  }

  // Empty: nobody is signed in.
  const std::string& user() const { return user_; }
  // The same caller, for as long as a stream lasts: what it may do follows later changes of the rights.
  Access for_stream() const {
    Access access = *this;
    access.follows_ = true;
    return access;
  }

 private:
  explicit Access(AuthStore& store) : store_(&store) {}
  static Result<Access> identify(AuthStore& store, const ServerContext& context);
  Status require_user() const;
  Status require_root() const;
  Status check(auth::Right right, store::KeyRange keys) const;
  Status check_all(auth::Right right, const std::vector<std::string>& keys) const;
  Status check_put(const store::PutRequest& put, store::WriteBatch& batch) const;
  Status check_delete(const store::DeleteRangeRequest& request) const;
  Status check_lease(store::LeaseId lease, store::WriteBatch& batch) const;
  Status check_txn(const store::TxnRequest& txn, store::WriteBatch* batch) const;
  Status check_op(const store::RequestOp& op, store::WriteBatch* batch) const;

  AuthStore* store_;
  std::string user_;
  std::uint64_t revision_ = 0;  // 0: nobody is signed in
  bool follows_ = false;
};

}  // namespace minigrpc::registry
