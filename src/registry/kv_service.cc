#include "registry/kv_service.h"

#include <optional>
#include <utility>

#include "registry/access.h"
#include "registry/convert.h"

namespace minigrpc::registry {

Status KvService::check_size(const google::protobuf::Message& request) const {
  if (request.ByteSizeLong() <= member_.options().request_size_max) return Status();
  return {StatusCode::kInvalidArgument, "etcdserver: request is too large"};
}

Task<Result<etcdserverpb::RangeResponse>> KvService::Range(ServerContext& context, etcdserverpb::RangeRequest request) {
  const Result<Access> access = Access::of(member_.auth(), context);
  if (!access) co_return access.error();
  const Result<store::RangeRequest> range = to_store(request);
  if (!range) co_return range.error();
  const Result<store::ReadView> view = member_.store().read();
  if (!view) co_return view.error();
  if (Status status = access->may_read(range->keys); !status.ok()) co_return status;
  Result<store::RangeResult> result = view->range(*range);
  if (!result) co_return std::move(result).error();
  etcdserverpb::RangeResponse answer;
  member_.counters().ranges.add();
  member_.fill(answer.mutable_header(), result->revision);
  to_message(*result, &answer);
  co_return answer;
}

Task<Result<etcdserverpb::PutResponse>> KvService::Put(ServerContext& context, etcdserverpb::PutRequest request) {
  const Result<Access> access = Access::of(member_.auth(), context);
  if (!access) co_return access.error();
  if (Status status = check_size(request); !status.ok()) co_return status;
  store::PutResult result;
  auto put = [&](store::WriteBatch& batch) -> Status {
    const store::PutRequest wanted = to_store(request);
    if (Status status = access->may_put(wanted, batch); !status.ok()) return status;
    if (Status status = member_.alarms().check(Demand::kSpace); !status.ok()) return status;
    Result<store::PutResult> done = batch.put(wanted);
    if (!done) return std::move(done).error();
    result = *std::move(done);
    return Status();
  };
  auto writing = member_.writer().write(put);
  Status status = co_await writing;
  if (!status.ok()) co_return status;
  etcdserverpb::PutResponse answer;
  member_.fill(answer.mutable_header(), result.revision);
  to_message(result, &answer);
  co_return answer;
}

Task<Result<etcdserverpb::DeleteRangeResponse>> KvService::DeleteRange(ServerContext& context,
                                                                       etcdserverpb::DeleteRangeRequest request) {
  const Result<Access> access = Access::of(member_.auth(), context);
  if (!access) co_return access.error();
  if (Status status = check_size(request); !status.ok()) co_return status;
  store::DeleteRangeResult result;
  auto remove = [&](store::WriteBatch& batch) -> Status {
    const store::DeleteRangeRequest wanted = to_store(request);
    if (Status status = access->may_delete(wanted); !status.ok()) return status;
    if (Status status = member_.alarms().check(Demand::kChange); !status.ok()) return status;
    Result<store::DeleteRangeResult> done = batch.delete_range(wanted);
    if (!done) return std::move(done).error();
    result = *std::move(done);
    return Status();
  };
  auto writing = member_.writer().write(remove);
  Status status = co_await writing;
  if (!status.ok()) co_return status;
  etcdserverpb::DeleteRangeResponse answer;
  member_.fill(answer.mutable_header(), result.revision);
  to_message(result, &answer);
  co_return answer;
}

// As etcd: a transaction of a single operation counts as that.
void KvService::count(const etcdserverpb::TxnResponse& answer) {
  Counters& counters = member_.counters();
  if (answer.responses_size() > 1) counters.txns.add();
  for (const etcdserverpb::ResponseOp& response : answer.responses())
    if (response.has_response_range()) counters.ranges.add();
}

Result<etcdserverpb::TxnResponse> KvService::read(const Access& access, const store::TxnRequest& request) {
  const Result<store::ReadView> view = member_.store().read();
  if (!view) return view.error();
  if (Status status = access.may_run(request, nullptr); !status.ok()) return status;
  Result<store::TxnResult> result = view->txn(request);
  if (!result) return std::move(result).error();
  etcdserverpb::TxnResponse answer;
  member_.fill(answer.mutable_header(), result->revision);
  to_message(*result, &answer);
  count(answer);
  return answer;
}

Task<Result<etcdserverpb::TxnResponse>> KvService::Txn(ServerContext& context, etcdserverpb::TxnRequest request) {
  const Result<Access> access = Access::of(member_.auth(), context);
  if (!access) co_return access.error();
  if (Status status = check_size(request); !status.ok()) co_return status;
  Result<store::TxnRequest> txn = to_store(request);
  if (!txn) co_return std::move(txn).error();
  if (store::is_read_only(*txn)) co_return read(*access, *txn);
  const Demand demand = store::has_puts(*txn) ? Demand::kSpace : Demand::kChange;

  std::optional<store::TxnResult> result;
  auto apply = [&](store::WriteBatch& batch) -> Status {
    if (Status status = access->may_run(*txn, &batch); !status.ok()) return status;
    if (Status status = member_.alarms().check(demand); !status.ok()) return status;
    Result<store::TxnResult> done = batch.txn(*txn);
    if (!done) return std::move(done).error();
    result.emplace(*std::move(done));
    return Status();
  };
  auto writing = member_.writer().write(apply);
  Status status = co_await writing;
  if (!status.ok()) co_return status;
  etcdserverpb::TxnResponse answer;
  member_.fill(answer.mutable_header(), result->revision);
  to_message(*result, &answer);
  count(answer);
  co_return answer;
}

Task<Result<etcdserverpb::CompactionResponse>> KvService::Compact(ServerContext& context,
                                                                  etcdserverpb::CompactionRequest request) {
  const Result<Access> access = Access::of(member_.auth(), context);
  if (!access) co_return access.error();
  if (Status status = access->signed_in(); !status.ok()) co_return status;
  if (Status status = member_.alarms().check(Demand::kChange); !status.ok()) co_return status;
  auto compacting = member_.writer().compact(request.revision(), request.physical());
  Status status = co_await compacting;
  if (!status.ok()) co_return status;
  member_.log().info("compacted history", {{"revision", std::to_string(request.revision())}});
  etcdserverpb::CompactionResponse answer;
  member_.fill(answer.mutable_header(), member_.hub().revision());
  co_return answer;
}

}  // namespace minigrpc::registry
