// "round_robin": the endpoints in turn. "least_request": of two chosen at random, the one with fewer calls in flight.
#include <algorithm>

#include "rpc/connected_balancer.h"
#include "rpc/json_reader.h"
#include "rpc/policies.h"

namespace minigrpc::rpc {

namespace {

class RoundRobin final : public ConnectedBalancer {
 public:
  // At a random place, lest the first calls of a thousand clients all go to the first endpoint.
  explicit RoundRobin(BalancerHost& host) : ConnectedBalancer(host), next_(random_below(1u << 16)) {}

 private:
  Subchannel& choose(const CallInfo&) override { return *ready()[next_++ % ready().size()]; }

  std::size_t next_;
};

class LeastRequest final : public ConnectedBalancer {
 public:
  LeastRequest(BalancerHost& host, std::size_t choices) : ConnectedBalancer(host), choices_(choices) {}

 private:
  Subchannel& choose(const CallInfo&) override {
    Subchannel* best = ready()[random_below(ready().size())];
    for (std::size_t i = 1; i < choices_; ++i) {
      Subchannel* other = ready()[random_below(ready().size())];
      if (load_of(*other) < load_of(*best)) best = other;
    }
    return *best;
  }
  // An endpoint of twice the weight may have twice the calls.
  static double load_of(const Subchannel& subchannel) {
    const auto weight = std::max<std::uint32_t>(subchannel.endpoint().weight, 1);
    return (static_cast<double>(subchannel.calls_in_flight()) + 1) / weight;
  }

  const std::size_t choices_;
};

}  // namespace

Result<std::unique_ptr<Balancer>> make_round_robin(BalancerHost& host, std::string_view) {
  return std::unique_ptr<Balancer>(std::make_unique<RoundRobin>(host));
}

Result<std::unique_ptr<Balancer>> make_least_request(BalancerHost& host, std::string_view config) {
  JsonReader reader;
  std::int64_t choices = 2;
  const JsonField root = reader.parse(config);
  if (const JsonField field = root.member("choiceCount"); field.present()) choices = field.integer({.min = 2});
  if (!reader.status().ok()) return reader.status();
  constexpr std::int64_t kChoicesMax = 10;  // gRPC A48
  return std::unique_ptr<Balancer>(
      std::make_unique<LeastRequest>(host, static_cast<std::size_t>(std::min(choices, kChoicesMax))));
}

}  // namespace minigrpc::rpc
