// A registry, a provider and a consumer in one process: for tests of users' services, and for small installations.
#include <gtest/gtest.h>
#include <minigrpc/discovery.h>
#include <minigrpc/health.h>
#include <minigrpc/registry.h>

#include "grpc/health/v1/health.minigrpc.h"
#include "support/certificates.h"

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

// With a certificate of an authority that no system knows.
TEST(InProcess, AProviderRegistersUnderTls) {
  Runtime runtime({.loops = 2});
  const testing::CertificateAuthority authority("test authority");
  const testing::CertificateAndKey server = authority.issue({.common_name = "registry", .names = {"IP:127.0.0.1"}});
  RegistryOptions options{.listen_addresses = {"https://127.0.0.1:0"}};
  options.credentials = ServerCredentials::tls(
      {.certificate_chain = Pem::text(server.certificate), .private_key = Pem::text(server.private_key)});
  const auto registry = Registry::start(runtime, options);
  ASSERT_TRUE(registry) << registry.error().to_string();
  const std::string address = "https://" + (*registry)->addresses().front();
  etcd::ClientOptions trusting;
  trusting.credentials = ChannelCredentials::tls({.server_ca = Pem::text(authority.certificate())});
  discovery::Announcer announcer(
      runtime, {.registry = address, .client = trusting, .services = {"shop.Stock"}, .address = "10.0.0.1:5051"});
  etcd::Client client(runtime, address, trusting);
  const TimePoint until = std::chrono::steady_clock::now() + 20s;
  const std::string key = discovery::instance_key("shop.Stock", "10.0.0.1:5051");
  std::int64_t count = 0;
  while (count == 0 && std::chrono::steady_clock::now() < until) {
    const auto found = sync_wait(client.Range({.keys = etcd::KeyRange::single(key)}));
    ASSERT_TRUE(found) << found.error().to_string();
    count = found->count;
  }
  EXPECT_EQ(count, 1);
  Server nothing(runtime);
  sync_wait(announcer.leave(nothing, {.propagation = 0ms}));
  EXPECT_EQ(sync_wait(client.Range({.keys = etcd::KeyRange::single(key)}))->count, 0);
  sync_wait((*registry)->shutdown(1s));
}

}  // namespace
}  // namespace minigrpc
