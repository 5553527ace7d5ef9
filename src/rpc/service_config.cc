#include "rpc/service_config.h"

#include <cmath>

#include "base/limits.h"
#include "rpc/json_reader.h"

namespace minigrpc::rpc {

namespace {

constexpr unsigned kStatusCodeMax = 16;

// "UNAVAILABLE", in any case, or 14.
StatusCodes parse_codes(const JsonField& list) {
  StatusCodes codes;
  for (const JsonField& item : list.items()) {
    if (item.json().front() != '"') {
      codes.add(static_cast<StatusCode>(item.integer({.min = 0, .max = kStatusCodeMax})));
      continue;
    }
    std::string name = item.text();
    for (char& c : name)
      if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
    unsigned code = 0;
    while (code <= kStatusCodeMax && status_code_name(static_cast<StatusCode>(code)) != name) ++code;
    if (code > kStatusCodeMax) {
      item.fail("is no status code: " + item.json());
      continue;
    }
    codes.add(static_cast<StatusCode>(code));
  }
  return codes;
}

int parse_attempts(const JsonField& policy) {
  const std::int64_t attempts = policy.required("maxAttempts").integer({.min = 2});
  return static_cast<int>(std::min<std::int64_t>(attempts, limits::kCallAttemptsMax));
}

std::chrono::nanoseconds positive_duration(const JsonField& field) {
  const auto duration = field.duration();
  if (field.present() && duration <= duration.zero()) field.fail("wants more than 0s");
  return duration;
}

RetryPolicy parse_retry(const JsonField& field) {
  RetryPolicy policy;
  policy.attempts_max = parse_attempts(field);
  policy.initial_backoff = positive_duration(field.required("initialBackoff"));
  policy.backoff_max = positive_duration(field.required("maxBackoff"));
  const JsonField multiplier = field.required("backoffMultiplier");
  policy.backoff_multiplier = multiplier.number();
  if (!(policy.backoff_multiplier > 0)) multiplier.fail("wants more than 0");
  const JsonField codes = field.required("retryableStatusCodes");
  policy.retryable = parse_codes(codes);
  if (policy.retryable.empty()) codes.fail("wants at least one status code");
  return policy;
}

HedgingPolicy parse_hedging(const JsonField& field) {
  HedgingPolicy policy;
  policy.attempts_max = parse_attempts(field);
  const JsonField delay = field.member("hedgingDelay");
  policy.delay = delay.duration();
  if (policy.delay.count() < 0) delay.fail("wants at least 0s");
  policy.non_fatal = parse_codes(field.member("nonFatalStatusCodes"));
  return policy;
}

std::optional<std::size_t> parse_size(const JsonField& field) {
  if (!field.present()) return std::nullopt;
  return static_cast<std::size_t>(field.integer({.min = 0, .max = std::numeric_limits<std::uint32_t>::max()}));
}

MethodConfig parse_method(const JsonField& field) {
  MethodConfig config;
  if (const JsonField timeout = field.member("timeout"); timeout.present()) {
    config.timeout = timeout.duration();
    if (config.timeout->count() < 0) timeout.fail("wants at least 0s");
  }
  if (const JsonField wait = field.member("waitForReady"); wait.present()) config.wait_for_ready = wait.boolean();
  config.request_size_max = parse_size(field.member("maxRequestMessageBytes"));
  config.response_size_max = parse_size(field.member("maxResponseMessageBytes"));
  if (const JsonField retry = field.member("retryPolicy"); retry.present()) config.retry = parse_retry(retry);
  if (const JsonField hedging = field.member("hedgingPolicy"); hedging.present())
    config.hedging = parse_hedging(hedging);
  if (config.retry && config.hedging) field.fail("retryPolicy and hedgingPolicy exclude each other");
  return config;
}

// How a name of a methodConfig is looked up.
std::string lookup_name(const JsonField& name) {
  const std::string service = name.member("service").text();
  const std::string method = name.member("method").text();
  if (service.empty() && !method.empty()) name.fail("a method wants a service");
  return service.empty() ? "" : "/" + service + "/" + method;
}

RetryThrottling parse_throttling(const JsonField& field) {
  RetryThrottling throttling;
  throttling.tokens_max_milli = 1000 * static_cast<int>(field.required("maxTokens").integer({.min = 1, .max = 1000}));
  const JsonField ratio = field.required("tokenRatio");
  // Three decimals count (gRPC A6).
  throttling.token_ratio_milli = static_cast<int>(std::lround(std::clamp(ratio.number(), 0.0, 1000.0) * 1000));
  if (ratio.present() && throttling.token_ratio_milli <= 0) ratio.fail("wants more than 0");
  return throttling;
}

OutlierOptions parse_outliers(const JsonField& field) {
  OutlierOptions options;
  const auto read_duration = [](const JsonField& duration, std::chrono::nanoseconds& into) {
    if (duration.present()) into = positive_duration(duration);
  };
  const auto read_number = [](const JsonField& number, int& into, JsonField::IntegerBounds bounds) {
    if (number.present()) into = static_cast<int>(number.integer(bounds));
  };
  constexpr JsonField::IntegerBounds kPercent{.min = 0, .max = 100};
  constexpr JsonField::IntegerBounds kCount{.min = 0, .max = 1'000'000'000};
  read_duration(field.member("interval"), options.interval);
  read_duration(field.member("baseEjectionTime"), options.base_ejection_time);
  read_duration(field.member("maxEjectionTime"), options.ejection_time_max);
  read_number(field.member("maxEjectionPercent"), options.ejected_percent_max, kPercent);
  if (const JsonField rate = field.member("successRateEjection"); rate.present()) {
    SuccessRateEjection& into = options.success_rate.emplace();
    read_number(rate.member("stdevFactor"), into.stdev_factor_milli, kCount);
    read_number(rate.member("enforcementPercentage"), into.enforcement_percent, kPercent);
    read_number(rate.member("minimumHosts"), into.hosts_min, kCount);
    read_number(rate.member("requestVolume"), into.requests_min, kCount);
  }
  if (const JsonField failures = field.member("failurePercentageEjection"); failures.present()) {
    FailurePercentageEjection& into = options.failure_percentage.emplace();
    read_number(failures.member("threshold"), into.threshold_percent, kPercent);
    read_number(failures.member("enforcementPercentage"), into.enforcement_percent, kPercent);
    read_number(failures.member("minimumHosts"), into.hosts_min, kCount);
    read_number(failures.member("requestVolume"), into.requests_min, kCount);
  }
  return options;
}

bool is_outlier_detection(std::string_view name) {
  return name == "outlier_detection" || name == "outlier_detection_experimental";
}

// The first entry whose policy is known. An outlier detection is none itself: it goes around its child.
std::optional<PolicyConfig> first_known_policy(const JsonField& list, const ServiceConfig::KnowsPolicy& knows_policy,
                                               std::optional<OutlierOptions>& outliers) {
  std::string seen;
  for (const JsonField& item : list.items()) {
    const std::vector<JsonField> policies = item.members();
    if (policies.size() != 1) {
      item.fail("wants one policy, as {\"round_robin\": {}}");
      return std::nullopt;
    }
    const std::string name(policies.front().name());
    if (is_outlier_detection(name) && !outliers) {
      outliers = parse_outliers(policies.front());
      return first_known_policy(policies.front().required("childPolicy"), knows_policy, outliers);
    }
    if (knows_policy(name)) return PolicyConfig{name, policies.front().json(), policies.front().path()};
    seen += (seen.empty() ? "" : ", ") + name;
  }
  if (list.present()) list.fail(seen.empty() ? "names no policy" : "no policy in it is known: " + seen);
  return std::nullopt;
}

}  // namespace

class ServiceConfigParser {
 public:
  static Result<ServiceConfig> run(std::string_view json, const ServiceConfig::KnowsPolicy& knows_policy) {
    JsonReader reader;
    const JsonField root = reader.parse(json);
    ServiceConfig config;
    if (reader.status().ok()) read(root, knows_policy, config);
    if (!reader.status().ok()) return reader.status();
    return config;
  }

