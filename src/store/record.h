// The records of the database as bytes. Decoders take any bytes: what is not a whole, intact record is
// nullopt.
//
// Pure. Thread rule: free functions. Decoded records borrow from the bytes that they were decoded from.
//
//   record   = checksum(4, little-endian) body      the checksum covers the LMDB key, too
//   live     = create main sub version lease form ancestry? value?   table `live`: a key's latest version. `form`: 1 for
//              a value that stands in `log`, and 2 for an ancestry
//   ancestry = depth jump jump_depth second second_depth
//   dead     = main sub                                          table `dead`: a deleted key's tombstone
//   log      = type create version lease depth prev jump jump_depth key-size key value     table `log`: an
//   event state    = revision compact_revision cursor                  table `meta`: see State lease    = ttl
//   table `lease` prev, jump, cursor = main sub;  numbers are LEB128 unless said otherwise
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "store/types.h"

namespace minigrpc::store {

// A value up to this size stands in `live` itself, so that a range is one walk; a longer one stands in `log`
// only, so that it is written once.
inline constexpr std::size_t kInlineValueSizeMax = 512;

// The way back through one key's versions, tombstones included. `prev` is the one before; `jump` is one
// further back, chosen so that any version is found in O(log n) steps (Myers, "An applicative random-access
// stack", 1983). A revision of 0 is none.
struct Links {
  std::uint64_t depth = 0;  // versions before this one
  Revision prev;
  Revision jump;
  std::uint64_t jump_depth = 0;
};

// Of a version: what the links of the next one are made of.
struct Ancestry {
  std::uint64_t depth = 0;
  Revision jump{};
  std::uint64_t jump_depth = 0;
  Revision second{};  // the jump's jump; none, too, where compaction has taken the jump
  std::uint64_t second_depth = 0;

  Links links(Revision prev) const { return {depth, prev, jump, jump_depth}; }
};

struct LiveRecord {
  std::int64_t create_revision = 0;
  Revision mod{};
  std::int64_t version = 0;
  LeaseId lease = 0;
  bool value_in_log = false;
  std::string_view value{};  // empty if value_in_log
  // Not in the records of schemas before 3: there `log` tells.
  std::optional<Ancestry> ancestry{};
};

struct DeadRecord {
  Revision tombstone;
};

struct LogRecord {
  EventType type = EventType::kPut;
  std::int64_t create_revision = 0;  // 0 in a deletion, like version and lease
  std::int64_t version = 0;
  LeaseId lease = 0;
  Links links;
  std::string_view key;
  std::string_view value;

  KeyValueView kv(Revision at) const { return {key, value, create_revision, at.main, version, lease}; }
};

// What moves with every commit: one record of `meta`.
inline constexpr std::string_view kStateKey = "state";
struct State {
  std::int64_t revision = 1;
  std::int64_t compact_revision = 0;
  Revision compact_cursor;  // log entries before this one have been cleared away
};

struct LeaseRecord {
  std::int64_t ttl_s = 0;
};

// Bytes of the registry's own, as they are.
struct PlainRecord {
  std::string_view bytes;
};

// Each appends to an empty `out`. `lmdb_key` is the key that the record will stand under.
void encode(const LiveRecord& record, std::string_view lmdb_key, std::string& out);
void encode(const DeadRecord& record, std::string_view lmdb_key, std::string& out);
void encode(const LogRecord& record, std::string_view lmdb_key, std::string& out);
void encode(const State& record, std::string_view lmdb_key, std::string& out);
void encode(const LeaseRecord& record, std::string_view lmdb_key, std::string& out);
void encode(const PlainRecord& record, std::string_view lmdb_key, std::string& out);

std::optional<LiveRecord> decode_live(std::string_view lmdb_key, std::string_view bytes);
std::optional<DeadRecord> decode_dead(std::string_view lmdb_key, std::string_view bytes);
std::optional<LogRecord> decode_log(std::string_view lmdb_key, std::string_view bytes);
std::optional<State> decode_state(std::string_view lmdb_key, std::string_view bytes);
std::optional<LeaseRecord> decode_lease(std::string_view lmdb_key, std::string_view bytes);
std::optional<PlainRecord> decode_plain(std::string_view lmdb_key, std::string_view bytes);

// 64 bits over `bytes`, begun with `seed`. Detects damage, not malice.
std::uint64_t checksum(std::uint64_t seed, std::string_view bytes);
// What stands before a record's body: so that a fuzzer gets past it.
std::uint32_t record_checksum(std::string_view lmdb_key, std::string_view body);

// LMDB keys of the tables that are not keyed by a user's key. Big-endian, so that byte order is their order.
std::string log_key(Revision revision);
std::optional<Revision> decode_log_key(std::string_view bytes);
std::string lease_key(LeaseId id);
std::optional<LeaseId> decode_lease_key(std::string_view bytes);

void append_big_endian(std::uint64_t number, std::string& out);
// Of exactly 8 bytes.
std::uint64_t decode_big_endian(std::string_view bytes);

}  // namespace minigrpc::store
