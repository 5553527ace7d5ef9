// Policies over real connections to real servers, and what is asked of endpoints besides: whether they stand out.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <minigrpc/balancer.h>

#include <deque>
#include <map>
#include <set>

#include "rpc/policies.h"
#include "rpc/test_named_server.h"

namespace minigrpc {
namespace {

using namespace std::chrono_literals;
using test::Text;
using ::testing::HasSubstr;

class BalancingTest : public ::testing::Test {
 protected:
  BalancingTest() : runtime_({.loops = 2}) {
    for (const char* name : {"a", "b", "c"}) instances_.emplace_back(runtime_, name);
  }
  std::vector<Endpoint> endpoints() const {
    std::vector<Endpoint> all;
    for (const test::NamedServer& instance : instances_) all.push_back(instance.endpoint);
    return all;
  }
  void connect(ChannelOptions options) {
    if (!options.resolver) options.resolver = fixed_endpoints(endpoints());
    channel_.emplace(runtime_, "shop", std::move(options));
  }
  // "a", or the status of a call that failed.
  std::string call(CallOptions options = {}) {
    options.timeout = 20s;
    const Result<Text> answer = test::call_unary(*channel_, "x", std::move(options));
    return answer ? answer->value : answer.status().to_string();
  }
  std::string call_with_key(const std::string& key) { return call({.metadata = {{"x-key", key}}}); }
  std::map<std::string, int> calls(int count) {
    std::map<std::string, int> answers;
    for (int i = 0; i < count; ++i) ++answers[call()];
    return answers;
  }
  // Whether `count` endpoints answer, within some seconds.
  bool all_answer(std::size_t count) {
    for (int i = 0; i < 2000; ++i) {
      if (calls(static_cast<int>(3 * count)).size() == count) return true;
      sync_wait(runtime_.sleep_for(5ms));
    }
    return false;
  }

  Runtime runtime_;
  std::deque<test::NamedServer> instances_;
  std::optional<Channel> channel_;
};

TEST_F(BalancingTest, PickFirstStaysWithOne) {
  connect({});
  EXPECT_EQ(calls(20), (std::map<std::string, int>{{"a", 20}}));
  connect({.service_config = R"({"loadBalancingConfig": [{"pick_first": {"shuffleAddressList": true}}]})"});
  EXPECT_EQ(calls(20).size(), 1u);
}

TEST_F(BalancingTest, RoundRobinTakesTurns) {
  connect({.policy = "round_robin"});
  ASSERT_TRUE(all_answer(3));
  EXPECT_EQ(calls(30), (std::map<std::string, int>{{"a", 10}, {"b", 10}, {"c", 10}}));
}

TEST_F(BalancingTest, WeightsOfTheResolver) {
  instances_[0].endpoint.weight = 3;
  connect({.policy = "weighted_round_robin"});
  ASSERT_TRUE(all_answer(3));
  auto counts = calls(100);
  EXPECT_NEAR(counts["a"], 60, 2);
  EXPECT_NEAR(counts["b"], 20, 2);
  EXPECT_NEAR(counts["c"], 20, 2);
}

TEST_F(BalancingTest, WeightsOfTheServersReports) {
  instances_[0].service.utilization = 0.2;
  instances_[1].service.utilization = 0.8;
  instances_[2].service.utilization = 0.8;
  connect({.service_config = R"({"loadBalancingConfig": [{"weighted_round_robin":
                                 {"blackoutPeriod": "0s", "weightUpdatePeriod": "0.1s"}}]})"});
  ASSERT_TRUE(all_answer(3));
  // Weights are by what each says of itself: 4 to 1 to 1.
  for (int i = 0; i < 1000; ++i)
    if (calls(12)["a"] >= 7) break;
  auto counts = calls(60);
  EXPECT_NEAR(counts["a"], 40, 3);
  EXPECT_NEAR(counts["b"], 10, 3);
}

TEST_F(BalancingTest, LeastRequestReachesAll) {
  connect({.policy = "least_request"});
  EXPECT_TRUE(all_answer(3));
}

