#include "registry/maintenance_service.h"

#include <array>
#include <utility>

#include "registry/snapshot_stream.h"
#include "store/errors.h"

namespace minigrpc::registry {

namespace {

// CRC-32C, a byte at a time: the store's pages cost more to read than this.
class Crc32c {
 public:
  void add(std::string_view bytes) {
    for (const char byte : bytes) {
      crc_ ^= static_cast<unsigned char>(byte);
      for (int bit = 0; bit < 8; ++bit) crc_ = (crc_ >> 1) ^ ((crc_ & 1) != 0 ? 0x82f63b78u : 0);
    }
  }
  void add(std::int64_t number) {
    std::array<char, 8> bytes;
    for (std::size_t i = 0; i < bytes.size(); ++i)
      bytes[i] = static_cast<char>(static_cast<std::uint64_t>(number) >> (8 * (7 - i)));
    add(std::string_view(bytes.data(), bytes.size()));
  }
  std::uint32_t value() const { return ~crc_; }

 private:
  std::uint32_t crc_ = ~0u;
};

// Lengths too, so that no two different changes give the same bytes.
void add_change(Crc32c& crc, store::EventType type, const store::KeyValueView& kv) {
  crc.add(static_cast<std::int64_t>(type));
  crc.add(kv.mod_revision);
  crc.add(static_cast<std::int64_t>(kv.key.size()));
  crc.add(kv.key);
  crc.add(static_cast<std::int64_t>(kv.value.size()));
  crc.add(kv.value);
  crc.add(kv.create_revision);
  crc.add(kv.version);
  crc.add(kv.lease);
}

struct KeyspaceHash {
  std::uint32_t hash = 0;
  std::int64_t revision = 0;
  std::int64_t compact_revision = 0;
};

// What is there at the compacted revision, then every change after it, up to `revision` (0: all).
Result<KeyspaceHash> hash_keyspace(store::Store& store, std::int64_t revision) {
  const Result<store::ReadView> view = store.read();
  if (!view) return view.error();
  if (revision == 0) revision = view->revision();
  const std::int64_t compact_revision = view->compact_revision();
  if (revision > view->revision()) return store::errors::future_revision();
  if (revision < compact_revision) return store::errors::compacted();

  Crc32c crc;
  if (compact_revision > 0) {
    const std::string_view from_first("\0", 1);
    const store::RangeRequest all{.keys = {from_first, from_first}, .revision = compact_revision};
    const Result<store::RangeResult> base = view->range(all);
    if (!base) return base.error();
    for (const store::KeyValueView& kv : base->kvs) add_change(crc, store::EventType::kPut, kv);
  }
  const store::HistoryRequest changes{.from = {.main = compact_revision + 1, .sub = 0}, .keys = {}};
  const Result<store::HistoryResult> visited = view->history(changes, [&](const store::EventView& event) {
    if (event.revision.main > revision) return false;
    add_change(crc, event.type, event.kv);
    return true;
  });
  if (!visited) return visited.error();
  return KeyspaceHash{.hash = crc.value(), .revision = view->revision(), .compact_revision = compact_revision};
}

}  // namespace

Result<bool> MaintenanceService::out_of_space() {
  const Result<store::Size> size = member_.store().size();
  if (!size) return size.error();
  return size->in_use_bytes >= size->quota_bytes;
}

Task<Result<etcdserverpb::AlarmResponse>> MaintenanceService::Alarm(ServerContext&,
                                                                    etcdserverpb::AlarmRequest request) {
  etcdserverpb::AlarmResponse answer;
  member_.fill(answer.mutable_header(), 0);
  if (request.action() == etcdserverpb::AlarmRequest::ACTIVATE)
    co_return minigrpc::Status(StatusCode::kUnimplemented, "alarms are raised by the member itself");
  if (request.action() != etcdserverpb::AlarmRequest::GET) co_return answer;
  const Result<bool> full = out_of_space();
  if (!full) co_return full.error();
  if (*full) {
    etcdserverpb::AlarmMember& alarm = *answer.add_alarms();
    alarm.set_memberid(member_.identity().member_id);
    alarm.set_alarm(etcdserverpb::NOSPACE);
  }
  co_return answer;
}

Task<Result<etcdserverpb::StatusResponse>> MaintenanceService::Status(ServerContext&, etcdserverpb::StatusRequest) {
  const Result<store::Size> size = member_.store().size();
  if (!size) co_return size.error();
  const std::int64_t revision = member_.hub().revision();
  etcdserverpb::StatusResponse answer;
  member_.fill(answer.mutable_header(), revision);
  answer.set_version(std::string(kApiVersion));
  answer.set_storageversion("3.5.0");
  answer.set_dbsize(static_cast<std::int64_t>(size->total_bytes));
  answer.set_dbsizeinuse(static_cast<std::int64_t>(size->in_use_bytes));
  answer.set_dbsizequota(static_cast<std::int64_t>(size->quota_bytes));
  answer.set_leader(member_.identity().member_id);
  answer.set_raftterm(kRaftTerm);
  answer.set_raftindex(static_cast<std::uint64_t>(revision));
  answer.set_raftappliedindex(static_cast<std::uint64_t>(revision));
  if (size->in_use_bytes >= size->quota_bytes)
    answer.add_errors("memberID:" + std::to_string(member_.identity().member_id) + " alarm:NOSPACE ");
  co_return answer;
}

Task<Result<etcdserverpb::HashKVResponse>> MaintenanceService::HashKV(ServerContext&,
                                                                      etcdserverpb::HashKVRequest request) {
  const auto hash = [store = &member_.store(), revision = request.revision()] {
    return hash_keyspace(*store, revision);
  };
  // It reads everything: off the loop.
  Task<Result<KeyspaceHash>> hashing = runtime_.blocking(hash);
  const Result<KeyspaceHash> result = co_await hashing;
  if (!result) co_return result.error();
  etcdserverpb::HashKVResponse answer;
  member_.fill(answer.mutable_header(), result->revision);
  answer.set_hash(result->hash);
  answer.set_compact_revision(result->compact_revision);
  answer.set_hash_revision(request.revision() == 0 ? result->revision : request.revision());
  co_return answer;
}

Task<minigrpc::Status> MaintenanceService::Snapshot(ServerContext&, etcdserverpb::SnapshotRequest,
                                                    ServerWriter<etcdserverpb::SnapshotResponse>& writer) {
  return stream_snapshot(member_, runtime_, writer);
}

}  // namespace minigrpc::registry
