// The watch history: committed events in order of revision.
//
// Thread rule: that of the snapshot's transaction.
#pragma once

#include <functional>

#include "store/snapshot.h"
#include "store/store.h"

namespace minigrpc::store {

// ReadView::history's contract.
Result<HistoryResult> run_history(const Snapshot& snapshot, const HistoryRequest& request,
                                  const std::function<bool(const EventView&)>& visit);

}  // namespace minigrpc::store
