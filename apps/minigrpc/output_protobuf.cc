#include <minigrpc/result.h>

#include "etcd/api/cluster.pb.h"
#include "etcd/api/kv.pb.h"
#include "etcd/api/lease.pb.h"
#include "etcd/api/watch.pb.h"
#include "output.h"

namespace minigrpc::cli {

namespace {

namespace pb = etcdserverpb;

void fill(pb::ResponseHeader& to, const etcd::ResponseHeader& from) {
  to.set_cluster_id(from.cluster_id);
  to.set_member_id(from.member_id);
  to.set_revision(from.revision);
  to.set_raft_term(from.raft_term);
}

void fill(mvccpb::KeyValue& to, const etcd::KeyValue& from) {
  to.set_key(from.key);
  to.set_create_revision(from.create_revision);
  to.set_mod_revision(from.mod_revision);
  to.set_version(from.version);
  to.set_value(from.value);
  to.set_lease(from.lease);
}

void fill(pb::PutResponse& to, const etcd::PutResponse& from) {
  fill(*to.mutable_header(), from.header);
  if (from.prev_kv) fill(*to.mutable_prev_kv(), *from.prev_kv);
}

void fill(pb::RangeResponse& to, const etcd::RangeResponse& from) {
  fill(*to.mutable_header(), from.header);
  for (const etcd::KeyValue& kv : from.kvs) fill(*to.add_kvs(), kv);
  to.set_more(from.more);
  to.set_count(from.count);
}

void fill(pb::DeleteRangeResponse& to, const etcd::DeleteRangeResponse& from) {
  fill(*to.mutable_header(), from.header);
  to.set_deleted(from.deleted);
  for (const etcd::KeyValue& kv : from.prev_kvs) fill(*to.add_prev_kvs(), kv);
}

void fill(pb::TxnResponse& to, const etcd::TxnResponse& from) {
  fill(*to.mutable_header(), from.header);
  to.set_succeeded(from.succeeded);
  for (const etcd::ResponseOp& op : from.responses) {
    pb::ResponseOp& added = *to.add_responses();
    if (const auto* range = std::get_if<etcd::RangeResponse>(&op))
      fill(*added.mutable_response_range(), *range);
    if (const auto* put = std::get_if<etcd::PutResponse>(&op)) fill(*added.mutable_response_put(), *put);
    if (const auto* removal = std::get_if<etcd::DeleteRangeResponse>(&op))
      fill(*added.mutable_response_delete_range(), *removal);
    if (const auto* nested = std::get_if<std::shared_ptr<const etcd::TxnResponse>>(&op))
      fill(*added.mutable_response_txn(), **nested);
  }
}

// The messages themselves, one behind the other, as etcdctl writes them.
class ProtobufPrinter final : public Printer {
 public:
  explicit ProtobufPrinter(std::ostream& out) : out_(out) {}

  void put(const etcd::PutResponse& response) override { write<pb::PutResponse>(response); }
  void range(const etcd::RangeResponse& response, RangeParts) override { write<pb::RangeResponse>(response); }
  void deleted(const etcd::DeleteRangeResponse& response) override {
    write<pb::DeleteRangeResponse>(response);
  }
  void txn(const etcd::TxnResponse& response) override { write<pb::TxnResponse>(response); }

  void watch(const WatchOutput& response) override {
    pb::WatchResponse message;
    fill(*message.mutable_header(), response.header);
    message.set_canceled(response.canceled);
    message.set_compact_revision(response.compact_revision);
    for (const etcd::WatchEvent& event : response.events) {
      mvccpb::Event& added = *message.add_events();
      added.set_type(event.type == etcd::EventType::kPut ? mvccpb::Event::PUT : mvccpb::Event::DELETE);
      fill(*added.mutable_kv(), event.kv);
      if (event.prev_kv) fill(*added.mutable_prev_kv(), *event.prev_kv);
    }
    out_ << message.SerializeAsString();
  }

  void lease_granted(const etcd::LeaseGrantResponse& response) override {
    pb::LeaseGrantResponse message;
    fill(*message.mutable_header(), response.header);
    message.set_id(response.id);
    message.set_ttl(response.ttl_s);
    out_ << message.SerializeAsString();
  }
  void lease_revoked(etcd::LeaseId, const etcd::LeaseRevokeResponse& response) override {
    pb::LeaseRevokeResponse message;
    fill(*message.mutable_header(), response.header);
    out_ << message.SerializeAsString();
  }
  void lease_kept_alive(const etcd::LeaseKeepAliveResponse& response) override {
    pb::LeaseKeepAliveResponse message;
    fill(*message.mutable_header(), response.header);
    message.set_id(response.id);
    message.set_ttl(response.ttl_s);
    out_ << message.SerializeAsString();
  }
  void lease_time_to_live(const etcd::LeaseTimeToLiveResponse& response, bool) override {
    pb::LeaseTimeToLiveResponse message;
    fill(*message.mutable_header(), response.header);
    message.set_id(response.id);
    message.set_ttl(response.ttl_s);
    message.set_grantedttl(response.granted_ttl_s);
    for (const std::string& key : response.keys) message.add_keys(key);
    out_ << message.SerializeAsString();
  }
  void leases(const etcd::LeaseLeasesResponse& response) override {
    pb::LeaseLeasesResponse message;
    fill(*message.mutable_header(), response.header);
    for (const etcd::LeaseId id : response.leases) message.add_leases()->set_id(id);
    out_ << message.SerializeAsString();
  }

  void members(const etcd::MemberListResponse& response) override {
    pb::MemberListResponse message;
    fill(*message.mutable_header(), response.header);
    for (const etcd::Member& member : response.members) {
      pb::Member& added = *message.add_members();
      added.set_id(member.id);
      added.set_name(member.name);
      for (const std::string& url : member.peer_urls) added.add_peerurls(url);
      for (const std::string& url : member.client_urls) added.add_clienturls(url);
      added.set_islearner(member.is_learner);
    }
    out_ << message.SerializeAsString();
  }

  void endpoint_status(const std::vector<EndpointStatus>&) override { no_protobuf(); }
  void endpoint_health(const std::vector<EndpointHealth>&) override { no_protobuf(); }
  void endpoint_hashes(const std::vector<EndpointHash>&) override { no_protobuf(); }

 private:
  template <class Message, class Response>
  void write(const Response& response) {
    Message message;
    fill(message, response);
    out_ << message.SerializeAsString();
  }
  // The command line refuses `-w protobuf` for such verbs, before they do anything.
  [[noreturn]] static void no_protobuf() { detail::contract_violation("no protobuf for this verb"); }
  std::ostream& out_;
};

}  // namespace

std::unique_ptr<Printer> make_protobuf_printer(std::ostream& out) {
  return std::make_unique<ProtobufPrinter>(out);
}

}  // namespace minigrpc::cli
