#include "registry/lock_service.h"

#include <utility>

#include "registry/waiting_line.h"

namespace minigrpc::registry {

Task<Result<v3lockpb::LockResponse>> LockService::Lock(ServerContext& context, v3lockpb::LockRequest request) {
  const Result<Access> access = Access::of(member_.auth(), context);
  if (!access) co_return access.error();
  WaitingLine line(member_, access->for_stream(), request.name());
  Task<Result<Place>> entering = line.enter(request.lease(), std::string());
  Result<Place> place = co_await entering;
  if (!place) co_return std::move(place).error();
  Task<Result<std::int64_t>> waiting = line.wait_first(*place);
  const Result<std::int64_t> revision = co_await waiting;
  if (!revision) co_return revision.error();
  v3lockpb::LockResponse answer;
  member_.fill(answer.mutable_header(), *revision);
  answer.set_key(std::move(place->key));
  co_return answer;
}

Task<Result<v3lockpb::UnlockResponse>> LockService::Unlock(ServerContext& context, v3lockpb::UnlockRequest request) {
  const Result<Access> access = Access::of(member_.auth(), context);
  if (!access) co_return access.error();
  std::int64_t revision = 0;
  auto remove = [&](store::WriteBatch& batch) -> Status {
    const store::DeleteRangeRequest wanted{.keys = {request.key(), {}}};
    if (Status status = access->may_delete(wanted); !status.ok()) return status;
    const Result<store::DeleteRangeResult> removed = batch.delete_range(wanted);
    if (!removed) return removed.error();
    revision = removed->revision;
    return Status();
  };
  auto writing = member_.writer().write(remove);
  Status status = co_await writing;
  if (!status.ok()) co_return status;
  v3lockpb::UnlockResponse answer;
  member_.fill(answer.mutable_header(), revision);
  co_return answer;
}

}  // namespace minigrpc::registry
