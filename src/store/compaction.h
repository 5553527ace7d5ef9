// Removes the versions that nobody can read any more, a bounded slice at a time.
//
// Thread rule: the writer's.
//
// Below the compact revision C the latest version of each key stays, unless it is a tombstone; at C
// everything stays, so that a watch from C on misses nothing. An event knows the version that it superseded:
// it is enough to look once at each event up to C, and to remove its predecessor, and itself if it is a
// tombstone. The place is `State::compact_cursor`. It ends at {C + 1, 0}; the next compaction goes back to
// {C, 0}, for what stayed at C.
#pragma once

#include <minigrpc/result.h>

#include "store/snapshot.h"
#include "store/store.h"

namespace minigrpc::store {

// `state` has the compact revision, and gets the new cursor. Counts up `writes` before each write.
Result<CompactStep> compact_step(TableTxn& txn, const Tables& tables, State& state, std::size_t entries_max,
                                 std::uint64_t& writes);

}  // namespace minigrpc::store
