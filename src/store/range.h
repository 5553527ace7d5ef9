// Range and Compare over a snapshot: etcd's rules for revisions, limits, filters and sorting.
//
// Thread rule: that of the snapshot's transaction.
#pragma once

#include <minigrpc/result.h>

#include "store/snapshot.h"
#include "store/types.h"

namespace minigrpc::store {

enum class Lifetime : std::uint8_t {
  kOfTransaction,  // a read transaction: its pages stay put, results may borrow from them
  kOwned,          // a write transaction: the next write may move them, results are copies
};

// INVALID_ARGUMENT for an empty key, OUT_OF_RANGE for a compacted or a future revision.
Status check_range(const State& state, const RangeRequest& request);

// `request` has passed check_range against this or an earlier state.
Result<RangeResult> run_range(const Snapshot& snapshot, const RangeRequest& request, Lifetime lifetime);

// Whether every key of the range compares as asked, now.
Result<bool> run_compare(const Snapshot& snapshot, const Compare& compare);

}  // namespace minigrpc::store
