// CallTally: what has become of the calls of one endpoint, over all its connections.
//
// Thread rule: its channel's loop.
#pragma once

#include <minigrpc/balancer.h>

#include <cstdint>
#include <optional>

#include "rpc/channelz_counters.h"

namespace minigrpc::rpc {

struct CallTally {
  std::uint64_t succeeded = 0;
  std::uint64_t failed = 0;  // by any status but those that this side chose
  bool wants_load = false;   // reading reports costs: only for policies that use them
  std::optional<LoadReport> load{};
  channelz::CallCounters calls{};  // every one, those that this side gave up included

  void add(StatusCode code) { ++(code == StatusCode::kOk ? succeeded : failed); }
};

}  // namespace minigrpc::rpc
