// Balancer: chooses among a channel's subchannels, and decides which of them connect.
//
// Thread rule: its channel's loop.
#pragma once

#include <minigrpc/result.h>

#include <memory>
#include <string_view>
#include <vector>

#include "rpc/subchannel.h"

namespace minigrpc::rpc {

using Subchannels = std::vector<std::shared_ptr<Subchannel>>;

// Where a call goes: to a connection; nowhere yet (it waits); or nowhere, with the reason.
struct Pick {
  ClientConnection* connection = nullptr;
  Status failure;
};

class Balancer {
 public:
  virtual ~Balancer() = default;
  // The list as it is now, in the resolver's order; a subchannel that stays is the same object as before.
  virtual void update(const Subchannels& subchannels) = 0;
  // A subchannel's state has changed.
  virtual void changed(Subchannel& subchannel) = 0;
  // A call wants a connection, and none is there.
  virtual void exit_idle() = 0;
  virtual Pick pick() = 0;
  virtual ChannelState state() const = 0;
};

bool knows_balancer(std::string_view policy);
// "pick_first" or "round_robin"; null for a name that is neither.
std::unique_ptr<Balancer> make_balancer(std::string_view policy, net::Loop& loop);

}  // namespace minigrpc::rpc
