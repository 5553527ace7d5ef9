#include "flags.h"
#include "json_object.h"
#include "output.h"
#include "text.h"

namespace minigrpc::cli {

namespace {

// Numbers, never strings, for 64-bit fields; keys and values in base64; fields that are zero are left out:
// what Go's encoding/json makes of etcd's messages, and what scripts for etcdctl expect.
class JsonPrinter final : public Printer {
 public:
  explicit JsonPrinter(std::ostream& out) : out_(out) {}

  void put(const etcd::PutResponse& response) override { line(to_json(response)); }
  void range(const etcd::RangeResponse& response, RangeParts) override { line(to_json(response)); }
  void deleted(const etcd::DeleteRangeResponse& response) override { line(to_json(response)); }
  void txn(const etcd::TxnResponse& response) override { line(to_json(response)); }

  void watch(const WatchOutput& response) override {
    JsonList events;
    for (const etcd::WatchEvent& event : response.events) {
      JsonObject object;
      if (event.type == etcd::EventType::kDelete) object.number("type", 1);
      object.json("kv", to_json(event.kv));
      if (event.prev_kv) object.json("prev_kv", to_json(*event.prev_kv));
      events.add(object.text());
    }
    JsonObject object;
    object.json("Header", to_json(response.header)).json("Events", events.text());
    object.number("CompactRevision", response.compact_revision);
    line(object.flag("Canceled", response.canceled).flag("Created", false).text());
  }

  void lease_granted(const etcd::LeaseGrantResponse& response) override {
    JsonObject object;
    add_header(object, response.header);
    line(object.number("ID", response.id).number("TTL", response.ttl_s).string("Error", "").text());
  }
  void lease_revoked(etcd::LeaseId, const etcd::LeaseRevokeResponse& response) override {
    line(JsonObject().json("header", to_json(response.header)).text());
  }
  void lease_kept_alive(const etcd::LeaseKeepAliveResponse& response) override {
    JsonObject object;
    add_header(object, response.header);
    line(object.number("ID", response.id).number("TTL", response.ttl_s).text());
  }
  void lease_time_to_live(const etcd::LeaseTimeToLiveResponse& response, bool) override {
    JsonObject object;
    add_header(object, response.header);
    object.number("id", response.id)
        .number("ttl", response.ttl_s)
        .number("granted-ttl", response.granted_ttl_s);
    JsonList keys;
    for (const std::string& key : response.keys) keys.add(json_quoted(base64(key)));
    line(object.json("keys", keys.empty() ? "null" : keys.text()).text());
  }
  void leases(const etcd::LeaseLeasesResponse& response) override {
    JsonList list;
    for (const etcd::LeaseId id : response.leases) list.add(JsonObject().number("id", id).text());
    JsonObject object;
    add_header(object, response.header);
    line(object.json("leases", list.text()).text());
  }

  void members(const etcd::MemberListResponse& response) override {
    JsonList list;
    for (const etcd::Member& member : response.members) {
      JsonObject object;
      object.number_unless_zero("ID", member.id).string_unless_empty("name", member.name);
      object.strings_unless_empty("peerURLs", member.peer_urls)
          .strings_unless_empty("clientURLs", member.client_urls);
      list.add(object.flag_if_set("isLearner", member.is_learner).text());
    }
    JsonObject object;
    object.json("header", to_json(response.header));
    if (!list.empty()) object.json("members", list.text());
    line(object.text());
  }

  void endpoint_status(const std::vector<EndpointStatus>& list) override {
    JsonList entries;
    for (const EndpointStatus& entry : list)
      entries.add(
          JsonObject().string("Endpoint", entry.endpoint).json("Status", to_json(entry.status)).text());
    line(entries.null_or_text());
  }

  void endpoint_health(const std::vector<EndpointHealth>& list) override {
    JsonList entries;
    for (const EndpointHealth& entry : list) {
      JsonObject object;
      object.string("endpoint", entry.endpoint).flag("health", entry.healthy);
      object.string("took", format_duration(entry.took));
      entries.add(object.string_unless_empty("error", entry.error).text());
    }
    line(entries.null_or_text());
  }