TEST_F(BalancingTest, ARingKeepsKeysTogether) {
  connect({.service_config = R"({"loadBalancingConfig": [{"ring_hash": {"requestHashHeader": "x-key"}}]})"});
  std::map<std::string, std::string> owners;
  std::set<std::string> seen;
  for (int i = 0; i < 60; ++i) {
    const std::string key = "user " + std::to_string(i);
    owners[key] = call_with_key(key);
    seen.insert(owners[key]);
  }
  EXPECT_EQ(seen, (std::set<std::string>{"a", "b", "c"}));
  for (const auto& [key, owner] : owners) EXPECT_EQ(call_with_key(key), owner);
  EXPECT_EQ(calls(60).size(), 3u) << "without a key: anywhere";

  // What one has lost goes to the others; their own keys stay.
  sync_wait(instances_[0].server.shutdown(0s));
  for (const auto& [key, owner] : owners) {
    std::string now;
    // A call that meets the end of the connection fails; the key finds its new place.
    for (int i = 0; i < 100 && now != "b" && now != "c"; ++i) now = call_with_key(key);
    if (owner != "a") {
      EXPECT_EQ(now, owner) << key;
    }
  }
}

TEST_F(BalancingTest, AnEndpointThatIsGoneIsLeftOut) {
  connect({.policy = "round_robin"});
  ASSERT_TRUE(all_answer(3));
  sync_wait(instances_[1].server.shutdown(0s));
  ASSERT_TRUE(all_answer(2));
  EXPECT_EQ(calls(20), (std::map<std::string, int>{{"a", 10}, {"c", 10}}));
}

TEST_F(BalancingTest, ABadPolicysConfigNamesItsField) {
  connect({.service_config = R"({"loadBalancingConfig": [{"mine": {}}, {"ring_hash": {"minRingSize": 0}}]})"});
  EXPECT_EQ(call(), "UNAVAILABLE: target 'shop': service config: loadBalancingConfig[1].ring_hash.minRingSize: wants at least 1");
  connect({.policy = "best"});
  EXPECT_EQ(call(), "UNAVAILABLE: target 'shop': no policy 'best' was added to the runtime");
}

// ---- a policy of one's own ----

// Sends calls to an endpoint of the zone that they ask for.
class ByZone final : public Balancer {
 public:
  explicit ByZone(std::string otherwise) : otherwise_(std::move(otherwise)) {}
  void update(const Subchannels& subchannels) override {
    subchannels_ = subchannels;
    exit_idle();
  }
  void changed(Subchannel& subchannel) override { subchannel.connect(); }
  void exit_idle() override {
    for (const auto& subchannel : subchannels_) subchannel->connect();
  }
  Pick pick(const CallInfo& call) override {
    const std::string_view zone = call.metadata.get("x-zone").value_or(otherwise_);
    for (const auto& subchannel : subchannels_) {
      if (subchannel->endpoint().attributes.front().second != zone) continue;
      if (subchannel->state() == ChannelState::kReady) return {.subchannel = subchannel.get()};
      return {};
    }
    return {.failure = Status(StatusCode::kUnavailable, "no endpoint in zone " + std::string(zone))};
  }
  ChannelState state() const override {
    for (const auto& subchannel : subchannels_)
      if (subchannel->state() == ChannelState::kReady) return ChannelState::kReady;
    return ChannelState::kConnecting;
  }

 private:
  const std::string otherwise_;
  Subchannels subchannels_;
};

TEST_F(BalancingTest, APolicyOfOnesOwn) {
  const char* zones[] = {"north", "south", "west"};
  for (std::size_t i = 0; i < 3; ++i) instances_[i].endpoint.attributes = {{"zone", zones[i]}};
  add_balancer(runtime_, "by_zone", [](BalancerHost&, std::string_view config) -> Result<std::unique_ptr<Balancer>> {
    if (config != R"({"otherwise":"west"})") return Status(StatusCode::kInvalidArgument, "otherwise: wants a zone");
    return std::unique_ptr<Balancer>(std::make_unique<ByZone>("west"));
  });
  connect({.service_config = R"({"loadBalancingConfig": [{"by_zone": {"otherwise": "west"}}]})"});
  EXPECT_EQ(call(), "c");
  EXPECT_EQ(call({.metadata = {{"x-zone", "south"}}}), "b");
  EXPECT_EQ(call({.metadata = {{"x-zone", "east"}}}), "UNAVAILABLE: no endpoint in zone east");
  connect({.policy = "by_zone"});
  EXPECT_EQ(call(), "UNAVAILABLE: target 'shop': policy 'by_zone': otherwise: wants a zone");
}

