// Resolvers: names that are looked up again, fixed lists, literal addresses, sockets with paths.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <minigrpc/resolver.h>
#include <unistd.h>

#include <condition_variable>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <mutex>

#include "rpc/test_echo.h"

namespace minigrpc {
namespace {

using namespace std::chrono_literals;
using test::call_unary;
using ::testing::HasSubstr;

// Counts what a resolver says.
class Heard {
 public:
  Resolver::Listener listener() {
    return [this](Result<Resolution> found) {
      std::lock_guard lock(mutex_);
      last_ = std::move(found);
      times_.push_back(std::chrono::steady_clock::now());
      changed_.notify_all();
    };
  }
  // Within some seconds.
  bool count_becomes(std::size_t count) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, 20s, [&] { return times_.size() >= count; });
  }
  std::vector<TimePoint> times() const {
    std::lock_guard lock(mutex_);
    return times_;
  }
  Result<Resolution> last() const {
    std::lock_guard lock(mutex_);
    return last_;
  }

 private:
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<TimePoint> times_;
  Result<Resolution> last_ = Status(StatusCode::kUnknown, "nothing was heard");
};

std::unique_ptr<Resolver> dns(Runtime& runtime, DnsOptions options, std::string name = "localhost:5051") {
  return *dns_resolver(options)(runtime, Target{"dns", "", std::move(name)});
}

TEST(DnsResolver, LooksUpAgainAfterEachPeriod) {
  Runtime runtime({.loops = 1});
  Heard heard;
  auto resolver = dns(runtime, {.period = 30ms, .pause_min = 1h});
  resolver->start(heard.listener());
  ASSERT_TRUE(heard.count_becomes(3));
  const auto times = heard.times();
  EXPECT_GE(times[1] - times[0], 30ms);
  EXPECT_THAT(heard.last()->endpoints.front().address, HasSubstr(":5051"));
}

TEST(DnsResolver, LooksUpAgainWhenAskedButNotAtOnce) {
  Runtime runtime({.loops = 1});
  Heard heard;
  auto resolver = dns(runtime, {.period = kNever, .pause_min = 100ms});
  resolver->start(heard.listener());
  ASSERT_TRUE(heard.count_becomes(1));
  for (int i = 0; i < 10; ++i) resolver->refresh();
  ASSERT_TRUE(heard.count_becomes(2)) << "asked too early, but not forgotten";
  const auto times = heard.times();
  // The lookup itself comes before the first of the times.
  EXPECT_GE(times[1] - times[0], 90ms);
  resolver->refresh();
  ASSERT_TRUE(heard.count_becomes(3));
}

TEST(DnsResolver, ANameThatIsNotThereIsAFailureThatIsTriedAgain) {
  Runtime runtime({.loops = 1});
  Heard heard;
  // A label longer than DNS has them: nobody is asked.
  auto resolver = dns(runtime, {.period = 10ms}, std::string(64, 'x') + ".invalid:1");
  resolver->start(heard.listener());
  ASSERT_TRUE(heard.count_becomes(2));
  EXPECT_EQ(heard.last().status().code(), StatusCode::kUnavailable);
}

TEST(DnsResolver, SaysNothingOnceItIsGone) {
  Runtime runtime({.loops = 1});
  Heard heard;
  auto resolver = dns(runtime, {.period = 1ms});
  resolver->start(heard.listener());
  ASSERT_TRUE(heard.count_becomes(1));
  resolver.reset();
  const std::size_t count = heard.times().size();
  sync_wait(runtime.sleep_for(30ms));
  EXPECT_EQ(heard.times().size(), count);
}

class ResolverTest : public ::testing::Test {
 protected:
  ResolverTest() : runtime_({.loops = 2}), echo_(runtime_), server_(runtime_) { server_.add(echo_); }
  Status call(const std::string& target, ChannelOptions options = {}) {
    Channel channel(runtime_, target, std::move(options));
    return call_unary(channel, "x", {.timeout = 20s}).status();
  }

  Runtime runtime_;
  test::Echo echo_;
  Server server_;
};

TEST_F(ResolverTest, EveryWayToNameAnEndpoint) {
  const std::string port = std::to_string(*server_.listen("127.0.0.1:0"));
  // Relative, since the name of the directory may be too long for a socket's; "unix://" is for those that are not.
  const std::string path = "resolver-test-" + std::to_string(::getpid()) + ".sock";
  const std::string absolute = std::filesystem::absolute(path).string();
  ASSERT_TRUE(server_.listen("unix:" + path));
  for (const std::string& target : {"127.0.0.1:" + port, "dns:127.0.0.1:" + port, "dns:///localhost:" + port,
                                    "ipv4:127.0.0.1:" + port, "ipv4:127.0.0.1:1,127.0.0.1:" + port,
                                    "unix:" + path, absolute.size() < 100 ? "unix://" + absolute : "unix:" + path}) {
    const Status status = call(target);
    EXPECT_TRUE(status.ok()) << target << ": " << status.to_string();
  }
  std::filesystem::remove(path);
}

TEST_F(ResolverTest, Ipv6) {
  const Result<std::uint16_t> port = server_.listen("[::1]:0");
  std::ifstream addresses("/proc/net/if_inet6");
  const std::string all{std::istreambuf_iterator<char>(addresses), {}};
  if (all.find("00000000000000000000000000000001") == std::string::npos) {  // IPv6 is switched off here
    EXPECT_FALSE(port);
    EXPECT_EQ(call("ipv6:[::1]:1").code(), StatusCode::kUnavailable);
    return;
  }
  ASSERT_TRUE(port) << port.status().to_string();
  EXPECT_TRUE(call("ipv6:[::1]:" + std::to_string(*port)).ok());
}

TEST_F(ResolverTest, AFixedListNeedsNoName) {
  const std::string port = std::to_string(*server_.listen("127.0.0.1:0"));
  EXPECT_TRUE(call("shop", {.resolver = fixed_endpoints({{.address = "127.0.0.1:" + port}})}).ok());
  EXPECT_THAT(call("shop", {.resolver = fixed_endpoints({})}).message(), HasSubstr("no endpoint is known for 'shop'"));
}

TEST_F(ResolverTest, ABadAddressFailsItsCallsAndNothingElse) {
  // Without a pause it is tried again at once; that must not go deeper and deeper.
  for (const char* policy : {"pick_first", "round_robin", "ring_hash"}) {
    const Status status = call("shop", {.policy = policy,
                                        .resolver = fixed_endpoints({{.address = "nonsense:x"}}),
                                        .backoff = {.initial = 0ms, .max = 0ms}});
    EXPECT_EQ(status.code(), StatusCode::kUnavailable) << policy;
    EXPECT_THAT(status.message(), HasSubstr("nonsense:x")) << policy;
  }
}

}  // namespace
}  // namespace minigrpc
