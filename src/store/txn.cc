#include "store/txn.h"

#include <algorithm>
#include <string_view>
#include <unordered_set>
#include <utility>

#include "store/errors.h"

namespace minigrpc::store {

namespace {

Status check_levels(const TxnRequest& request, std::size_t ops_max);

using NestedRequest = std::unique_ptr<TxnRequest>;

const std::vector<RequestOp>& branch(const TxnRequest& request, bool succeeded) {
  return succeeded ? request.success : request.failure;
}

Status check_op(const RequestOp& op, std::size_t ops_max) {
  if (const auto* range = std::get_if<RangeRequest>(&op))
    return range->keys.key.empty() ? errors::empty_key() : Status();
  if (const auto* put = std::get_if<PutRequest>(&op)) return check_put(*put);
  if (const auto* erase = std::get_if<DeleteRangeRequest>(&op))
    return erase->keys.key.empty() ? errors::empty_key() : Status();
  const auto& nested = std::get<NestedRequest>(op);
  detail::require(nested != nullptr, "a nested transaction without a request");
  return check_levels(*nested, ops_max);
}

// What a list of operations may write: each key at most once, except that two branches of one nested
// transaction may both write it, since only one of them is taken.
struct WriteSet {
  std::unordered_set<std::string_view> puts;
  std::vector<KeyRange> deletes;

  // An unbounded deletion counts for none: etcd compares with its "\0" as with any other end.
  bool deletes_key(std::string_view key) const {
    return std::any_of(deletes.begin(), deletes.end(),
                       [&](const KeyRange& range) { return !range.unbounded() && range.contains(key); });
  }
};

Status collect_writes(const std::vector<RequestOp>& ops, WriteSet& set);

Status collect_nested(const TxnRequest& request, WriteSet& set) {
  WriteSet then;
  WriteSet otherwise;
  if (Status status = collect_writes(request.success, then); !status.ok()) return status;
  if (Status status = collect_writes(request.failure, otherwise); !status.ok()) return status;
  for (const std::string_view key : then.puts)
    if (set.deletes_key(key) || !set.puts.insert(key).second) return errors::duplicate_key();
  for (const std::string_view key : otherwise.puts)
    if (set.deletes_key(key) || (!set.puts.insert(key).second && !then.puts.contains(key)))
      return errors::duplicate_key();
  set.deletes.insert(set.deletes.end(), then.deletes.begin(), then.deletes.end());
  set.deletes.insert(set.deletes.end(), otherwise.deletes.begin(), otherwise.deletes.end());
  return {};
}

// etcd's order, since it decides what is found: this level's deletions, nested transactions, this level's
// puts.
Status collect_writes(const std::vector<RequestOp>& ops, WriteSet& set) {
  for (const RequestOp& op : ops)
    if (const auto* erase = std::get_if<DeleteRangeRequest>(&op)) set.deletes.push_back(erase->keys);
  for (const RequestOp& op : ops)
    if (const auto* nested = std::get_if<NestedRequest>(&op))
      if (Status status = collect_nested(**nested, set); !status.ok()) return status;
  for (const RequestOp& op : ops)
    if (const auto* put = std::get_if<PutRequest>(&op))
      if (set.deletes_key(put->key) || !set.puts.insert(put->key).second) return errors::duplicate_key();
  return {};
}

// The operations and compares of all levels, before the duplicates are looked for.
Status check_levels(const TxnRequest& request, std::size_t ops_max) {
  const std::size_t ops = std::max({request.compare.size(), request.success.size(), request.failure.size()});
  if (ops > ops_max) return errors::too_many_ops();
  for (const Compare& compare : request.compare)
    if (compare.keys.key.empty()) return errors::empty_key();
  for (const std::vector<RequestOp>* list : {&request.success, &request.failure})
    for (const RequestOp& op : *list)
      if (Status status = check_op(op, ops_max - ops); !status.ok()) return status;
  return {};
}

Status extend_path(const Snapshot& snapshot, const TxnRequest& request, TxnPath& path) {
  bool succeeded = true;
  for (const Compare& compare : request.compare) {
    Result<bool> holds = run_compare(snapshot, compare);
    if (!holds) return holds.error();
    succeeded = *holds;
    if (!succeeded) break;
  }
  path.push_back(succeeded);
  for (const RequestOp& op : branch(request, succeeded))
    if (const auto* nested = std::get_if<NestedRequest>(&op))
      if (Status status = extend_path(snapshot, **nested, path); !status.ok()) return status;
  return {};
}

void collect_level(const TxnRequest& request, const TxnPath& path, std::size_t& place,
                   std::vector<const RequestOp*>& ops) {
  for (const RequestOp& op : branch(request, path[place++])) {
    if (const auto* nested = std::get_if<NestedRequest>(&op))
      collect_level(**nested, path, place, ops);
    else
      ops.push_back(&op);
  }
}

class Run {
 public:
  Run(const Snapshot& snapshot, Writer* writer, const TxnPath& path)
      : snapshot_(snapshot), writer_(writer), path_(path) {}

