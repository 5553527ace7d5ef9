// Messages of the etcd v3 API to the store's words, and back.
//
// Thread rule: free functions. What goes to the store borrows its bytes from the message, until that changes.
#pragma once

#include <minigrpc/result.h>

#include "etcd/api/kv.pb.h"
#include "etcd/api/mvcc.pb.h"
#include "store/types.h"

namespace minigrpc::registry {

// The four requests, without their header. INVALID_ARGUMENT for an enum value or an operation that etcd does not define.
Result<store::RangeRequest> to_store(const etcdserverpb::RangeRequest& request);
store::PutRequest to_store(const etcdserverpb::PutRequest& request);
store::DeleteRangeRequest to_store(const etcdserverpb::DeleteRangeRequest& request);
Result<store::TxnRequest> to_store(const etcdserverpb::TxnRequest& request);

// Everything but the response's header; `answer` is empty before. Nested answers get a header that has the revision
// alone, as etcd's do; those of nested transactions an empty one.
void to_message(store::RangeResult& result, etcdserverpb::RangeResponse* answer);
void to_message(store::PutResult& result, etcdserverpb::PutResponse* answer);
void to_message(store::DeleteRangeResult& result, etcdserverpb::DeleteRangeResponse* answer);
void to_message(store::TxnResult& result, etcdserverpb::TxnResponse* answer);

void to_message(const store::KeyValueView& kv, mvccpb::KeyValue* message);
void to_message(const store::KeyValue& kv, mvccpb::KeyValue* message);

enum class PrevKv : bool { kOmit, kInclude };
void to_message(const store::Event& event, PrevKv prev_kv, mvccpb::Event* message);
void to_message(const store::EventView& event, mvccpb::Event* message);

}  // namespace minigrpc::registry
