// Balancer: a policy that chooses, for every call of a channel, among the endpoints that its resolver has found.
//
// Write one to choose by rules of your own, and add it to the runtime before a channel names it:
//
//   class Nearest final : public Balancer { … Pick pick(const CallInfo& call) override { … } };
//   add_balancer(runtime, "nearest", [](BalancerHost& host, std::string_view) -> Result<std::unique_ptr<Balancer>> {
//     return std::unique_ptr<Balancer>(std::make_unique<Nearest>(host));
//   });
//   Channel channel(runtime, "dns:///shop:5051", {.policy = "nearest"});
//
// A service config names it, too: {"loadBalancingConfig": [{"nearest": {"zone": "a"}}]}. docs/choosing.md has a whole one.
//
// Thread rule: everything here is called on its channel's loop, one call at a time; nothing may block.
#pragma once

#include <minigrpc/channel.h>
#include <minigrpc/load_report.h>
#include <minigrpc/resolver.h>

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace minigrpc {

// One endpoint, and the connection to it.
//
//   kIdle ─connect()─▶ kConnecting ─▶ kReady ─▶ kIdle …
//                          └─▶ kTransientFailure ─connect(), after a pause─▶ kConnecting …
class Subchannel {
 public:
  virtual const Endpoint& endpoint() const = 0;
  virtual ChannelState state() const = 0;
  // Why the last attempt failed, or the connection ended.
  virtual const Status& failure() const = 0;
  // Whether it has failed since it was last ready, an attempt under way included.
  virtual bool failing() const = 0;
  // Whether connect() would have to wait.
  virtual bool pausing() const = 0;
  // Starts an attempt, now or when the pause is over. Nothing where one is under way or done.
  virtual void connect() = 0;
  // Ends an attempt under way; Balancer::changed() is not called for it.
  virtual void give_up_attempt() = 0;
  // Sent and not answered yet, by this channel.
  virtual std::size_t calls_in_flight() const = 0;
  // What the server said last of its load; only where the balancer asks for it.
  virtual const std::optional<LoadReport>& load() const = 0;

 protected:
  virtual ~Subchannel() = default;
};

// In the resolver's order, each address once.
using Subchannels = std::vector<std::shared_ptr<Subchannel>>;

// What is known of a call before it is sent.
struct CallInfo {
  std::string_view method;  // "/ProdService/GetProdStock"
  const Metadata& metadata;
};

// Where a call goes: there; nowhere yet (it waits until something changes); or nowhere, with the reason.
struct Pick {
  Subchannel* subchannel = nullptr;  // of the last update(), in state kReady
  Status failure{};                  // a call that waits for ready waits all the same
};

// What a channel does for its balancer. Outlives it.
class BalancerHost {
 public:
  virtual TimePoint now() const = 0;
  // In [0, 1); not for secrets.
  virtual double random() = 0;
  // Balancer::on_wake() is called then, once; a later call of this takes the place of an earlier one. TimePoint::max():
  // never. Not before the first update().
  virtual void wake_at(TimePoint time) = 0;
  // state() or what pick() would say has changed, though no subchannel has: calls that wait ask again.
  virtual void changed() = 0;

 protected:
  ~BalancerHost() = default;
};

class Balancer {
 public:
  virtual ~Balancer() = default;
  // The endpoints as they are now; one that stays is the same object as before. A balancer that takes another one's
  // place may find connections made.
  virtual void update(const Subchannels& subchannels) = 0;
  // `subchannel`'s state is another one.
  virtual void changed(Subchannel& subchannel) = 0;
  // A call wants a connection, and none is there.
  virtual void exit_idle() = 0;
  // For every call: must be quick. Called again for a call that waits, after every change.
  virtual Pick pick(const CallInfo& call) = 0;
  // The channel's: kIdle, kConnecting, kReady or kTransientFailure.
  virtual ChannelState state() const = 0;
  virtual void on_wake() {}
  // Whether the reports that come with answers are read.
  virtual bool wants_load_reports() const { return false; }
  // How often servers are asked to report by themselves, by a stream on each connection; none: not at all. A
  // server that has no such service is not asked again. Asked for with every list of endpoints.
  virtual std::optional<std::chrono::nanoseconds> load_report_period() const { return std::nullopt; }
};

// Makes a balancer from its part of the service config, a JSON object ("{}" where there is none). A failure's message
// begins with the bad field: "ringSize: wants at least 1". Called on any event loop, several at a time.
using BalancerFactory =
    std::function<Result<std::unique_ptr<Balancer>>(BalancerHost& host, std::string_view config)>;

// From now on `policy` means this factory for every channel made on `runtime`. From any thread. There are "pick_first",
// "round_robin", "weighted_round_robin", "least_request" and "ring_hash".
void add_balancer(Runtime& runtime, std::string policy, BalancerFactory factory);

}  // namespace minigrpc
