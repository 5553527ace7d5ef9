// Maintenance.Snapshot: the data as an etcd snapshot, streamed.
//
// Thread rule: free function, on the loop of the call.
#pragma once

#include <minigrpc/runtime.h>
#include <minigrpc/stream.h>

#include "etcd/api/maintenance.pb.h"
#include "registry/member.h"

namespace minigrpc::registry {

// The snapshot is first written to a file without a name, beside the data: a client that reads slowly holds disk, not a
// view, which would keep every page from reuse that it can see. All are borrowed until the awaited result.
Task<Status> stream_snapshot(Member& member, Runtime& runtime, ServerWriter<etcdserverpb::SnapshotResponse>& writer);

}  // namespace minigrpc::registry
