#include "rpc/policies.h"

#include "rpc/runtime_impl.h"

namespace minigrpc::rpc {

void add_builtin_balancers(RuntimeImpl& runtime) {
  runtime.add_balancer("pick_first", make_pick_first);
  runtime.add_balancer("round_robin", make_round_robin);
  runtime.add_balancer("weighted_round_robin", make_weighted_round_robin);
  // The names that gRPC's own service configs have for them.
  for (const char* name : {"least_request", "least_request_experimental"})
    runtime.add_balancer(name, make_least_request);
  for (const char* name : {"ring_hash", "ring_hash_experimental"}) runtime.add_balancer(name, make_ring_hash);
}

}  // namespace minigrpc::rpc