  void endpoint_hashes(const std::vector<EndpointHash>& list) override {
    JsonList entries;
    for (const EndpointHash& entry : list) {
      JsonObject hash;
      hash.json("header", to_json(entry.header)).number_unless_zero("hash", entry.hash);
      hash.number_unless_zero("compact_revision", entry.compact_revision);
      entries.add(JsonObject().string("Endpoint", entry.endpoint).json("HashKV", hash.text()).text());
    }
    line(entries.null_or_text());
  }

 private:
  void line(const std::string& text) { out_ << text << "\n"; }

  static void add_header(JsonObject& object, const etcd::ResponseHeader& header) {
    object.number_unless_zero("cluster_id", header.cluster_id)
        .number_unless_zero("member_id", header.member_id);
    object.number_unless_zero("revision", header.revision).number_unless_zero("raft_term", header.raft_term);
  }
  static std::string to_json(const etcd::ResponseHeader& header) {
    JsonObject object;
    add_header(object, header);
    return object.text();
  }
  static std::string to_json(const etcd::KeyValue& kv) {
    JsonObject object;
    object.bytes_unless_empty("key", kv.key).number_unless_zero("create_revision", kv.create_revision);
    object.number_unless_zero("mod_revision", kv.mod_revision).number_unless_zero("version", kv.version);
    return object.bytes_unless_empty("value", kv.value).number_unless_zero("lease", kv.lease).text();
  }
  static std::string to_json(const std::vector<etcd::KeyValue>& kvs) {
    JsonList list;
    for (const etcd::KeyValue& kv : kvs) list.add(to_json(kv));
    return list.text();
  }
  static std::string to_json(const etcd::PutResponse& response) {
    JsonObject object;
    object.json("header", to_json(response.header));
    if (response.prev_kv) object.json("prev_kv", to_json(*response.prev_kv));
    return object.text();
  }
  static std::string to_json(const etcd::RangeResponse& response) {
    JsonObject object;
    object.json("header", to_json(response.header));
    if (!response.kvs.empty()) object.json("kvs", to_json(response.kvs));
    return object.flag_if_set("more", response.more).number_unless_zero("count", response.count).text();
  }
  static std::string to_json(const etcd::DeleteRangeResponse& response) {
    JsonObject object;
    object.json("header", to_json(response.header)).number_unless_zero("deleted", response.deleted);
    if (!response.prev_kvs.empty()) object.json("prev_kvs", to_json(response.prev_kvs));
    return object.text();
  }
  static std::string to_json(const etcd::TxnResponse& response) {
    JsonList list;
    for (const etcd::ResponseOp& op : response.responses) {
      JsonObject kind;
      if (const auto* range = std::get_if<etcd::RangeResponse>(&op))
        kind.json("ResponseRange", to_json(*range));
      if (const auto* put = std::get_if<etcd::PutResponse>(&op)) kind.json("ResponsePut", to_json(*put));
      if (const auto* removal = std::get_if<etcd::DeleteRangeResponse>(&op))
        kind.json("ResponseDeleteRange", to_json(*removal));
      if (const auto* nested = std::get_if<std::shared_ptr<const etcd::TxnResponse>>(&op))
        kind.json("ResponseTxn", to_json(**nested));
      list.add(JsonObject().json("Response", kind.text()).text());
    }
    JsonObject object;
    object.json("header", to_json(response.header)).flag_if_set("succeeded", response.succeeded);
    if (!list.empty()) object.json("responses", list.text());
    return object.text();
  }
  static std::string to_json(const etcd::MemberStatusResponse& status) {
    JsonObject object;
    object.json("header", to_json(status.header)).string_unless_empty("version", status.version);
    object.number_unless_zero("dbSize", status.db_size).number_unless_zero("leader", status.leader);
    object.number_unless_zero("raftIndex", status.raft_index)
        .number_unless_zero("raftTerm", status.raft_term);
    object.number_unless_zero("raftAppliedIndex", status.raft_applied_index);
    object.strings_unless_empty("errors", status.errors)
        .number_unless_zero("dbSizeInUse", status.db_size_in_use);
    return object.flag_if_set("isLearner", status.is_learner).text();
  }

  std::ostream& out_;
};

}  // namespace

std::unique_ptr<Printer> make_json_printer(std::ostream& out) { return std::make_unique<JsonPrinter>(out); }

}  // namespace minigrpc::cli
