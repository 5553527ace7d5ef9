// Writes a snapshot as etcd has them: a bbolt database with etcd's buckets, and its SHA-256 behind it. `etcdctl snapshot
// restore` makes members of a cluster from it, which go on at the same revision.
//
// Thread rule: free functions; they block while they read and write.
#pragma once

#include <minigrpc/status.h>

#include <string>

#include "store/store.h"

namespace minigrpc::snapshot {

// What `view` shows, to an empty file open for reading and writing, which stays the caller's; not yet on disk. Memory
// does not grow with the data. RESOURCE_EXHAUSTED when the disk is full, UNAVAILABLE when it fails.
Status save(const store::ReadView& view, store::Identity identity, int fd);

// The same to a new file at `path`, and on disk: there is all of it or none, whatever happens meanwhile.
Status save(const store::ReadView& view, store::Identity identity, const std::string& path);

}  // namespace minigrpc::snapshot