// ---- least_request, with endpoints and chances of the test's own ----

class FakeSubchannel final : public Subchannel {
 public:
  FakeSubchannel(std::size_t calls, std::uint32_t weight) : calls_(calls) { endpoint_.weight = weight; }
  const Endpoint& endpoint() const override { return endpoint_; }
  ChannelState state() const override { return ChannelState::kReady; }
  const Status& failure() const override { return failure_; }
  bool failing() const override { return false; }
  bool pausing() const override { return false; }
  void connect() override {}
  void give_up_attempt() override {}
  std::size_t calls_in_flight() const override { return calls_; }
  const std::optional<LoadReport>& load() const override { return load_; }

 private:
  Endpoint endpoint_;
  Status failure_;
  std::size_t calls_;
  std::optional<LoadReport> load_;
};

class FakeHost final : public BalancerHost {
 public:
  TimePoint now() const override { return {}; }
  double random() override {
    const double next = chances.front();
    chances.pop_front();
    return next;
  }
  void wake_at(TimePoint) override {}
  void changed() override {}
  std::deque<double> chances;
};

TEST(LeastRequest, OfTwoTheOneWithFewerCalls) {
  FakeHost host;
  const auto balancer = *rpc::make_least_request(host, "{}");
  const Subchannels all{std::make_shared<FakeSubchannel>(5, 1), std::make_shared<FakeSubchannel>(3, 1),
                        std::make_shared<FakeSubchannel>(9, 4)};
  balancer->update(all);
  const auto pick = [&](double first, double second) {
    host.chances = {first, second};
    const Metadata none;
    const Pick picked = balancer->pick({"/a/M", none});
    for (std::size_t i = 0; i < all.size(); ++i)
      if (all[i].get() == picked.subchannel) return static_cast<int>(i);
    return -1;
  };
  EXPECT_EQ(pick(0.1, 0.5), 1);
  EXPECT_EQ(pick(0.5, 0.1), 1);
  EXPECT_EQ(pick(0.1, 0.9), 2) << "9 calls of weight 4 are fewer than 5";
  EXPECT_EQ(pick(0.1, 0.1), 0) << "power of two choices, not the best of all";
  EXPECT_FALSE(rpc::make_least_request(host, R"({"choiceCount": 1})"));
}

// ---- outliers ----

TEST_F(BalancingTest, AnOutlierIsEjectedAndComesBack) {
  instances_[1].service.failing = true;
  connect({.service_config = R"({"loadBalancingConfig": [{"outlier_detection": {
      "interval": "0.02s", "baseEjectionTime": "0.2s", "maxEjectionPercent": 50,
      "failurePercentageEjection": {"threshold": 50, "minimumHosts": 1, "requestVolume": 1},
      "childPolicy": [{"round_robin": {}}]}}]})"});
  const auto without_failure = [&] { return !calls(6).contains("INTERNAL: sick"); };
  bool ejected = false;
  for (int i = 0; i < 1000 && !ejected; ++i) ejected = without_failure();
  EXPECT_TRUE(ejected);
  instances_[1].service.failing = false;
  EXPECT_TRUE(all_answer(3));
}

TEST_F(BalancingTest, BadOutlierOptionsNameTheirField) {
  connect({.service_config = R"({"loadBalancingConfig": [{"outlier_detection": {
      "maxEjectionPercent": 101, "childPolicy": [{"round_robin": {}}]}}]})"});
  EXPECT_THAT(call(), HasSubstr("loadBalancingConfig[0].outlier_detection.maxEjectionPercent: wants at most 100"));
  connect({.service_config = R"({"loadBalancingConfig": [{"outlier_detection": {}}]})"});
  EXPECT_THAT(call(), HasSubstr("loadBalancingConfig[0].outlier_detection.childPolicy: is missing"));
}

}  // namespace
}  // namespace minigrpc
