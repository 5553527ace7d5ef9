// The policies that every runtime knows: "pick_first", "round_robin", "weighted_round_robin", "least_request" and
// "ring_hash".
//
// Thread rule: as for every BalancerFactory. Pure: time and randomness are the host's.
#pragma once

#include <minigrpc/balancer.h>

namespace minigrpc::rpc {

class RuntimeImpl;
void add_builtin_balancers(RuntimeImpl& runtime);

// Each is a BalancerFactory.
Result<std::unique_ptr<Balancer>> make_pick_first(BalancerHost& host, std::string_view config);
Result<std::unique_ptr<Balancer>> make_round_robin(BalancerHost& host, std::string_view config);
Result<std::unique_ptr<Balancer>> make_weighted_round_robin(BalancerHost& host, std::string_view config);
Result<std::unique_ptr<Balancer>> make_least_request(BalancerHost& host, std::string_view config);
Result<std::unique_ptr<Balancer>> make_ring_hash(BalancerHost& host, std::string_view config);

}  // namespace minigrpc::rpc