 private:
  static void read(const JsonField& root, const ServiceConfig::KnowsPolicy& knows_policy, ServiceConfig& config) {
    for (const JsonField& method : root.member("methodConfig").items()) {
      for (const JsonField& name : method.member("name").items()) {
        const std::string key = lookup_name(name);
        if (!config.by_name_.emplace(key, config.method_configs_.size()).second)
          name.fail(key.empty() ? "a default was given before" : "'" + key + "' was named before");
      }
      config.method_configs_.push_back(parse_method(method));
    }
    if (const JsonField field = root.member("retryThrottling"); field.present())
      config.retry_throttling_ = parse_throttling(field);
    if (const JsonField list = root.member("loadBalancingConfig"); list.present()) {
      config.policy_ = first_known_policy(list, knows_policy, config.outliers_);
    } else if (const JsonField old = root.member("loadBalancingPolicy"); old.present()) {
      config.policy_ = PolicyConfig{old.text(), "{}", old.path()};
      if (!knows_policy(config.policy_->name)) old.fail("is not known: " + old.json());
    }
    if (const JsonField health = root.member("healthCheckConfig"); health.present())
      if (const JsonField name = health.member("serviceName"); name.present()) config.health_service_ = name.text();
  }
};

Result<ServiceConfig> ServiceConfig::parse(std::string_view json, const KnowsPolicy& knows_policy) {
  return ServiceConfigParser::run(json, knows_policy);
}

const MethodConfig* ServiceConfig::method(std::string_view path) const {
  if (by_name_.empty()) return nullptr;
  auto found = by_name_.find(path);
  if (found == by_name_.end()) found = by_name_.find(path.substr(0, path.rfind('/') + 1));
  if (found == by_name_.end()) found = by_name_.find(std::string_view());
  return found == by_name_.end() ? nullptr : &method_configs_[found->second];
}

}  // namespace minigrpc::rpc
