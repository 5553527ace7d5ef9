// A registry, a provider and a consumer in one process: for tests of users' services, and for small installations.
#include <gtest/gtest.h>
#include <minigrpc/discovery.h>
#include <minigrpc/health.h>
#include <minigrpc/registry.h>

#include "grpc/health/v1/health.minigrpc.h"

namespace minigrpc {
namespace {

using namespace std::chrono_literals;

constexpr const char* kService = "grpc.health.v1.Health";

TEST(InProcess, AProviderIsFoundThroughARegistryWithoutAPort) {
  Runtime runtime({.loops = 2});
  const auto registry = Registry::start(runtime, {.listen_addresses = {"in-process:in-process-test"}});
  ASSERT_TRUE(registry) << registry.error().to_string();
  discovery::install(runtime);

  Health health;
  Server provider(runtime);
  provider.add(health.service());
  const Result<std::uint16_t> port = provider.listen("127.0.0.1:0");
  ASSERT_TRUE(port);
  health.set_serving(kService, Serving::kServing);
  discovery::Announcer announcer(runtime, {.registry = "in-process:in-process-test",
                                           .services = {kService},
                                           .address = "127.0.0.1:" + std::to_string(*port)});

  Channel channel(runtime, std::string("etcd://in-process:in-process-test/") + kService);
  grpc::health::v1::HealthCheckRequest request;
  request.set_service(kService);
  const auto answer = sync_wait(grpc::health::v1::Health::Client(channel).Check(request, {.timeout = 20s, .wait_for_ready = true}));
  ASSERT_TRUE(answer) << answer.error().to_string();
  EXPECT_EQ(answer->status(), grpc::health::v1::HealthCheckResponse::SERVING);

  channel.shutdown();
  sync_wait(announcer.leave(provider));
  sync_wait((*registry)->shutdown(1s));
}

}  // namespace
}  // namespace minigrpc
