// RecentFrames: which streams the peer has reset, and which ids it has passed over, since the latest output. What comes on
// them afterwards breaks the protocol (RFC 9113, 5.1 "closed", 5.1.1), also where it comes in the same read: nghttp2 has
// not seen the one yet when the other is judged.
//
// Empty for a peer that behaves and cancels nothing. Of a peer that resets or passes over more it remembers the first;
// what follows on the others is judged at the next read. Thread rule: the connection's.
#pragma once

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

#include "base/limits.h"

namespace minigrpc::h2 {

class RecentFrames {
 public:
  // HEADERS of a stream. True where it is a new one.
  bool open(std::int32_t id) {
    if (id <= latest_id_) return false;
    const std::int32_t expected = latest_id_ + 2;
    if (id > expected && passed_over_.size() < limits::kResetStreamsMax) passed_over_.emplace_back(expected, id);
    latest_id_ = id;
    return true;
  }
  // RST_STREAM from the peer.
  void reset(std::int32_t id) {
    if (reset_.size() < limits::kResetStreamsMax) reset_.push_back(id);
  }
  bool was_reset(std::int32_t id) const { return std::ranges::find(reset_, id) != reset_.end(); }
  bool was_passed_over(std::int32_t id) const {
    return std::ranges::any_of(passed_over_, [id](const auto& range) { return id >= range.first && id < range.second; });
  }
  void clear() {
    passed_over_.clear();
    reset_.clear();
  }

 private:
  std::int32_t latest_id_ = -1;                                     // a client's first is 1
  std::vector<std::pair<std::int32_t, std::int32_t>> passed_over_;  // from the first, to before the second
  std::vector<std::int32_t> reset_;
};

}  // namespace minigrpc::h2
