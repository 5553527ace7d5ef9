// A server's reports of its load by itself, and the policy that goes by them (gRPC A51, A58).
#include <gtest/gtest.h>
#include <minigrpc/load_report.h>
#include <minigrpc/resolver.h>
#include <minigrpc/server.h>

#include <deque>
#include <map>
#include <optional>
#include <thread>

#include "rpc/test_named_server.h"
#include "xds/service/orca/v3/orca.minigrpc.h"

namespace minigrpc {
namespace {

using namespace std::chrono_literals;
using test::Text;
using xds::data::orca::v3::OrcaLoadReport;
using xds::service::orca::v3::OpenRcaService;
using xds::service::orca::v3::OrcaLoadReportRequest;

class LoadServiceTest : public ::testing::Test {
 protected:
  struct Instance {
    Instance(Runtime& runtime, const std::string& name, bool with_load)
        : load(runtime, {.period_min = 10ms}), named(runtime, name, with_load ? &load.service() : nullptr) {}
    LoadReporter load;
    test::NamedServer named;
  };

  LoadServiceTest() : runtime_({.loops = 2}) {}
  Instance& add(const std::string& name, bool with_load = true) {
    return instances_.emplace_back(runtime_, name, with_load);
  }
  void connect() {
    std::vector<Endpoint> endpoints;
    for (const Instance& instance : instances_) endpoints.push_back(instance.named.endpoint);
    channel_.emplace(runtime_, "shop",
                     ChannelOptions{.service_config = R"({"loadBalancingConfig": [{"weighted_round_robin": {
                                        "enableOobLoadReport": true, "oobReportingPeriod": "0.02s",
                                        "blackoutPeriod": "0s", "weightUpdatePeriod": "0.1s"}}]})",
                                    .resolver = fixed_endpoints(std::move(endpoints)),
                                    .backoff = {.initial = 10ms, .max = 50ms}});
  }
  std::map<std::string, int> calls(int count) {
    std::map<std::string, int> counts;
    for (int i = 0; i < count; ++i) {
      const Result<Text> answer = test::call_unary(*channel_, "x", {.timeout = 20s});
      ++counts[answer ? answer->value : answer.status().to_string()];
    }
    return counts;
  }
  // Whether `name` comes to answer that many of twelve calls, within some seconds.
  bool becomes(const std::string& name, int count) {
    for (int i = 0; i < 500; ++i) {
      if (calls(12)[name] == count) return true;
      std::this_thread::sleep_for(10ms);
    }
    return false;
  }

  Runtime runtime_;
  std::deque<Instance> instances_;
  std::optional<Channel> channel_;
};

TEST_F(LoadServiceTest, WeightsFollowWhatServersReport) {
  Instance& a = add("a");
  Instance& b = add("b");
  a.load.set({.application_utilization = 0.25, .requests_per_second = 100});
  b.load.set({.application_utilization = 0.75, .requests_per_second = 100});
  connect();
  EXPECT_TRUE(becomes("a", 9));
  a.load.set({.application_utilization = 0.75, .requests_per_second = 100});
  b.load.set({.application_utilization = 0.25, .requests_per_second = 100});
  EXPECT_TRUE(becomes("a", 3));
}

TEST_F(LoadServiceTest, AStreamThatEndsIsBegunAgain) {
  Instance& a = add("a");
  Instance& b = add("b");
  a.load.set({.application_utilization = 0.25, .requests_per_second = 100});
  b.load.set({.application_utilization = 0.75, .requests_per_second = 100});
  connect();
  EXPECT_TRUE(becomes("a", 9));
  // From now on each stream has one report, and ends.
  a.load.end_reports();
  b.load.end_reports();
  a.load.set({.application_utilization = 0.75, .requests_per_second = 100});
  b.load.set({.application_utilization = 0.25, .requests_per_second = 100});
  EXPECT_TRUE(becomes("a", 3));
}

TEST_F(LoadServiceTest, ServersWithoutTheServiceAreAlike) {
  add("a", false);
  add("b", false);
  connect();
  EXPECT_TRUE(becomes("a", 6));
  EXPECT_EQ(calls(12), (std::map<std::string, int>{{"a", 6}, {"b", 6}}));
}

TEST_F(LoadServiceTest, AStreamHasTheReportNowAndAfterEachPeriod) {
  Instance& a = add("a");
  const Channel channel(runtime_, a.named.endpoint.address);
  const auto listen = [](const Channel* to, LoadReporter* load) -> Task<Status> {
    OrcaLoadReportRequest request;
    request.mutable_report_interval()->set_nanos(1);  // as short as the server has it
    CallOptions options{.timeout = 20s};
    auto reader = OpenRcaService::Client(*to).StreamCoreMetrics(request, std::move(options));
    const std::optional<OrcaLoadReport> first = co_await reader.read();
    if (!first || first->ByteSizeLong() != 0)
      co_return Status(StatusCode::kUnknown, "the first is not empty");
    load->set({.cpu_utilization = 0.5, .utilization = {{"disk", 0.75}}, .request_cost = {{"rows", 1}}});
    for (;;) {
      const std::optional<OrcaLoadReport> report = co_await reader.read();
      if (!report) break;
      if (report->ByteSizeLong() == 0) continue;
      EXPECT_EQ(report->cpu_utilization(), 0.5);
      EXPECT_EQ(report->utilization().at("disk"), 0.75);
      EXPECT_EQ(report->request_cost_size(), 0);
      load->end_reports();
    }
    co_return co_await reader.finish();
  };
  EXPECT_EQ(sync_wait(listen(&channel, &a.load)).code(), StatusCode::kUnavailable);
}

TEST_F(LoadServiceTest, TheServersMinimumHolds) {
  LoadReporter load(runtime_);  // 30 s
  Server server(runtime_);
  server.add(load.service());
  const Channel channel(runtime_, "127.0.0.1:" + std::to_string(*server.listen("127.0.0.1:0")));
  const auto listen = [](const Channel* to) -> Task<int> {
    OrcaLoadReportRequest request;
    request.mutable_report_interval()->set_nanos(1);
    CallOptions options{.timeout = 200ms};
    auto reader = OpenRcaService::Client(*to).StreamCoreMetrics(request, std::move(options));
    int reports = 0;
    for (;;) {
      const bool heard = (co_await reader.read()).has_value();
      if (!heard) break;
      ++reports;
    }
    co_return reports;
  };
  EXPECT_EQ(sync_wait(listen(&channel)), 1);
}

}  // namespace
}  // namespace minigrpc
