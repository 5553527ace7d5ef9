#include "etcd/convert.h"

#include <utility>

namespace minigrpc::etcd {

namespace {

etcdserverpb::RequestOp to_proto(RequestOp op) {
  etcdserverpb::RequestOp out;
  if (auto* range = std::get_if<RangeRequest>(&op))
    *out.mutable_request_range() = etcd::to_proto(std::move(*range));
  else if (auto* put = std::get_if<PutRequest>(&op))
    *out.mutable_request_put() = etcd::to_proto(std::move(*put));
  else if (auto* removal = std::get_if<DeleteRangeRequest>(&op))
    *out.mutable_request_delete_range() = etcd::to_proto(std::move(*removal));
  else
    *out.mutable_request_txn() = etcd::to_proto(*std::get<std::shared_ptr<const TxnRequest>>(op));
  return out;
}

etcdserverpb::Compare to_proto(Compare compare) {
  etcdserverpb::Compare out;
  out.set_key(std::move(compare.keys.key));
  out.set_range_end(std::move(compare.keys.range_end));
  out.set_result(static_cast<etcdserverpb::Compare::CompareResult>(compare.result));
  out.set_target(static_cast<etcdserverpb::Compare::CompareTarget>(compare.target));
  switch (compare.target) {
    case CompareTarget::kVersion:
      out.set_version(compare.number);
      break;
    case CompareTarget::kCreate:
      out.set_create_revision(compare.number);
      break;
    case CompareTarget::kMod:
      out.set_mod_revision(compare.number);
      break;
    case CompareTarget::kValue:
      out.set_value(std::move(compare.value));
      break;
    case CompareTarget::kLease:
      out.set_lease(compare.number);
      break;
  }
  return out;
}

std::vector<KeyValue> from_protos(google::protobuf::RepeatedPtrField<mvccpb::KeyValue>* kvs) {
  std::vector<KeyValue> out;
  out.reserve(static_cast<std::size_t>(kvs->size()));
  for (mvccpb::KeyValue& kv : *kvs) out.push_back(from_proto(std::move(kv)));
  return out;
}

ResponseOp from_proto(etcdserverpb::ResponseOp&& op) {
  switch (op.response_case()) {
    case etcdserverpb::ResponseOp::kResponsePut:
      return etcd::from_proto(std::move(*op.mutable_response_put()));
    case etcdserverpb::ResponseOp::kResponseDeleteRange:
      return etcd::from_proto(std::move(*op.mutable_response_delete_range()));
    case etcdserverpb::ResponseOp::kResponseTxn:
      return std::make_shared<const TxnResponse>(etcd::from_proto(std::move(*op.mutable_response_txn())));
    case etcdserverpb::ResponseOp::kResponseRange:
    case etcdserverpb::ResponseOp::RESPONSE_NOT_SET:
      break;
  }
  return etcd::from_proto(std::move(*op.mutable_response_range()));
}

}  // namespace

etcdserverpb::RangeRequest to_proto(RangeRequest request) {
  etcdserverpb::RangeRequest out;
  out.set_key(std::move(request.keys.key));
  out.set_range_end(std::move(request.keys.range_end));
  out.set_limit(request.limit);
  out.set_revision(request.revision);
  out.set_sort_order(static_cast<etcdserverpb::RangeRequest::SortOrder>(request.sort_order));
  out.set_sort_target(static_cast<etcdserverpb::RangeRequest::SortTarget>(request.sort_target));
  out.set_serializable(request.serializable);
  out.set_keys_only(request.keys_only);
  out.set_count_only(request.count_only);
  out.set_min_mod_revision(request.min_mod_revision);
  out.set_max_mod_revision(request.max_mod_revision);
  out.set_min_create_revision(request.min_create_revision);
  out.set_max_create_revision(request.max_create_revision);
  return out;
}

etcdserverpb::PutRequest to_proto(PutRequest request) {
  etcdserverpb::PutRequest out;
  out.set_key(std::move(request.key));
  out.set_value(std::move(request.value));
  out.set_lease(request.lease);
  out.set_prev_kv(request.prev_kv);
  out.set_ignore_value(request.ignore_value);
  out.set_ignore_lease(request.ignore_lease);
  return out;
}

etcdserverpb::DeleteRangeRequest to_proto(DeleteRangeRequest request) {
  etcdserverpb::DeleteRangeRequest out;
  out.set_key(std::move(request.keys.key));
  out.set_range_end(std::move(request.keys.range_end));
  out.set_prev_kv(request.prev_kv);
  return out;
}

etcdserverpb::TxnRequest to_proto(TxnRequest request) {
  etcdserverpb::TxnRequest out;
  for (Compare& compare : request.compare) *out.add_compare() = to_proto(std::move(compare));
  for (RequestOp& op : request.success) *out.add_success() = to_proto(std::move(op));
  for (RequestOp& op : request.failure) *out.add_failure() = to_proto(std::move(op));
  return out;
}

etcdserverpb::CompactionRequest to_proto(CompactionRequest request) {
  etcdserverpb::CompactionRequest out;
  out.set_revision(request.revision);
  out.set_physical(request.physical);
  return out;
}

etcdserverpb::LeaseGrantRequest to_proto(LeaseGrantRequest request) {
  etcdserverpb::LeaseGrantRequest out;
  out.set_ttl(request.ttl_s);
  out.set_id(request.id);
  return out;
}

etcdserverpb::LeaseTimeToLiveRequest to_proto(LeaseTimeToLiveRequest request) {
  etcdserverpb::LeaseTimeToLiveRequest out;
  out.set_id(request.id);
  out.set_keys(request.keys);
  return out;
}

ResponseHeader from_proto(const etcdserverpb::ResponseHeader& header) {
  return {.cluster_id = header.cluster_id(),
          .member_id = header.member_id(),
          .revision = header.revision(),
          .raft_term = header.raft_term()};
}

KeyValue from_proto(mvccpb::KeyValue&& kv) {
  return {.key = std::move(*kv.mutable_key()),
          .value = std::move(*kv.mutable_value()),
          .create_revision = kv.create_revision(),
          .mod_revision = kv.mod_revision(),
          .version = kv.version(),
          .lease = kv.lease()};
}

WatchEvent from_proto(mvccpb::Event&& event) {
  WatchEvent out;
  out.type = event.type() == mvccpb::Event::DELETE ? EventType::kDelete : EventType::kPut;
  out.kv = from_proto(std::move(*event.mutable_kv()));
  if (event.has_prev_kv()) out.prev_kv = from_proto(std::move(*event.mutable_prev_kv()));
  return out;
}

RangeResponse from_proto(etcdserverpb::RangeResponse&& response) {
  return {.header = from_proto(response.header()),
          .kvs = from_protos(response.mutable_kvs()),
          .more = response.more(),
          .count = response.count()};
}

PutResponse from_proto(etcdserverpb::PutResponse&& response) {
  PutResponse out;
  out.header = from_proto(response.header());
  if (response.has_prev_kv()) out.prev_kv = from_proto(std::move(*response.mutable_prev_kv()));
  return out;
}

DeleteRangeResponse from_proto(etcdserverpb::DeleteRangeResponse&& response) {
  return {.header = from_proto(response.header()),
          .deleted = response.deleted(),
          .prev_kvs = from_protos(response.mutable_prev_kvs())};
}

TxnResponse from_proto(etcdserverpb::TxnResponse&& response) {
  TxnResponse out;
  out.header = from_proto(response.header());
  out.succeeded = response.succeeded();
  for (etcdserverpb::ResponseOp& op : *response.mutable_responses())
    out.responses.push_back(from_proto(std::move(op)));
  return out;
}

CompactionResponse from_proto(etcdserverpb::CompactionResponse&& response) {
  return {.header = from_proto(response.header())};
}

LeaseGrantResponse from_proto(etcdserverpb::LeaseGrantResponse&& response) {
  return {.header = from_proto(response.header()), .id = response.id(), .ttl_s = response.ttl()};
}

LeaseRevokeResponse from_proto(etcdserverpb::LeaseRevokeResponse&& response) {
  return {.header = from_proto(response.header())};
}

LeaseKeepAliveResponse from_proto(etcdserverpb::LeaseKeepAliveResponse&& response) {
  return {.header = from_proto(response.header()), .id = response.id(), .ttl_s = response.ttl()};
}

LeaseTimeToLiveResponse from_proto(etcdserverpb::LeaseTimeToLiveResponse&& response) {
  return {.header = from_proto(response.header()),
          .id = response.id(),
          .ttl_s = response.ttl(),
          .granted_ttl_s = response.grantedttl(),
          .keys = {response.keys().begin(), response.keys().end()}};
}

LeaseLeasesResponse from_proto(etcdserverpb::LeaseLeasesResponse&& response) {
  LeaseLeasesResponse out;
  out.header = from_proto(response.header());
  for (const etcdserverpb::LeaseStatus& lease : response.leases()) out.leases.push_back(lease.id());
  return out;
}

MemberListResponse from_proto(etcdserverpb::MemberListResponse&& response) {
  MemberListResponse out;
  out.header = from_proto(response.header());
  for (const etcdserverpb::Member& member : response.members())
    out.members.push_back({.id = member.id(),
                           .name = member.name(),
                           .peer_urls = {member.peerurls().begin(), member.peerurls().end()},
                           .client_urls = {member.clienturls().begin(), member.clienturls().end()},
                           .is_learner = member.islearner()});
  return out;
}

MemberStatusResponse from_proto(etcdserverpb::StatusResponse&& response) {
  return {.header = from_proto(response.header()),
          .version = response.version(),
          .db_size = response.dbsize(),
          .db_size_in_use = response.dbsizeinuse(),
          .leader = response.leader(),
          .raft_index = response.raftindex(),
          .raft_term = response.raftterm(),
          .raft_applied_index = response.raftappliedindex(),
          .errors = {response.errors().begin(), response.errors().end()},
          .is_learner = response.islearner()};
}

}  // namespace minigrpc::etcd
