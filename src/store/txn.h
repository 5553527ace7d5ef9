// Transactions: what etcd refuses, which way the compares lead, and the execution of the branch taken.
//
// Thread rule: that of the snapshot's transaction.
#pragma once

#include <minigrpc/result.h>

#include <vector>

#include "store/range.h"
#include "store/types.h"
#include "store/writer.h"

namespace minigrpc::store {

// What is wrong with a request whatever the state of the store.
Status check_put(const PutRequest& request);
Status check_txn(const TxnRequest& request, std::size_t ops_max);

// For a transaction and then, depth first, for each nested one in a branch that is taken: whether its
// compares hold.
using TxnPath = std::vector<bool>;

// All compares look at `snapshot`, as in etcd: those of nested transactions do not see earlier operations.
Result<TxnPath> choose_path(const Snapshot& snapshot, const TxnRequest& request);

// The puts, deletions and ranges that will be executed, in order. Borrowed from the request.
std::vector<const RequestOp*> ops_on_path(const TxnRequest& request, const TxnPath& path);

// Executes the operations on the path. `writer` is null for a transaction that is_read_only().
Result<TxnResult> run_txn(const Snapshot& snapshot, Writer* writer, const TxnRequest& request,
                          const TxnPath& path);

}  // namespace minigrpc::store
