// The words of the keyspace: revisions, key-values, events, and the requests and results of etcd's KV
// service.
//
// Plain values. Thread rule: like the standard containers. Requests borrow their bytes until the call
// returns.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace minigrpc::store {

// A point in history: `main` counts the requests that changed something, `sub` the changes within one of
// them.
struct Revision {
  std::int64_t main = 0;
  std::uint32_t sub = 0;
  friend auto operator<=>(const Revision&, const Revision&) = default;
};

// 0 is no lease.
using LeaseId = std::int64_t;

// One version of a key, as mvccpb.KeyValue: the revisions are main revisions.
struct KeyValue {
  std::string key{};
  std::string value{};
  std::int64_t create_revision = 0;
  std::int64_t mod_revision = 0;
  std::int64_t version = 0;
  LeaseId lease = 0;
  friend bool operator==(const KeyValue&, const KeyValue&) = default;
};

// The same, borrowed: whoever hands one out says for how long.
struct KeyValueView {
  std::string_view key{};
  std::string_view value{};
  std::int64_t create_revision = 0;
  std::int64_t mod_revision = 0;
  std::int64_t version = 0;
  LeaseId lease = 0;

  KeyValue to_owned() const {
    return {std::string(key), std::string(value), create_revision, mod_revision, version, lease};
  }
};

enum class EventType : std::uint8_t { kPut = 0, kDelete = 1 };

// A change. Of a deletion, `kv` has only the key and the mod_revision, as in etcd.
struct Event {
  EventType type = EventType::kPut;
  Revision revision;
  KeyValue kv;
  // What the key was before this revision, which watchers see as a whole; none when it was created in it.
  std::optional<KeyValue> prev_kv{};
};

struct EventView {
  EventType type = EventType::kPut;
  Revision revision;
  KeyValueView kv;
  // None when the key was created, when nobody asked, or when compaction has removed it.
  std::optional<KeyValueView> prev_kv{};
};

// Which keys: etcd's rule. An empty `range_end` is the key alone, "\0" every key from `key` on, anything else
// the half-open interval [key, range_end).
struct KeyRange {
  std::string_view key{};
  std::string_view range_end{};

  bool contains(std::string_view candidate) const {
    if (range_end.empty()) return candidate == key;
    return candidate >= key && (unbounded() || candidate < range_end);
  }
  bool single() const { return range_end.empty(); }
  bool unbounded() const { return range_end.size() == 1 && range_end[0] == '\0'; }
};

enum class SortOrder : std::uint8_t { kNone, kAscend, kDescend };
enum class SortTarget : std::uint8_t { kKey, kVersion, kCreate, kMod, kValue };

struct RangeRequest {
  KeyRange keys{};
  std::int64_t revision = 0;  // at most 0: the latest
  std::int64_t limit = 0;     // at most 0: none
  SortOrder sort_order = SortOrder::kNone;
  SortTarget sort_target = SortTarget::kKey;
  bool keys_only = false;
  bool count_only = false;
  // Filters; 0 is no bound. As in etcd they do not change `count`.
  std::int64_t min_mod_revision = 0;
  std::int64_t max_mod_revision = 0;
  std::int64_t min_create_revision = 0;
  std::int64_t max_create_revision = 0;
};

// Bytes with stable addresses, freed together.
class ByteArena {
 public:
  // The copy lives as long as the arena, moves of the arena included.
  std::string_view copy(std::string_view bytes);

 private:
  std::vector<std::unique_ptr<char[]>> chunks_;
  char* next_ = nullptr;
  std::size_t left_ = 0;
};

struct RangeResult {
  // In key order unless sorted otherwise. From a ReadView: borrowed until either the result or the view ends.
  // From a WriteBatch: borrowed until the result ends.
  std::vector<KeyValueView> kvs;
  std::int64_t count = 0;     // keys in the range at that revision, whatever the limit
  bool more = false;          // the limit cut some off
  std::int64_t revision = 0;  // the store's, as the read saw it (for the response header)
  ByteArena arena;
};

struct PutRequest {
  std::string_view key{};
  std::string_view value{};
  LeaseId lease = 0;
  bool prev_kv = false;
  bool ignore_value = false;  // keep the value that the key has
  bool ignore_lease = false;  // keep the lease that the key has
};

struct PutResult {
  std::int64_t revision = 0;
  std::optional<KeyValue> prev_kv{};
};

struct DeleteRangeRequest {
  KeyRange keys{};
  bool prev_kv = false;
};

struct DeleteRangeResult {
  std::int64_t revision = 0;  // unchanged when nothing was deleted
  std::int64_t deleted = 0;
  std::vector<KeyValue> prev_kvs;  // in key order
};

enum class CompareTarget : std::uint8_t { kVersion, kCreate, kMod, kValue, kLease };
enum class CompareResult : std::uint8_t { kEqual, kGreater, kLess, kNotEqual };

// "target of every key in the range `result` the operand". A missing key compares as all zeros, except that a
// comparison of its value is false whatever the operator: etcd's rule.
struct Compare {
  KeyRange keys{};
  CompareTarget target = CompareTarget::kVersion;
  CompareResult result = CompareResult::kEqual;
  std::int64_t number = 0;   // operand of kVersion, kCreate, kMod, kLease
  std::string_view value{};  // operand of kValue
};

struct TxnRequest;
struct TxnResult;

using RequestOp = std::variant<RangeRequest, PutRequest, DeleteRangeRequest, std::unique_ptr<TxnRequest>>;
using ResponseOp = std::variant<RangeResult, PutResult, DeleteRangeResult, std::unique_ptr<TxnResult>>;

struct TxnRequest {
  std::vector<Compare> compare{};
  std::vector<RequestOp> success{};
  std::vector<RequestOp> failure{};
};

struct TxnResult {
  bool succeeded = false;
  std::int64_t revision = 0;
  std::vector<ResponseOp> responses;  // one for each operation of the branch taken, in order
};

// Whether no branch, nested ones included, holds a put or a deletion: such a transaction can run on a
// ReadView.
bool is_read_only(const TxnRequest& request);
// Whether any branch, nested ones included, holds a put.
bool has_puts(const TxnRequest& request);

struct LeaseGrantRequest {
  LeaseId id = 0;  // not 0: who chooses ids is the caller
  std::int64_t ttl_s = 0;
  std::int64_t now_ms = 0;
};

struct LeaseInfo {
  LeaseId id = 0;
  std::int64_t granted_ttl_s = 0;
  std::int64_t remaining_ms = 0;  // at most 0: due, and waiting for its revocation
};

}  // namespace minigrpc::store
