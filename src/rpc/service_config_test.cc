#include "rpc/service_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace minigrpc::rpc {
namespace {

using namespace std::chrono_literals;

bool knows(std::string_view name) { return name == "pick_first" || name == "round_robin"; }
Result<ServiceConfig> parse(std::string_view json) { return ServiceConfig::parse(json, knows); }

TEST(ServiceConfig, TheClosestNameCounts) {
  const auto config = parse(R"({"methodConfig": [
      {"name": [{"service": "shop.Prod", "method": "Get"}, {"service": "shop.Other"}], "timeout": "1.5s"},
      {"name": [{"service": "shop.Prod"}], "timeout": "0.000000001s"},
      {"name": [{}], "timeout": "3s", "waitForReady": true}]})");
  ASSERT_TRUE(config) << config.status().to_string();
  EXPECT_EQ(config->method("/shop.Prod/Get")->timeout, 1500ms);
  EXPECT_EQ(config->method("/shop.Prod/Put")->timeout, 1ns);
  EXPECT_EQ(config->method("/shop.Other/Get")->timeout, 1500ms);
  EXPECT_EQ(config->method("/shop.Prod2/Get")->timeout, 3s);
  EXPECT_EQ(config->method("/shop.Prod2/Get")->wait_for_ready, true);
  EXPECT_EQ(config->method("/shop.Prod/Get")->wait_for_ready, std::nullopt);
}

TEST(ServiceConfig, WithoutADefaultNothingHolds) {
  const auto config = parse(R"({"methodConfig": [{"name": [{"service": "a"}]}]})");
  ASSERT_TRUE(config);
  EXPECT_NE(config->method("/a/M"), nullptr);
  EXPECT_EQ(config->method("/b/M"), nullptr);
  EXPECT_EQ(parse("{}")->method("/b/M"), nullptr);
}

TEST(ServiceConfig, EveryFieldIsRead) {
  const auto config = parse(R"({
    "methodConfig": [
      {"name": [{"service": "a"}], "maxRequestMessageBytes": 1024, "maxResponseMessageBytes": "2048",
       "retryPolicy": {"maxAttempts": 9, "initialBackoff": "0.1s", "maxBackoff": "1s", "backoffMultiplier": 2,
                       "retryableStatusCodes": ["UNAVAILABLE", "aborted", 4]}},
      {"name": [{"service": "b"}],
       "hedgingPolicy": {"maxAttempts": 3, "hedgingDelay": "0.5s", "nonFatalStatusCodes": ["INTERNAL"]}}],
    "retryThrottling": {"maxTokens": 10, "tokenRatio": 0.1236},
    "loadBalancingConfig": [{"grpclb": {}}, {"round_robin": {"x": 1}}, {"pick_first": {}}],
    "healthCheckConfig": {"serviceName": "shop"},
    "unknown": {"is": ["passed", "over"]}})");
  ASSERT_TRUE(config) << config.status().to_string();
  const MethodConfig& a = *config->method("/a/M");
  EXPECT_EQ(a.request_size_max, 1024u);
  EXPECT_EQ(a.response_size_max, 2048u);
  EXPECT_EQ(a.retry->attempts_max, 5) << "gRPC A6 caps it";
  EXPECT_EQ(a.retry->initial_backoff, 100ms);
  EXPECT_EQ(a.retry->backoff_max, 1s);
  EXPECT_EQ(a.retry->backoff_multiplier, 2);
  for (const StatusCode code : {StatusCode::kUnavailable, StatusCode::kAborted, StatusCode::kDeadlineExceeded})
    EXPECT_TRUE(a.retry->retryable.contains(code));
  EXPECT_FALSE(a.retry->retryable.contains(StatusCode::kInternal));
  const MethodConfig& b = *config->method("/b/M");
  EXPECT_EQ(b.hedging->attempts_max, 3);
  EXPECT_EQ(b.hedging->delay, 500ms);
  EXPECT_TRUE(b.hedging->non_fatal.contains(StatusCode::kInternal));
  EXPECT_EQ(config->retry_throttling()->tokens_max_milli, 10'000);
  EXPECT_EQ(config->retry_throttling()->token_ratio_milli, 124);
  EXPECT_EQ(config->policy()->name, "round_robin");
  EXPECT_EQ(config->policy()->json, R"({"x":1})");
  EXPECT_EQ(config->health_service(), "shop");
}

TEST(ServiceConfig, TheOldWayToNameAPolicy) {
  EXPECT_EQ(parse(R"({"loadBalancingPolicy": "round_robin"})")->policy()->name, "round_robin");
}

