#include "registry/convert.h"

#include <utility>

namespace minigrpc::registry {

namespace {

// Nested transactions are bounded before the store sees them: the conversion recurses. etcd's own bound is the depth of
// its protobuf decoder.
constexpr int kTxnDepthMax = 16;

std::optional<store::SortOrder> sort_order(int number) {
  switch (number) {
    case etcdserverpb::RangeRequest::NONE:
      return store::SortOrder::kNone;
    case etcdserverpb::RangeRequest::ASCEND:
      return store::SortOrder::kAscend;
    case etcdserverpb::RangeRequest::DESCEND:
      return store::SortOrder::kDescend;
  }
  return std::nullopt;
}

std::optional<store::SortTarget> sort_target(int number) {
  switch (number) {
    case etcdserverpb::RangeRequest::KEY:
      return store::SortTarget::kKey;
    case etcdserverpb::RangeRequest::VERSION:
      return store::SortTarget::kVersion;
    case etcdserverpb::RangeRequest::CREATE:
      return store::SortTarget::kCreate;
    case etcdserverpb::RangeRequest::MOD:
      return store::SortTarget::kMod;
    case etcdserverpb::RangeRequest::VALUE:
      return store::SortTarget::kValue;
  }
  return std::nullopt;
}

std::optional<store::CompareResult> compare_result(int number) {
  switch (number) {
    case etcdserverpb::Compare::EQUAL:
      return store::CompareResult::kEqual;
    case etcdserverpb::Compare::GREATER:
      return store::CompareResult::kGreater;
    case etcdserverpb::Compare::LESS:
      return store::CompareResult::kLess;
    case etcdserverpb::Compare::NOT_EQUAL:
      return store::CompareResult::kNotEqual;
  }
  return std::nullopt;
}

Result<store::Compare> to_store(const etcdserverpb::Compare& compare) {
  store::Compare out;
  out.keys = {compare.key(), compare.range_end()};
  const std::optional<store::CompareResult> result = compare_result(compare.result());
  if (!result) return Status(StatusCode::kInvalidArgument, "etcdserver: unknown compare result");
  out.result = *result;
  // The operand is the one that the target names; another field of the oneof counts as not set, so zero.
  switch (compare.target()) {
    case etcdserverpb::Compare::VERSION:
      out.target = store::CompareTarget::kVersion;
      out.number = compare.version();
      return out;
    case etcdserverpb::Compare::CREATE:
      out.target = store::CompareTarget::kCreate;
      out.number = compare.create_revision();
      return out;
    case etcdserverpb::Compare::MOD:
      out.target = store::CompareTarget::kMod;
      out.number = compare.mod_revision();
      return out;
    case etcdserverpb::Compare::VALUE:
      out.target = store::CompareTarget::kValue;
      out.value = compare.value();
      return out;
    case etcdserverpb::Compare::LEASE:
      out.target = store::CompareTarget::kLease;
      out.number = compare.lease();
      return out;
    default:
      return Status(StatusCode::kInvalidArgument, "etcdserver: unknown compare target");
  }
}

Result<store::TxnRequest> txn_to_store(const etcdserverpb::TxnRequest& request, int depth);

Result<store::RequestOp> to_store(const etcdserverpb::RequestOp& op, int depth) {
  switch (op.request_case()) {
    case etcdserverpb::RequestOp::kRequestRange: {
      Result<store::RangeRequest> range = registry::to_store(op.request_range());
      if (!range) return std::move(range).error();
      return store::RequestOp(*range);
    }
    case etcdserverpb::RequestOp::kRequestPut:
      return store::RequestOp(registry::to_store(op.request_put()));
    case etcdserverpb::RequestOp::kRequestDeleteRange:
      return store::RequestOp(registry::to_store(op.request_delete_range()));
    case etcdserverpb::RequestOp::kRequestTxn: {
      Result<store::TxnRequest> nested = txn_to_store(op.request_txn(), depth + 1);
      if (!nested) return std::move(nested).error();
      return store::RequestOp(std::make_unique<store::TxnRequest>(*std::move(nested)));
    }
    case etcdserverpb::RequestOp::REQUEST_NOT_SET:
      break;
  }
  // etcd's answer for an operation that is none: it looks for a key.
  return Status(StatusCode::kInvalidArgument, "etcdserver: key not found");
}

Result<store::TxnRequest> txn_to_store(const etcdserverpb::TxnRequest& request, int depth) {
  if (depth > kTxnDepthMax)
    return Status(StatusCode::kInvalidArgument, "etcdserver: too many operations in txn request");
  store::TxnRequest out;
  for (const etcdserverpb::Compare& compare : request.compare()) {
    Result<store::Compare> converted = to_store(compare);
    if (!converted) return std::move(converted).error();
    out.compare.push_back(*converted);
  }
  for (const etcdserverpb::RequestOp& op : request.success()) {
    Result<store::RequestOp> converted = to_store(op, depth);
    if (!converted) return std::move(converted).error();
    out.success.push_back(*std::move(converted));
  }
  for (const etcdserverpb::RequestOp& op : request.failure()) {
    Result<store::RequestOp> converted = to_store(op, depth);
    if (!converted) return std::move(converted).error();
    out.failure.push_back(*std::move(converted));
  }
  return out;
}

struct ResponseOpVisitor {
  etcdserverpb::ResponseOp* op;

