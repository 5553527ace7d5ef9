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
  return size->full();
}

Result<std::uint32_t> MaintenanceService::active_alarms() {
  const Result<bool> full = out_of_space();
  if (!full) return full.error();
  return member_.alarms().active() | (*full ? Alarms::kNoSpace : 0);
}

minigrpc::Status MaintenanceService::check_root(const ServerContext& context) const {
  const Result<Access> access = Access::of(member_.auth(), context);
  if (!access) return access.error();
  return access->may_administer();
}

Task<Result<etcdserverpb::AlarmResponse>> MaintenanceService::Alarm(ServerContext& context,
                                                                    etcdserverpb::AlarmRequest request) {
  const Result<Access> access = Access::of(member_.auth(), context);
  if (!access) co_return access.error();
  if (!etcdserverpb::AlarmType_IsValid(request.alarm()))
    co_return minigrpc::Status(StatusCode::kInvalidArgument, "etcdserver: unknown alarm");
  const bool get = request.action() == etcdserverpb::AlarmRequest::GET;
  const bool set = request.action() == etcdserverpb::AlarmRequest::ACTIVATE;
  minigrpc::Status status = get ? access->signed_in() : access->may_administer();
  if (!status.ok()) co_return status;
  const bool ours = request.memberid() == 0 || request.memberid() == member_.identity().member_id;
  const std::uint32_t named = request.alarm() == etcdserverpb::NONE ? (set ? 0 : ~0u) : 1u << request.alarm();
  const Result<std::uint32_t> active = active_alarms();
  if (!active) co_return active.error();
  const std::uint32_t listed = !ours ? 0 : set ? named : *active & named;
  if (!get && listed != 0) {
    const std::uint32_t before = member_.alarms().active();
    const std::uint32_t after = set ? before | listed : before & ~listed;
    auto store = [after](store::WriteBatch& batch) {
      return batch.put_record(kAlarmsRecord, Alarms::to_bytes(after));
    };
    auto publish = [this, after] { member_.alarms().publish(after); };
    auto changing = member_.writer().change(store, publish);
    status = co_await changing;
    if (!status.ok()) co_return status;
  }
  etcdserverpb::AlarmResponse answer;
  member_.fill(answer.mutable_header(), member_.hub().revision());
  for (const etcdserverpb::AlarmType type : {etcdserverpb::NOSPACE, etcdserverpb::CORRUPT}) {
    if ((listed & (1u << type)) == 0) continue;
    etcdserverpb::AlarmMember& alarm = *answer.add_alarms();
    alarm.set_memberid(member_.identity().member_id);
    alarm.set_alarm(type);
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
  answer.mutable_downgradeinfo()->set_enabled(false);
  const Result<std::uint32_t> alarms = active_alarms();
  if (!alarms) co_return alarms.error();
  for (const etcdserverpb::AlarmType type : {etcdserverpb::NOSPACE, etcdserverpb::CORRUPT})
    if ((*alarms & (1u << type)) != 0)
      answer.add_errors("memberID:" + std::to_string(member_.identity().member_id) +
                        " alarm:" + etcdserverpb::AlarmType_Name(type) + " ");
  co_return answer;
}

Task<Result<etcdserverpb::DefragmentResponse>> MaintenanceService::Defragment(ServerContext& context,
                                                                              etcdserverpb::DefragmentRequest) {
  if (minigrpc::Status status = check_root(context); !status.ok()) co_return status;
  std::size_t freed = 0;
  auto reclaim = [&](store::Store& store) -> minigrpc::Status {
    const Result<std::size_t> done = store.reclaim();
    if (!done) return done.error();
    freed = *done;
    return minigrpc::Status();
  };
  auto reclaiming = member_.writer().inspect(reclaim);
  minigrpc::Status status = co_await reclaiming;
  if (!status.ok()) co_return status;
  member_.log().info("gave free pages back to the disk", {{"bytes", std::to_string(freed)}});
  etcdserverpb::DefragmentResponse answer;
  member_.fill(answer.mutable_header(), member_.hub().revision());
  co_return answer;
}

Task<Result<etcdserverpb::HashKVResponse>> MaintenanceService::HashKV(ServerContext& context,
                                                                      etcdserverpb::HashKVRequest request) {
  if (minigrpc::Status status = check_root(context); !status.ok()) co_return status;
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

Task<Result<etcdserverpb::HashResponse>> MaintenanceService::Hash(ServerContext& context,
                                                                  etcdserverpb::HashRequest) {
  if (minigrpc::Status status = check_root(context); !status.ok()) co_return status;
  const auto hash = [store = &member_.store()] { return hash_keyspace(*store, 0); };
  Task<Result<KeyspaceHash>> hashing = runtime_.blocking(hash);
  const Result<KeyspaceHash> result = co_await hashing;
  if (!result) co_return result.error();
  etcdserverpb::HashResponse answer;
  member_.fill(answer.mutable_header(), result->revision);
  answer.set_hash(result->hash);
  co_return answer;
}

Task<Result<etcdserverpb::MoveLeaderResponse>> MaintenanceService::MoveLeader(
    ServerContext& context, etcdserverpb::MoveLeaderRequest request) {
  if (minigrpc::Status status = check_root(context); !status.ok()) co_return status;
  if (request.targetid() != member_.identity().member_id)
    co_return minigrpc::Status(StatusCode::kFailedPrecondition, "etcdserver: bad leader transferee");
  etcdserverpb::MoveLeaderResponse answer;
  member_.fill(answer.mutable_header(), member_.hub().revision());
  co_return answer;
}

Task<Result<etcdserverpb::DowngradeResponse>> MaintenanceService::Downgrade(ServerContext& context,
                                                                            etcdserverpb::DowngradeRequest request) {
  if (minigrpc::Status status = check_root(context); !status.ok()) co_return status;
  if (request.action() == etcdserverpb::DowngradeRequest::CANCEL)
    co_return minigrpc::Status(StatusCode::kFailedPrecondition, "etcdserver: no inflight downgrade job");
  const std::string& version = request.version();
  if (version.find('.') == std::string::npos || version.find_first_not_of("0123456789.v") != std::string::npos)
    co_return minigrpc::Status(StatusCode::kInvalidArgument, "etcdserver: wrong downgrade target version format");
  co_return minigrpc::Status(StatusCode::kInvalidArgument, "etcdserver: invalid downgrade target version");
}

Task<minigrpc::Status> MaintenanceService::Snapshot(ServerContext& context, etcdserverpb::SnapshotRequest,
                                                    ServerWriter<etcdserverpb::SnapshotResponse>& writer) {
  if (minigrpc::Status status = check_root(context); !status.ok()) co_return status;
  Task<minigrpc::Status> streaming = stream_snapshot(member_, runtime_, writer);
  minigrpc::Status status = co_await streaming;
  co_return status;
}

}  // namespace minigrpc::registry
