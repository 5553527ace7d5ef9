#include "rpc/service_config.h"

#include "base/limits.h"
#include "fuzz/target.h"

using namespace minigrpc;

// A service config, from the program or from a resolver that has it from whoever may write in its registry.
int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto knows = [](std::string_view policy) { return policy == "round_robin" || policy == "pick_first"; };
  const Result<rpc::ServiceConfig> config = rpc::ServiceConfig::parse(fuzz::text_of(data, size), knows);
  if (!config) {
    fuzz::expect(config.error().code() == StatusCode::kInvalidArgument, "a refusal is INVALID_ARGUMENT");
    fuzz::expect(!config.error().message().empty(), "a refusal says why");
    return 0;
  }
  fuzz::expect(!config->policy() || knows(config->policy()->name), "a policy that was chosen is known");
  for (const char* path : {"/a/M", "/shop.Prod/Get", "/", "", "//"}) {
    const rpc::MethodConfig* method = config->method(path);
    if (method == nullptr) continue;
    fuzz::expect(!method->timeout || method->timeout->count() >= 0, "no timeout is negative");
    fuzz::expect(!method->retry || !method->hedging, "a method is retried or hedged, not both");
    if (method->retry) {
      fuzz::expect(method->retry->attempts_max >= 2 && method->retry->attempts_max <= limits::kCallAttemptsMax,
                   "attempts are bounded");
      fuzz::expect(method->retry->initial_backoff.count() > 0 && method->retry->backoff_multiplier > 0 &&
                       !method->retry->retryable.empty(),
                   "a retryPolicy is whole");
    }
    if (method->hedging)
      fuzz::expect(method->hedging->attempts_max >= 2 && method->hedging->delay.count() >= 0, "a hedgingPolicy is whole");
  }
  if (config->retry_throttling())
    fuzz::expect(config->retry_throttling()->tokens_max_milli > 0 && config->retry_throttling()->token_ratio_milli > 0,
                 "tokens come and go");
  if (config->outliers())
    fuzz::expect(config->outliers()->interval.count() > 0 && config->policy(), "outliers are looked for around a policy");
  return 0;
}
