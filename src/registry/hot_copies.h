// HotCopies: after so many transactions, a snapshot beside the data; the newest five are kept.
//
// They are etcd snapshots, named after their revision: DATA_DIR/snapshots/00000000000000012345.db. A copy on the same
// disk is for mistakes and damage, not for the loss of the disk.
//
// Thread rule: construction and destruction belong to the owner; run() is one task.
#pragma once

#include <minigrpc/runtime.h>

#include <cstdint>
#include <string>
#include <vector>

#include "registry/member.h"

namespace minigrpc::registry {

class HotCopies {
 public:
  static constexpr std::size_t kKept = 5;

  // Both are borrowed. `every`: transactions between two copies.
  HotCopies(Member& member, Runtime& runtime, std::int64_t every);

  // Until it is cancelled.
  Task<void> run();
  // One copy, now; it blocks. Then removes the oldest beyond those that are kept.
  Status copy();

 private:
  std::vector<std::string> kept() const;

  Member& member_;
  Runtime& runtime_;
  const std::int64_t every_;
  const std::string directory_;
  std::int64_t copied_revision_ = 0;
};

}  // namespace minigrpc::registry
