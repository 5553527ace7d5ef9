// etcdserverpb.KV on the store: reads on the calling loop, writes through the writer thread.
//
// Every acknowledged write is committed, so a read of the last commit is linearizable: `serializable` makes no
// difference with one member.
//
// Thread rule: any loop.
#pragma once

#include "etcd/api/kv.minigrpc.h"
#include "registry/access.h"
#include "registry/member.h"

namespace minigrpc::registry {

class KvService final : public etcdserverpb::KV::Handler {
 public:
  // `member` is borrowed.
  explicit KvService(Member& member) : member_(member) {}

  Task<Result<etcdserverpb::RangeResponse>> Range(ServerContext&, etcdserverpb::RangeRequest request) override;
  Task<Result<etcdserverpb::PutResponse>> Put(ServerContext&, etcdserverpb::PutRequest request) override;
  Task<Result<etcdserverpb::DeleteRangeResponse>> DeleteRange(ServerContext&,
                                                              etcdserverpb::DeleteRangeRequest request) override;
  Task<Result<etcdserverpb::TxnResponse>> Txn(ServerContext&, etcdserverpb::TxnRequest request) override;
  Task<Result<etcdserverpb::CompactionResponse>> Compact(ServerContext&,
                                                         etcdserverpb::CompactionRequest request) override;

 private:
  Result<etcdserverpb::TxnResponse> read(const Access& access, const store::TxnRequest& request);
  void count(const etcdserverpb::TxnResponse& answer);
  Status check_size(const google::protobuf::Message& request) const;

  Member& member_;
};

}  // namespace minigrpc::registry
