#include "discovery/registration_plan.h"

namespace minigrpc::discovery {

using etcd::Compare;
using etcd::KeyRange;

Standing judge(const std::optional<etcd::KeyValue>& found, const OwnValue& own, bool held) {
  if (!found) return Standing::kAbsent;
  if (found->lease == own.lease && found->value == own.value) return Standing::kOurs;
  const Result<Instance> instance = parse_instance(found->value);
  if (instance && instance->state == InstanceState::kDisabled) return Standing::kDisabled;
  // A registration always hangs on a lease: what has none was written by hand.
  const bool same_id =
      instance && instance->id == own.instance_id && found->lease != 0 && found->lease != own.lease;
  if (same_id) return held ? Standing::kTwin : Standing::kPredecessor;
  return held || found->lease == own.lease ? Standing::kOverwritten : Standing::kForeign;
}

etcd::TxnRequest read_keys(const std::vector<OwnKey>& keys) {
  etcd::TxnRequest txn;
  for (const OwnKey& key : keys) txn.then(etcd::RangeRequest{.keys = KeyRange::single(key.key)});
  return txn;
}

Status take_in(const etcd::TxnResponse& answer, const OwnValue& own, std::vector<OwnKey>& keys,
               etcd::TxnRequest& repair) {
  const Status misfit(StatusCode::kInternal, "the registry's answer does not fit the transaction");
  if (answer.responses.size() != keys.size()) return misfit;
  for (std::size_t i = 0; i < keys.size(); ++i) {
    const auto* range = std::get_if<etcd::RangeResponse>(&answer.responses[i]);
    if (range == nullptr) return misfit;
    OwnKey& key = keys[i];
    std::optional<etcd::KeyValue> found;
    if (!range->kvs.empty()) found = range->kvs.front();
    key.standing = judge(found, own, key.held);
    if (key.standing == Standing::kOurs) key.held = true;
    const bool takes_over = key.standing == Standing::kPredecessor || key.standing == Standing::kOverwritten;
    if (key.standing != Standing::kAbsent && !takes_over) continue;
    repair.when(takes_over ? Compare::mod_revision_is(key.key, found->mod_revision)
                           : Compare::absent(key.key));
    repair.then(etcd::PutRequest{.key = key.key, .value = own.value, .lease = own.lease});
  }
  return Status();
}

etcd::TxnRequest delete_keys(const std::vector<OwnKey>& keys, etcd::LeaseId lease) {
  etcd::TxnRequest txn;
  for (const OwnKey& key : keys) {
    etcd::TxnRequest one;
    one.when(Compare::lease_is(key.key, lease));
    one.then(etcd::DeleteRangeRequest{.keys = KeyRange::single(key.key)});
    txn.then(std::make_shared<const etcd::TxnRequest>(std::move(one)));
  }
  return txn;
}

}  // namespace minigrpc::discovery
