// What a runtime's registry tells, in the messages of grpc.channelz.v1.
//
// Thread rule: free functions without state; a WallClock is a value.
#pragma once

#include <minigrpc/runtime.h>

#include <chrono>

#include "grpc/channelz/v1/channelz.pb.h"
#include "rpc/channelz_registry.h"

namespace minigrpc::services {

// Dates what the steady clock has measured.
class WallClock {
 public:
  WallClock() : steady_now_(Runtime::now()), now_(std::chrono::system_clock::now()) {}
  std::chrono::system_clock::time_point at(TimePoint moment) const {
    return now_ + std::chrono::duration_cast<std::chrono::system_clock::duration>(moment - steady_now_);
  }

 private:
  TimePoint steady_now_;
  std::chrono::system_clock::time_point now_;
};

void fill(grpc::channelz::v1::Channel& message, const rpc::channelz::GroupView& channel,
          const WallClock& clock);
void fill(grpc::channelz::v1::Subchannel& message, const rpc::channelz::GroupView& subchannel,
          const WallClock& clock);
void fill(grpc::channelz::v1::Server& message, const rpc::channelz::GroupView& server,
          const WallClock& clock);
void fill(grpc::channelz::v1::Socket& message, const rpc::channelz::SocketView& socket,
          const WallClock& clock);
void fill(grpc::channelz::v1::SocketRef& message, const rpc::channelz::Reference& socket);

}  // namespace minigrpc::services