TEST(ServiceConfig, ErrorsNameTheField) {
  const struct {
    const char* json;
    const char* error;
  } kCases[] = {
      {"{", "not JSON: incomplete JSON"},
      {"[]", "wants an object"},
      {R"({"methodConfig": {}})", "methodConfig: wants a list"},
      {R"({"methodConfig": [1]})", "methodConfig[0]: wants an object"},
      {R"({"methodConfig": [{"name": [{"method": "M"}]}]})", "methodConfig[0].name[0]: a method wants a service"},
      {R"({"methodConfig": [{"name": [{"service": "a"}]}, {"name": [{}, {"service": "a"}]}]})",
       "methodConfig[1].name[1]: '/a/' was named before"},
      {R"({"methodConfig": [{"name": [{}]}, {"name": [{}]}]})",
       "methodConfig[1].name[0]: a default was given before"},
      {R"({"methodConfig": [{"timeout": 1}]})", "methodConfig[0].timeout: wants a duration such as \"1.5s\""},
      {R"({"methodConfig": [{"timeout": "1m"}]})",
       "methodConfig[0].timeout: wants a duration such as \"1.5s\", not \"1m\""},
      {R"({"methodConfig": [{"timeout": "-1s"}]})", "methodConfig[0].timeout: wants at least 0s"},
      {R"({"methodConfig": [{"waitForReady": "yes"}]})", "methodConfig[0].waitForReady: wants true or false"},
      {R"({"methodConfig": [{"maxRequestMessageBytes": -1}]})",
       "methodConfig[0].maxRequestMessageBytes: wants at least 0"},
      {R"({"methodConfig": [{}, {"retryPolicy": {"maxAttempts": 1}}]})",
       "methodConfig[1].retryPolicy.maxAttempts: wants at least 2"},
      {R"({"methodConfig": [{"retryPolicy": {"maxAttempts": 2}}]})",
       "methodConfig[0].retryPolicy.initialBackoff: is missing"},
      {R"({"methodConfig": [{"retryPolicy": {"maxAttempts": 2, "initialBackoff": "0s"}}]})",
       "methodConfig[0].retryPolicy.initialBackoff: wants more than 0s"},
      {R"({"methodConfig": [{"retryPolicy": {"maxAttempts": 2, "initialBackoff": "1s", "maxBackoff": "1s",
           "backoffMultiplier": 0}}]})",
       "methodConfig[0].retryPolicy.backoffMultiplier: wants more than 0"},
      {R"({"methodConfig": [{"retryPolicy": {"maxAttempts": 2, "initialBackoff": "1s", "maxBackoff": "1s",
           "backoffMultiplier": 1, "retryableStatusCodes": []}}]})",
       "methodConfig[0].retryPolicy.retryableStatusCodes: wants at least one status code"},
      {R"({"methodConfig": [{"hedgingPolicy": {"maxAttempts": 2, "nonFatalStatusCodes": ["OK", "NOPE"]}}]})",
       "methodConfig[0].hedgingPolicy.nonFatalStatusCodes[1]: is no status code: \"NOPE\""},
      {R"({"methodConfig": [{"hedgingPolicy": {"maxAttempts": 2},
           "retryPolicy": {"maxAttempts": 2, "initialBackoff": "1s", "maxBackoff": "1s", "backoffMultiplier": 1,
                           "retryableStatusCodes": [14]}}]})",
       "methodConfig[0]: retryPolicy and hedgingPolicy exclude each other"},
      {R"({"retryThrottling": {"maxTokens": 1001, "tokenRatio": 1}})",
       "retryThrottling.maxTokens: wants at most 1000"},
      {R"({"retryThrottling": {"maxTokens": 10, "tokenRatio": 0.0001}})",
       "retryThrottling.tokenRatio: wants more than 0"},
      {R"({"loadBalancingConfig": [{"grpclb": {}}, {"mine": {}}]})",
       "loadBalancingConfig: no policy in it is known: grpclb, mine"},
      {R"({"loadBalancingConfig": [{"a": {}, "b": {}}]})",
       "loadBalancingConfig[0]: wants one policy, as {\"round_robin\": {}}"},
      {R"({"loadBalancingPolicy": "best"})", "loadBalancingPolicy: is not known: \"best\""},
      {R"({"healthCheckConfig": {"serviceName": 1}})", "healthCheckConfig.serviceName: wants a string"},
  };
  for (const auto& [json, error] : kCases) {
    const auto config = parse(json);
    ASSERT_FALSE(config) << json;
    EXPECT_EQ(config.error().message(), error) << json;
    EXPECT_EQ(config.error().code(), StatusCode::kInvalidArgument);
  }
}

TEST(ServiceConfig, WhatIsCutOffIsRefused) {
  const std::string whole = R"({"methodConfig": [{"name": [{"service": "a"}], "timeout": "1s"}]})";
  for (std::size_t size = 0; size < whole.size(); ++size) EXPECT_FALSE(parse(whole.substr(0, size))) << size;
  EXPECT_TRUE(parse(whole));
  EXPECT_FALSE(parse(std::string(1 << 20, ' ')));
}

}  // namespace
}  // namespace minigrpc::rpc
