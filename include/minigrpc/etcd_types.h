// The words of etcd's API v3 as plain structs: ranges, key-values, transactions, leases, watch events.
//
// Values; thread rule: like the standard containers. Field names and meanings are those of etcd's rpc.proto,
// keys and values are any bytes, and 0 or empty always means "not given".
#pragma once

#include <minigrpc/status.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace minigrpc::etcd {

// 0 is no lease. Tools write it in hexadecimal.
using LeaseId = std::int64_t;

// Comes with every answer.
struct ResponseHeader {
  std::uint64_t cluster_id = 0;
  std::uint64_t member_id = 0;  // who answered
  std::int64_t revision = 0;    // the keyspace's, when the request was applied
  std::uint64_t raft_term = 0;
};

// Which keys: one, or the half-open interval [key, range_end).
struct KeyRange {
  std::string key{};
  std::string range_end{};

  static KeyRange single(std::string_view key) { return {std::string(key), {}}; }
  // Every key that begins with `prefix`; with an empty one, every key.
  static KeyRange prefix(std::string_view prefix);
  // `key` and every key after it.
  static KeyRange from(std::string_view key);
  static KeyRange all() { return prefix({}); }
};

struct KeyValue {
  std::string key{};
  std::string value{};
  std::int64_t create_revision = 0;
  std::int64_t mod_revision = 0;
  std::int64_t version = 0;  // 1 for a key that was just created
  LeaseId lease = 0;
  friend bool operator==(const KeyValue&, const KeyValue&) = default;
};

// ---- KV ----

enum class SortOrder : std::uint8_t { kNone, kAscend, kDescend };
enum class SortTarget : std::uint8_t { kKey, kVersion, kCreate, kMod, kValue };

struct RangeRequest {
  KeyRange keys{};
  std::int64_t limit = 0;
  std::int64_t revision = 0;  // 0: the latest
  SortOrder sort_order = SortOrder::kNone;
  SortTarget sort_target = SortTarget::kKey;
  bool serializable = false;  // from the member asked, which may lag; default is linearizable
  bool keys_only = false;
  bool count_only = false;
  std::int64_t min_mod_revision = 0;
  std::int64_t max_mod_revision = 0;
  std::int64_t min_create_revision = 0;
  std::int64_t max_create_revision = 0;
};

struct RangeResponse {
  ResponseHeader header{};
  std::vector<KeyValue> kvs{};
  bool more = false;
  std::int64_t count = 0;  // keys in the range, whatever the limit
};

struct PutRequest {
  std::string key{};
  std::string value{};
  LeaseId lease = 0;
  bool prev_kv = false;
  bool ignore_value = false;  // keep the value that the key has; `value` must be empty
  bool ignore_lease = false;  // keep the lease that the key has; `lease` must be 0
};

struct PutResponse {
  ResponseHeader header{};
  std::optional<KeyValue> prev_kv{};
};

struct DeleteRangeRequest {
  KeyRange keys{};
  bool prev_kv = false;
};

struct DeleteRangeResponse {
  ResponseHeader header{};
  std::int64_t deleted = 0;
  std::vector<KeyValue> prev_kvs{};
};

enum class CompareTarget : std::uint8_t { kVersion, kCreate, kMod, kValue, kLease };
enum class CompareResult : std::uint8_t { kEqual, kGreater, kLess, kNotEqual };

// "target of every key in the range `result` the operand". A missing key compares as zeros; its value never
// matches.
struct Compare {
  KeyRange keys{};
  CompareTarget target = CompareTarget::kVersion;
  CompareResult result = CompareResult::kEqual;
  std::int64_t number = 0;  // operand of kVersion, kCreate, kMod and kLease
  std::string value{};      // operand of kValue

  static Compare absent(std::string_view key);
  static Compare mod_revision_is(std::string_view key, std::int64_t revision);
  static Compare create_revision_is(std::string_view key, std::int64_t revision);
  static Compare value_is(std::string_view key, std::string_view value);
  static Compare lease_is(std::string_view key, LeaseId lease);
};

struct TxnRequest;
struct TxnResponse;
// Nested transactions are shared: they are never changed once built.
using RequestOp =
    std::variant<RangeRequest, PutRequest, DeleteRangeRequest, std::shared_ptr<const TxnRequest>>;
using ResponseOp =
    std::variant<RangeResponse, PutResponse, DeleteRangeResponse, std::shared_ptr<const TxnResponse>>;

//   TxnRequest txn;
//   txn.when(Compare::absent("k")).then(PutRequest{.key = "k", .value = "v"}).otherwise(RangeRequest{…});
struct TxnRequest {
  std::vector<Compare> compare{};  // all must hold; none always does
  std::vector<RequestOp> success{};
  std::vector<RequestOp> failure{};

  TxnRequest& when(Compare condition);
  TxnRequest& then(RequestOp op);
  TxnRequest& otherwise(RequestOp op);
};

struct TxnResponse {
  ResponseHeader header{};
  bool succeeded = false;
  std::vector<ResponseOp> responses{};  // one for each operation of the branch taken, in order
};

struct CompactionRequest {
  std::int64_t revision = 0;
  bool physical = false;  // answer only when the space is free
};

struct CompactionResponse {
  ResponseHeader header{};
};

// ---- Lease ----

struct LeaseGrantRequest {
  std::int64_t ttl_s = 0;
  LeaseId id = 0;  // 0: the server chooses
};

struct LeaseGrantResponse {
  ResponseHeader header{};
  LeaseId id = 0;
  std::int64_t ttl_s = 0;  // what the server made of the wish
};

struct LeaseRevokeResponse {
  ResponseHeader header{};
};

struct LeaseKeepAliveResponse {
  ResponseHeader header{};
  LeaseId id = 0;
  std::int64_t ttl_s = 0;  // at most 0: there is no such lease
};

struct LeaseTimeToLiveRequest {
  LeaseId id = 0;
  bool keys = false;  // also the keys attached to it
};

struct LeaseTimeToLiveResponse {
  ResponseHeader header{};
  LeaseId id = 0;
  std::int64_t ttl_s = 0;  // -1: there is no such lease
  std::int64_t granted_ttl_s = 0;
  std::vector<std::string> keys{};
};

struct LeaseLeasesResponse {
  ResponseHeader header{};
  std::vector<LeaseId> leases{};
};

// ---- Cluster, Maintenance ----

struct Member {
  std::uint64_t id = 0;
  std::string name{};  // empty: not started yet
  std::vector<std::string> peer_urls{};
  std::vector<std::string> client_urls{};
  bool is_learner = false;
};

struct MemberListResponse {
  ResponseHeader header{};
  std::vector<Member> members{};
};

// What Maintenance.Status says of one member.
struct MemberStatusResponse {
  ResponseHeader header{};
  std::string version{};
  std::int64_t db_size = 0;  // bytes
  std::int64_t db_size_in_use = 0;
  std::uint64_t leader = 0;
  std::uint64_t raft_index = 0;
  std::uint64_t raft_term = 0;
  std::uint64_t raft_applied_index = 0;
  std::vector<std::string> errors{};
  bool is_learner = false;
};

// ---- Watch ----

enum class EventType : std::uint8_t { kPut, kDelete };

struct WatchEvent {
  EventType type = EventType::kPut;
  KeyValue kv{};  // of a deletion only key and mod_revision
  std::optional<KeyValue> prev_kv{};
  bool is_create() const { return type == EventType::kPut && kv.create_revision == kv.mod_revision; }
};

}  // namespace minigrpc::etcd