  void operator()(store::RangeResult& result) const { fill(result, op->mutable_response_range()); }
  void operator()(store::PutResult& result) const { fill(result, op->mutable_response_put()); }
  void operator()(store::DeleteRangeResult& result) const { fill(result, op->mutable_response_delete_range()); }
  // Its header says nothing: etcd's.
  void operator()(std::unique_ptr<store::TxnResult>& result) const {
    to_message(*result, op->mutable_response_txn());
    op->mutable_response_txn()->mutable_header();
  }

 private:
  template <class StoreResult, class Message>
  static void fill(StoreResult& result, Message* message) {
    to_message(result, message);
    message->mutable_header()->set_revision(result.revision);
  }
};

}  // namespace

Result<store::RangeRequest> to_store(const etcdserverpb::RangeRequest& request) {
  const std::optional<store::SortOrder> order = sort_order(request.sort_order());
  const std::optional<store::SortTarget> target = sort_target(request.sort_target());
  if (!order || !target) return Status(StatusCode::kInvalidArgument, "etcdserver: invalid sort option");
  return store::RangeRequest{.keys = {request.key(), request.range_end()},
                             .revision = request.revision(),
                             .limit = request.limit(),
                             .sort_order = *order,
                             .sort_target = *target,
                             .keys_only = request.keys_only(),
                             .count_only = request.count_only(),
                             .min_mod_revision = request.min_mod_revision(),
                             .max_mod_revision = request.max_mod_revision(),
                             .min_create_revision = request.min_create_revision(),
                             .max_create_revision = request.max_create_revision()};
}

store::PutRequest to_store(const etcdserverpb::PutRequest& request) {
  return {.key = request.key(),
          .value = request.value(),
          .lease = request.lease(),
          .prev_kv = request.prev_kv(),
          .ignore_value = request.ignore_value(),
          .ignore_lease = request.ignore_lease()};
}

store::DeleteRangeRequest to_store(const etcdserverpb::DeleteRangeRequest& request) {
  return {.keys = {request.key(), request.range_end()}, .prev_kv = request.prev_kv()};
}

Result<store::TxnRequest> to_store(const etcdserverpb::TxnRequest& request) { return txn_to_store(request, 1); }

void to_message(const store::KeyValueView& kv, mvccpb::KeyValue* message) {
  message->set_key(kv.key.data(), kv.key.size());
  message->set_value(kv.value.data(), kv.value.size());
  message->set_create_revision(kv.create_revision);
  message->set_mod_revision(kv.mod_revision);
  message->set_version(kv.version);
  message->set_lease(kv.lease);
}

void to_message(const store::KeyValue& kv, mvccpb::KeyValue* message) {
  message->set_key(kv.key);
  message->set_value(kv.value);
  message->set_create_revision(kv.create_revision);
  message->set_mod_revision(kv.mod_revision);
  message->set_version(kv.version);
  message->set_lease(kv.lease);
}

void to_message(const store::Event& event, PrevKv prev_kv, mvccpb::Event* message) {
  message->set_type(event.type == store::EventType::kPut ? mvccpb::Event::PUT : mvccpb::Event::DELETE);
  to_message(event.kv, message->mutable_kv());
  if (prev_kv == PrevKv::kInclude && event.prev_kv) to_message(*event.prev_kv, message->mutable_prev_kv());
}

void to_message(const store::EventView& event, mvccpb::Event* message) {
  message->set_type(event.type == store::EventType::kPut ? mvccpb::Event::PUT : mvccpb::Event::DELETE);
  to_message(event.kv, message->mutable_kv());
  if (event.prev_kv) to_message(*event.prev_kv, message->mutable_prev_kv());
}

void to_message(store::RangeResult& result, etcdserverpb::RangeResponse* answer) {
  answer->mutable_kvs()->Reserve(static_cast<int>(result.kvs.size()));
  for (const store::KeyValueView& kv : result.kvs) to_message(kv, answer->add_kvs());
  answer->set_count(result.count);
  answer->set_more(result.more);
}

void to_message(store::PutResult& result, etcdserverpb::PutResponse* answer) {
  if (result.prev_kv) to_message(*result.prev_kv, answer->mutable_prev_kv());
}

void to_message(store::DeleteRangeResult& result, etcdserverpb::DeleteRangeResponse* answer) {
  answer->set_deleted(result.deleted);
  for (const store::KeyValue& kv : result.prev_kvs) to_message(kv, answer->add_prev_kvs());
}

void to_message(store::TxnResult& result, etcdserverpb::TxnResponse* answer) {
  answer->set_succeeded(result.succeeded);
  for (store::ResponseOp& op : result.responses) std::visit(ResponseOpVisitor{answer->add_responses()}, op);
}

}  // namespace minigrpc::registry
