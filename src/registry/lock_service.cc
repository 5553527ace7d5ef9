#include "registry/lock_service.h"

#include <utility>

#include "registry/waiting_line.h"

namespace minigrpc::registry {

Task<Result<v3lockpb::LockResponse>> LockService::Lock(ServerContext&, v3lockpb::LockRequest request) {
  WaitingLine line(member_, request.name());
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

Task<Result<v3lockpb::UnlockResponse>> LockService::Unlock(ServerContext&, v3lockpb::UnlockRequest request) {
  std::int64_t revision = 0;
  auto remove = [&](store::WriteBatch& batch) -> Status {
    const Result<store::DeleteRangeResult> removed = batch.delete_range({.keys = {request.key(), {}}});
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
