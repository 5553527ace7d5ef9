#include "flags.h"
#include "output.h"
#include "text.h"

namespace minigrpc::cli {

namespace {

// One `"Name" : value` a line.
class FieldsPrinter final : public Printer {
 public:
  explicit FieldsPrinter(std::ostream& out) : out_(out) {}

  void put(const etcd::PutResponse& response) override {
    print(response.header);
    if (response.prev_kv) print("Prev", *response.prev_kv);
  }

  void range(const etcd::RangeResponse& response, RangeParts) override {
    print(response.header);
    for (const etcd::KeyValue& kv : response.kvs) print("", kv);
    flag("More", response.more);
    field("Count", response.count);
  }

  void deleted(const etcd::DeleteRangeResponse& response) override {
    print(response.header);
    field("Deleted", response.deleted);
    for (const etcd::KeyValue& kv : response.prev_kvs) print("Prev", kv);
  }

  void txn(const etcd::TxnResponse& response) override {
    print(response.header);
    flag("Succeeded", response.succeeded);
    for (const etcd::ResponseOp& op : response.responses) {
      if (const auto* range_op = std::get_if<etcd::RangeResponse>(&op)) range(*range_op, RangeParts::kAll);
      if (const auto* put_op = std::get_if<etcd::PutResponse>(&op)) put(*put_op);
      if (const auto* delete_op = std::get_if<etcd::DeleteRangeResponse>(&op)) deleted(*delete_op);
      if (const auto* nested = std::get_if<std::shared_ptr<const etcd::TxnResponse>>(&op)) txn(**nested);
    }
  }

  void watch(const WatchOutput& response) override {
    print(response.header);
    for (const etcd::WatchEvent& event : response.events) {
      field("Type", event.type == etcd::EventType::kPut ? "PUT" : "DELETE");
      if (event.prev_kv) print("Prev", *event.prev_kv);
      print("", event.kv);
    }
  }

  void lease_granted(const etcd::LeaseGrantResponse& response) override {
    print(response.header);
    field("ID", response.id);
    field("TTL", response.ttl_s);
  }
  void lease_revoked(etcd::LeaseId, const etcd::LeaseRevokeResponse& response) override {
    print(response.header);
  }
  void lease_kept_alive(const etcd::LeaseKeepAliveResponse& response) override {
    print(response.header);
    field("ID", response.id);
    field("TTL", response.ttl_s);
  }
  void lease_time_to_live(const etcd::LeaseTimeToLiveResponse& response, bool) override {
    print(response.header);
    field("ID", response.id);
    field("TTL", response.ttl_s);
    field("GrantedTTL", response.granted_ttl_s);
    for (const std::string& key : response.keys) field("Key", go_quoted(key));
  }
  void leases(const etcd::LeaseLeasesResponse& response) override {
    print(response.header);
    for (const etcd::LeaseId id : response.leases) field("ID", id);
  }

  void members(const etcd::MemberListResponse& response) override {
    print(response.header);
    for (const etcd::Member& member : response.members) {
      field("ID", member.id);
      field("Name", go_quoted(member.name));
      for (const std::string& url : member.peer_urls) field("PeerURL", go_quoted(url));
      for (const std::string& url : member.client_urls) field("ClientURL", go_quoted(url));
      flag("IsLearner", member.is_learner);
      out_ << "\n";
    }
  }

  void endpoint_status(const std::vector<EndpointStatus>& list) override {
    for (const EndpointStatus& entry : list) {
      const etcd::MemberStatusResponse& status = entry.status;
      print(status.header);
      field("Version", go_quoted(status.version));
      field("DBSize", status.db_size);
      field("Leader", status.leader);
      flag("IsLearner", status.is_learner);
      field("RaftIndex", status.raft_index);
      field("RaftTerm", status.raft_term);
      field("RaftAppliedIndex", status.raft_applied_index);
      field("Errors", "[" + joined(status.errors, " ") + "]");
      field("Endpoint", go_quoted(entry.endpoint));
      out_ << "\n";
    }
  }

  void endpoint_health(const std::vector<EndpointHealth>& list) override {
    for (const EndpointHealth& entry : list) {
      field("Endpoint", go_quoted(entry.endpoint));
      flag("Health", entry.healthy);
      field("Took", format_duration(entry.took));
      field("Error", entry.error);
      out_ << "\n";
    }
  }

  void endpoint_hashes(const std::vector<EndpointHash>& list) override {
    for (const EndpointHash& entry : list) {
      print(entry.header);
      field("Endpoint", go_quoted(entry.endpoint));
      field("Hash", entry.hash);
      out_ << "\n";
    }
  }

 private:
  template <class Value>
  void field(std::string_view name, const Value& value) {
    out_ << '"' << name << "\" : " << value << "\n";
  }
  void flag(std::string_view name, bool value) { field(name, value ? "true" : "false"); }
  void print(const etcd::ResponseHeader& header) {
    field("ClusterID", header.cluster_id);
    field("MemberID", header.member_id);
    field("Revision", header.revision);
    field("RaftTerm", header.raft_term);
  }
  void print(const std::string& prefix, const etcd::KeyValue& kv) {
    field(prefix + "Key", go_quoted(kv.key));
    field(prefix + "CreateRevision", kv.create_revision);
    field(prefix + "ModRevision", kv.mod_revision);
    field(prefix + "Version", kv.version);
    field(prefix + "Value", go_quoted(kv.value));
    field(prefix + "Lease", kv.lease);
  }

  std::ostream& out_;
};

}  // namespace

std::unique_ptr<Printer> make_fields_printer(std::ostream& out) {
  return std::make_unique<FieldsPrinter>(out);
}

}  // namespace minigrpc::cli
