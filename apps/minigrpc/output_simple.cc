#include "flags.h"
#include "output.h"
#include "text.h"

namespace minigrpc::cli {

namespace {

class SimplePrinter final : public Printer {
 public:
  SimplePrinter(std::ostream& out, bool hex) : out_(out), hex_(hex) {}

  void put(const etcd::PutResponse& response) override {
    out_ << "OK\n";
    if (response.prev_kv) print(*response.prev_kv);
  }

  void range(const etcd::RangeResponse& response, RangeParts parts) override {
    if (parts == RangeParts::kCount) out_ << response.count << "\n";
    for (const etcd::KeyValue& kv : response.kvs) {
      if (parts == RangeParts::kAll) out_ << shown(kv.key) << "\n";
      out_ << shown(kv.value) << "\n";
    }
  }

  void deleted(const etcd::DeleteRangeResponse& response) override {
    out_ << response.deleted << "\n";
    for (const etcd::KeyValue& kv : response.prev_kvs) print(kv);
  }

  void txn(const etcd::TxnResponse& response) override {
    out_ << (response.succeeded ? "SUCCESS\n" : "FAILURE\n");
    for (const etcd::ResponseOp& op : response.responses) {
      out_ << "\n";
      if (const auto* range_op = std::get_if<etcd::RangeResponse>(&op)) range(*range_op, RangeParts::kAll);
      if (const auto* put_op = std::get_if<etcd::PutResponse>(&op)) put(*put_op);
      if (const auto* delete_op = std::get_if<etcd::DeleteRangeResponse>(&op)) deleted(*delete_op);
      if (const auto* nested = std::get_if<std::shared_ptr<const etcd::TxnResponse>>(&op)) txn(**nested);
    }
  }

  void watch(const WatchOutput& response) override {
    for (const etcd::WatchEvent& event : response.events) {
      out_ << (event.type == etcd::EventType::kPut ? "PUT\n" : "DELETE\n");
      if (event.prev_kv) print(*event.prev_kv);
      print(event.kv);
    }
  }

  void lease_granted(const etcd::LeaseGrantResponse& response) override {
    out_ << "lease " << lease_name(response.id) << " granted with TTL(" << response.ttl_s << "s)\n";
  }
  void lease_revoked(etcd::LeaseId id, const etcd::LeaseRevokeResponse&) override {
    out_ << "lease " << lease_name(id) << " revoked\n";
  }
  void lease_kept_alive(const etcd::LeaseKeepAliveResponse& response) override {
    out_ << "lease " << lease_name(response.id) << " keepalived with TTL(" << response.ttl_s << ")\n";
  }
  void lease_time_to_live(const etcd::LeaseTimeToLiveResponse& response, bool with_keys) override {
    if (response.granted_ttl_s == 0 && response.ttl_s == -1) {
      out_ << "lease " << lease_name(response.id) << " already expired\n";
      return;
    }
    out_ << "lease " << lease_name(response.id) << " granted with TTL(" << response.granted_ttl_s
         << "s), remaining(" << response.ttl_s << "s)";
    if (with_keys) out_ << ", attached keys([" << joined(response.keys, " ") << "])";
    out_ << "\n";
  }
  void leases(const etcd::LeaseLeasesResponse& response) override {
    out_ << "found " << response.leases.size() << " leases\n";
    for (const etcd::LeaseId id : response.leases) out_ << lease_name(id) << "\n";
  }

  void members(const etcd::MemberListResponse& response) override {
    for (const etcd::Member& member : response.members)
      out_ << hexadecimal(member.id) << ", " << (member.name.empty() ? "unstarted" : "started") << ", "
           << member.name << ", " << joined(member.peer_urls, ",") << ", " << joined(member.client_urls, ",")
           << ", " << (member.is_learner ? "true" : "false") << "\n";
  }

  void endpoint_status(const std::vector<EndpointStatus>& list) override {
    for (const EndpointStatus& entry : list) {
      const etcd::MemberStatusResponse& status = entry.status;
      out_ << entry.endpoint << ", " << hexadecimal(status.header.member_id) << ", " << status.version << ", "
           << human_size(static_cast<std::uint64_t>(status.db_size)) << ", "
           << (status.leader == status.header.member_id ? "true" : "false") << ", "
           << (status.is_learner ? "true" : "false") << ", " << status.raft_term << ", " << status.raft_index
           << ", " << status.raft_applied_index << ", " << joined(status.errors, ", ") << "\n";
    }
  }

  void endpoint_health(const std::vector<EndpointHealth>& list) override {
    for (const EndpointHealth& entry : list) {
      if (entry.error.empty())
        out_ << entry.endpoint
             << " is healthy: successfully committed proposal: took = " << format_duration(entry.took)
             << "\n";
      else
        out_ << entry.endpoint << " is unhealthy: failed to commit proposal: " << entry.error << "\n";
    }
  }

  void endpoint_hashes(const std::vector<EndpointHash>& list) override {
    for (const EndpointHash& entry : list) out_ << entry.endpoint << ", " << entry.hash << "\n";
  }

 private:
  static std::string lease_name(etcd::LeaseId id) { return hexadecimal(static_cast<std::uint64_t>(id), 16); }
  std::string shown(const std::string& bytes) const { return hex_ ? hex_bytes(bytes) : bytes; }
  void print(const etcd::KeyValue& kv) { out_ << shown(kv.key) << "\n" << shown(kv.value) << "\n"; }

  std::ostream& out_;
  bool hex_;
};

}  // namespace

std::unique_ptr<Printer> make_simple_printer(std::ostream& out, bool hex) {
  return std::make_unique<SimplePrinter>(out, hex);
}

std::unique_ptr<Printer> make_printer(std::ostream& out, OutputOptions options) {
  switch (options.format) {
    case OutputFormat::kSimple:
      return make_simple_printer(out, options.hex);
    case OutputFormat::kJson:
      return make_json_printer(out);
    case OutputFormat::kFields:
      return make_fields_printer(out);
    case OutputFormat::kTable:
      return make_table_printer(out);
    case OutputFormat::kProtobuf:
      return make_protobuf_printer(out);
  }
  return nullptr;
}

}  // namespace minigrpc::cli
