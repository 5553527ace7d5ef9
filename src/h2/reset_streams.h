// ResetStreams: which streams this side has reset. What the peer had sent on them before it knew is no error, and what it
// sends on other streams that are over is one (RFC 9113, 5.1, "closed").
//
// Remembers the latest; of older ones it remembers the highest id, up to which nothing is held against the peer. Thread
// rule: the connection's.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "base/limits.h"

namespace minigrpc::h2 {

class ResetStreams {
 public:
  void add(std::int32_t id) {
    if (ids_.size() < limits::kResetStreamsMax) return ids_.push_back(id);
    forgotten_max_ = std::max(forgotten_max_, ids_[oldest_]);
    ids_[oldest_] = id;
    oldest_ = (oldest_ + 1) % ids_.size();
  }
  // The peer has reset it, too: from now on it knows.
  void remove(std::int32_t id) { std::ranges::replace(ids_, id, 0); }
  bool may_have(std::int32_t id) const {
    return id <= forgotten_max_ || std::ranges::find(ids_, id) != ids_.end();
  }

 private:
  std::vector<std::int32_t> ids_;  // 0: none
  std::size_t oldest_ = 0;
  std::int32_t forgotten_max_ = 0;
};

}  // namespace minigrpc::h2
