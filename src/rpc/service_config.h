// ServiceConfig: how a service wants to be called (grpc: doc/service_config.md; gRPC A2, A6, A9, A17, A50).
//
// Thread rule: constant once parsed; pure.
#pragma once

#include <minigrpc/result.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "rpc/outlier_detection.h"

namespace minigrpc::rpc {

// A set of status codes.
class StatusCodes {
 public:
  void add(StatusCode code) { bits_ |= 1u << static_cast<unsigned>(code); }
  bool contains(StatusCode code) const { return (bits_ >> static_cast<unsigned>(code) & 1u) != 0; }
  bool empty() const { return bits_ == 0; }

 private:
  std::uint32_t bits_ = 0;
};

struct RetryPolicy {
  int attempts_max = 2;  // the first one included
  std::chrono::nanoseconds initial_backoff{};
  std::chrono::nanoseconds backoff_max{};
  double backoff_multiplier = 1;
  StatusCodes retryable;
};

struct HedgingPolicy {
  int attempts_max = 2;
  std::chrono::nanoseconds delay{};
  StatusCodes non_fatal;
};

struct MethodConfig {
  std::optional<std::chrono::nanoseconds> timeout;
  std::optional<bool> wait_for_ready;
  std::optional<std::size_t> request_size_max;
  std::optional<std::size_t> response_size_max;
  std::optional<RetryPolicy> retry;
  std::optional<HedgingPolicy> hedging;
};

struct RetryThrottling {
  int tokens_max_milli = 0;  // thousandths: ratios have three decimals
  int token_ratio_milli = 0;
};

// One entry of loadBalancingConfig.
struct PolicyConfig {
  std::string name;
  std::string json = "{}";
  std::string path;  // of the entry, for errors: "loadBalancingConfig[0].round_robin"
  friend bool operator==(const PolicyConfig&, const PolicyConfig&) = default;
};

class ServiceConfig {
 public:
  using KnowsPolicy = std::function<bool(std::string_view name)>;

  // INVALID_ARGUMENT that begins with the path of the bad field. Unknown fields are passed over. Of
  // loadBalancingConfig the first entry counts whose policy is known.
  static Result<ServiceConfig> parse(std::string_view json, const KnowsPolicy& knows_policy);

  // For "/package.Service/Method": what names the method, else the service, else every service. May be null.
  const MethodConfig* method(std::string_view path) const;
  const std::optional<RetryThrottling>& retry_throttling() const { return retry_throttling_; }
  const std::optional<PolicyConfig>& policy() const { return policy_; }
  // Of an "outlier_detection" around that policy.
  const std::optional<OutlierOptions>& outliers() const { return outliers_; }
  // The service whose health is asked for; none: no health checks.
  const std::optional<std::string>& health_service() const { return health_service_; }

 private:
  std::vector<MethodConfig> method_configs_;
  // "/package.Service/Method", "/package.Service/" or "" to a place in method_configs_.
  std::map<std::string, std::size_t, std::less<>> by_name_;
  std::optional<RetryThrottling> retry_throttling_;
  std::optional<PolicyConfig> policy_;
  std::optional<OutlierOptions> outliers_;
  std::optional<std::string> health_service_;

  friend class ServiceConfigParser;
};

}  // namespace minigrpc::rpc
