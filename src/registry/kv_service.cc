#include "registry/kv_service.h"

#include <optional>
#include <utility>

#include "registry/convert.h"

namespace minigrpc::registry {

Status KvService::check_size(const google::protobuf::Message& request) const {
  if (request.ByteSizeLong() <= member_.options().request_size_max) return Status();
  return {StatusCode::kInvalidArgument, "etcdserver: request is too large"};
}

Task<Result<etcdserverpb::RangeResponse>> KvService::Range(ServerContext&, etcdserverpb::RangeRequest request) {
  const Result<store::RangeRequest> range = to_store(request);
  if (!range) co_return range.error();
  const Result<store::ReadView> view = member_.store().read();
  if (!view) co_return view.error();
  Result<store::RangeResult> result = view->range(*range);
  if (!result) co_return std::move(result).error();
  etcdserverpb::RangeResponse answer;
  member_.fill(answer.mutable_header(), result->revision);
  to_message(*result, &answer);
  co_return answer;
}

Task<Result<etcdserverpb::PutResponse>> KvService::Put(ServerContext&, etcdserverpb::PutRequest request) {
  if (Status status = check_size(request); !status.ok()) co_return status;
  store::PutResult result;
  auto put = [&](store::WriteBatch& batch) -> Status {
    Result<store::PutResult> done = batch.put(to_store(request));
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

Task<Result<etcdserverpb::DeleteRangeResponse>> KvService::DeleteRange(ServerContext&,
                                                                       etcdserverpb::DeleteRangeRequest request) {
  if (Status status = check_size(request); !status.ok()) co_return status;
  store::DeleteRangeResult result;
  auto remove = [&](store::WriteBatch& batch) -> Status {
    Result<store::DeleteRangeResult> done = batch.delete_range(to_store(request));
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

Result<etcdserverpb::TxnResponse> KvService::read(const store::TxnRequest& request) {
  const Result<store::ReadView> view = member_.store().read();
  if (!view) return view.error();
  Result<store::TxnResult> result = view->txn(request);
  if (!result) return std::move(result).error();
  etcdserverpb::TxnResponse answer;
  member_.fill(answer.mutable_header(), result->revision);
  to_message(*result, &answer);
  return answer;
}

Task<Result<etcdserverpb::TxnResponse>> KvService::Txn(ServerContext&, etcdserverpb::TxnRequest request) {
  if (Status status = check_size(request); !status.ok()) co_return status;
  Result<store::TxnRequest> txn = to_store(request);
  if (!txn) co_return std::move(txn).error();
  if (store::is_read_only(*txn)) co_return read(*txn);

  std::optional<store::TxnResult> result;
  auto apply = [&](store::WriteBatch& batch) -> Status {
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
  co_return answer;
}

Task<Result<etcdserverpb::CompactionResponse>> KvService::Compact(ServerContext&,
                                                                  etcdserverpb::CompactionRequest request) {
  auto compacting = member_.writer().compact(request.revision(), request.physical());
  Status status = co_await compacting;
  if (!status.ok()) co_return status;
  member_.log().info("compacted history", {{"revision", std::to_string(request.revision())}});
  etcdserverpb::CompactionResponse answer;
  member_.fill(answer.mutable_header(), member_.hub().revision());
  co_return answer;
}

}  // namespace minigrpc::registry
