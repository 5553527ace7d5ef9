#include "registry/access.h"

#include <optional>
#include <utility>

#include "auth/errors.h"

namespace minigrpc::registry {

namespace {

auth::Keys to_auth(const store::KeyRange& keys) { return {keys.key, keys.range_end}; }

}  // namespace

Result<Access> Access::identify(AuthStore& store, const ServerContext& context) {
  Access access(store);
  // The first is what etcd's clients send; its JSON gateway passes the HTTP header of the second name on.
  std::optional<std::string_view> token = context.metadata().get("token");
  if (!token) token = context.metadata().get("authorization");
  if (!token) {
    // Before any model that is in force now: there is no sign-in that it could be older than.
    const PeerIdentity* client = store.client_cert_auth() ? context.peer_identity() : nullptr;
    if (client == nullptr || client->common_name.empty()) return access;
    access.user_ = client->common_name;
    access.revision_ = store.revision();
    return access;
  }
  std::optional<AuthStore::Caller> caller = store.caller_of(*token);
  if (!caller) return auth::errors::invalid_token();
  access.user_ = std::move(caller->user);
  access.revision_ = caller->revision;
  return access;
}

Status Access::require_user() const { return revision_ == 0 ? auth::errors::user_empty() : Status(); }

Status Access::require_root() const {
  if (revision_ == 0) return auth::errors::user_empty();
  return store_->model()->check_root(user_);
}

Status Access::check(auth::Right right, store::KeyRange keys) const {
  if (revision_ == 0) return auth::errors::user_empty();
  const std::shared_ptr<const auth::Model> model = store_->model();
  if (!follows_ && revision_ < model->revision()) return auth::errors::old_revision();
  // The store has its own word for a request without a key.
  if (keys.key.empty()) return Status();
  return model->check(user_, right, to_auth(keys));
}

Status Access::check_all(auth::Right right, const std::vector<std::string>& keys) const {
  if (revision_ == 0) return auth::errors::user_empty();
  for (const std::string& key : keys)
    if (Status status = check(right, {key, {}}); !status.ok()) return status;
  return Status();
}

Status Access::check_lease(store::LeaseId lease, store::WriteBatch& batch) const {
  if (require_root().ok()) return Status();
  const Result<std::vector<std::string>> keys = batch.lease_keys(lease);
  if (!keys) return keys.error();
  return check_all(auth::Right::kWrite, *keys);
}

Status Access::check_put(const store::PutRequest& put, store::WriteBatch& batch) const {
  const store::KeyRange keys{put.key, {}};
  if (Status status = check(auth::Right::kWrite, keys); !status.ok()) return status;
  if (put.lease != 0)
    if (Status status = check_lease(put.lease, batch); !status.ok()) return status;
  return put.prev_kv ? check(auth::Right::kRead, keys) : Status();
}

Status Access::check_delete(const store::DeleteRangeRequest& request) const {
  if (Status status = check(auth::Right::kWrite, request.keys); !status.ok()) return status;
  return request.prev_kv ? check(auth::Right::kRead, request.keys) : Status();
}

Status Access::check_op(const store::RequestOp& op, store::WriteBatch* batch) const {
  if (const auto* range = std::get_if<store::RangeRequest>(&op)) return check(auth::Right::kRead, range->keys);
  if (const auto* put = std::get_if<store::PutRequest>(&op)) return check_put(*put, *batch);
  if (const auto* erase = std::get_if<store::DeleteRangeRequest>(&op)) return check_delete(*erase);
  return check_txn(*std::get<std::unique_ptr<store::TxnRequest>>(op), batch);
}

Status Access::check_txn(const store::TxnRequest& txn, store::WriteBatch* batch) const {
  for (const store::Compare& compare : txn.compare)
    if (Status status = check(auth::Right::kRead, compare.keys); !status.ok()) return status;
  for (const std::vector<store::RequestOp>* ops : {&txn.success, &txn.failure})
    for (const store::RequestOp& op : *ops)
      if (Status status = check_op(op, batch); !status.ok()) return status;
  return Status();
}

}  // namespace minigrpc::registry