  Result<TxnResult> level(const TxnRequest& request) {
    TxnResult result;
    result.succeeded = path_[place_++];
    for (const RequestOp& op : branch(request, result.succeeded)) {
      Result<ResponseOp> response = std::visit([this](const auto& one) { return execute(one); }, op);
      if (!response) return response.error();
      result.responses.push_back(std::move(*response));
    }
    result.revision = writer_ != nullptr ? writer_->revision() : snapshot_.state.revision;
    return result;
  }

 private:
  template <class T>
  static Result<ResponseOp> to_response(Result<T> result) {
    if (!result) return result.error();
    return ResponseOp(std::move(*result));
  }
  Result<ResponseOp> execute(const RangeRequest& request) {
    if (writer_ == nullptr) return to_response(run_range(snapshot_, request, Lifetime::kOfTransaction));
    return to_response(run_range(writer_->snapshot(), request, Lifetime::kOwned));
  }
  Result<ResponseOp> execute(const PutRequest& request) { return to_response(writer_->put(request)); }
  Result<ResponseOp> execute(const DeleteRangeRequest& request) {
    return to_response(writer_->delete_range(request));
  }
  Result<ResponseOp> execute(const NestedRequest& request) {
    Result<TxnResult> nested = level(*request);
    if (!nested) return nested.error();
    return ResponseOp(std::make_unique<TxnResult>(std::move(*nested)));
  }

  const Snapshot& snapshot_;
  Writer* writer_;
  const TxnPath& path_;
  std::size_t place_ = 0;
};

}  // namespace

Status check_put(const PutRequest& request) {
  if (request.key.empty()) return errors::empty_key();
  if (request.ignore_value && !request.value.empty()) return errors::value_provided();
  if (request.ignore_lease && request.lease != 0) return errors::lease_provided();
  return {};
}

Status check_txn(const TxnRequest& request, std::size_t ops_max) {
  if (Status status = check_levels(request, ops_max); !status.ok()) return status;
  for (const std::vector<RequestOp>* list : {&request.success, &request.failure}) {
    WriteSet set;
    if (Status status = collect_writes(*list, set); !status.ok()) return status;
  }
  return {};
}

Result<TxnPath> choose_path(const Snapshot& snapshot, const TxnRequest& request) {
  TxnPath path;
  if (Status status = extend_path(snapshot, request, path); !status.ok()) return status;
  return path;
}

std::vector<const RequestOp*> ops_on_path(const TxnRequest& request, const TxnPath& path) {
  std::vector<const RequestOp*> ops;
  std::size_t place = 0;
  collect_level(request, path, place, ops);
  return ops;
}

Result<TxnResult> run_txn(const Snapshot& snapshot, Writer* writer, const TxnRequest& request,
                          const TxnPath& path) {
  return Run(snapshot, writer, path).level(request);
}

}  // namespace minigrpc::store
