// Makes a data directory of ours from a snapshot: of an etcd, of a registry of ours, or a hot copy.
//
// Thread rule: free functions; they block.
#pragma once

#include <minigrpc/result.h>

#include <cstdint>
#include <string>

#include "snapshot/snapshot_file.h"
#include "store/store.h"

namespace minigrpc::snapshot {

struct RestoreOptions {
  std::string snapshot{};
  // New or empty; its parent must exist.
  std::string data_dir{};
  HashCheck hash_check = HashCheck::kRequire;
  // Who the restored registry is. Another one than where the snapshot comes from, so that clients which knew that one
  // see that it is gone.
  store::Identity identity{};
  // Goes on at a revision greater by this, and says of everything before it that it was compacted: clients that have
  // seen more than the snapshot never see the revision go back, and read all again. 0: goes on where the snapshot ends.
  std::int64_t bump_revision = 0;
};

struct Restored {
  std::int64_t revision = 0;
  std::int64_t compact_revision = 0;
  std::int64_t changes = 0;
  std::int64_t leases = 0;
};

// Errors of SnapshotFile::open(); ALREADY_EXISTS when the directory holds data; DATA_LOSS for a snapshot whose records
// make no sense; those of Store::open(). The directory is as before then, and after a crash, too: a restore that did
// not end has no effect.
Result<Restored> restore(const RestoreOptions& options);

}  // namespace minigrpc::snapshot
