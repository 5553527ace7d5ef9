// Client-side health checks against the health service (gRPC A17).
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <minigrpc/health.h>
#include <minigrpc/resolver.h>

#include <deque>
#include <set>
#include <thread>

#include "rpc/test_named_server.h"

namespace minigrpc {
namespace {

using namespace std::chrono_literals;
using test::Text;
using ::testing::HasSubstr;

class ClientHealthTest : public ::testing::Test {
 protected:
  struct Instance {
    Instance(Runtime& runtime, const std::string& name, bool with_health)
        : named(runtime, name, with_health ? &health.service() : nullptr) {}
    Health health;
    test::NamedServer named;
  };

  ClientHealthTest() : runtime_({.loops = 2}) {}
  Instance& add(const std::string& name, bool with_health = true) {
    return instances_.emplace_back(runtime_, name, with_health);
  }
  void connect(std::string policy = "round_robin", std::chrono::milliseconds idle_timeout = kNever) {
    std::vector<Endpoint> endpoints;
    for (const Instance& instance : instances_) endpoints.push_back(instance.named.endpoint);
    channel_.emplace(runtime_, "shop",
                     ChannelOptions{.service_config = R"({"healthCheckConfig": {"serviceName": "shop"}})",
                                    .policy = std::move(policy),
                                    .resolver = fixed_endpoints(std::move(endpoints)),
                                    .backoff = {.initial = 10ms, .max = 50ms},
                                    .idle_timeout = idle_timeout});
  }
  std::string call(CallOptions options = {.timeout = 20s}) {
    const Result<Text> answer = test::call_unary(*channel_, "x", std::move(options));
    return answer ? answer->value : answer.status().to_string();
  }
  // Whether those and no others come to answer ten calls in a row, within some seconds.
  bool becomes(const std::set<std::string>& names) {
    std::set<std::string> seen;
    for (int i = 0; i < 2000 && seen != names; ++i) {
      seen.clear();
      for (int k = 0; k < 10; ++k) seen.insert(call());
      if (seen != names) std::this_thread::sleep_for(5ms);
    }
    return seen == names;
  }

  Runtime runtime_;
  std::deque<Instance> instances_;
  std::optional<Channel> channel_;
};

TEST_F(ClientHealthTest, OnlyWhoServesIsCalled) {
  Instance& a = add("a");
  Instance& b = add("b");
  a.health.set_serving("shop", Serving::kServing);
  b.health.set_serving("shop", Serving::kNotServing);
  connect();
  EXPECT_TRUE(becomes({"a"}));
  b.health.set_serving("shop", Serving::kServing);
  EXPECT_TRUE(becomes({"a", "b"}));
  a.health.set_serving("shop", Serving::kNotServing);
  EXPECT_TRUE(becomes({"b"}));
}

TEST_F(ClientHealthTest, WhereNobodyServesCallsAreToldWhy) {
  add("a").health.set_serving("shop", Serving::kNotServing);
  connect();
  EXPECT_THAT(call(), HasSubstr("'shop' is not serving"));
  add("b");  // knows no such service
  connect();
  EXPECT_THAT(call(), HasSubstr("'shop' is not serving"));
}

TEST_F(ClientHealthTest, AServerWithoutTheServiceIsTakenForHealthy) {
  add("a", false);
  connect();
  EXPECT_EQ(call(), "a");
}

TEST_F(ClientHealthTest, AWatchThatEndsIsBegunAgain) {
  Instance& a = add("a");
  a.health.set_serving("shop", Serving::kServing);
  connect();
  EXPECT_EQ(call(), "a");
  a.health.end_watches();
  // The service ends every watch from now on, so the endpoint stays out.
  for (int i = 0; i < 2000 && call() == "a"; ++i) std::this_thread::sleep_for(5ms);
  EXPECT_THAT(call(), HasSubstr("the health check failed"));
}

TEST_F(ClientHealthTest, PickFirstDoesNotAsk) {
  add("a").health.set_serving("shop", Serving::kNotServing);
  connect("pick_first");
  EXPECT_EQ(call(), "a");
}

TEST_F(ClientHealthTest, AWatchKeepsNoChannelAwake) {
  add("a").health.set_serving("shop", Serving::kServing);
  connect("round_robin", 50ms);
  EXPECT_EQ(call(), "a");
  for (int i = 0; i < 2000 && channel_->state() != ChannelState::kIdle; ++i) std::this_thread::sleep_for(5ms);
  EXPECT_EQ(channel_->state(), ChannelState::kIdle);
  EXPECT_EQ(call(), "a");
}

}  // namespace
}  // namespace minigrpc
