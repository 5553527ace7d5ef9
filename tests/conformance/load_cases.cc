// The cases of load reports (ORCA): a policy of our own listens to them, as a user's would.
#include <minigrpc/balancer.h>

#include <mutex>

#include "grpc/testing/test.minigrpc.h"
#include "tests/conformance/cases.h"

namespace minigrpc::conformance {

using namespace std::chrono_literals;
using grpc::testing::Empty;
using grpc::testing::SimpleRequest;
using grpc::testing::SimpleResponse;
using grpc::testing::StreamingOutputCallRequest;
using grpc::testing::StreamingOutputCallResponse;
using grpc::testing::TestOrcaReport;
using Client = grpc::testing::TestService::Client;

namespace {

constexpr auto kReportPeriod = 1s;
constexpr auto kReportTimeout = 10s;

// Written by the channel's policy, read by the case.
struct Seen {
  std::mutex mutex;
  std::optional<LoadReport> report;
};

// The first endpoint; at every call it looks at what that has reported until then.
class Listening final : public Balancer {
 public:
  Listening(std::shared_ptr<Seen> seen, std::optional<std::chrono::nanoseconds> period)
      : seen_(std::move(seen)), period_(period) {}

  void update(const Subchannels& subchannels) override {
    first_ = subchannels.empty() ? nullptr : subchannels.front();
    exit_idle();
  }
  void changed(Subchannel& subchannel) override { subchannel.connect(); }
  void exit_idle() override {
    if (first_ != nullptr) first_->connect();
  }
  Pick pick(const CallInfo&) override {
    if (state() != ChannelState::kReady) return {};
    const std::lock_guard lock(seen_->mutex);
    seen_->report = first_->load();
    return {.subchannel = first_.get()};
  }
  ChannelState state() const override {
    return first_ == nullptr ? ChannelState::kConnecting : first_->state();
  }
  bool wants_load_reports() const override { return !period_; }
  std::optional<std::chrono::nanoseconds> load_report_period() const override { return period_; }

 private:
  const std::shared_ptr<Seen> seen_;
  const std::optional<std::chrono::nanoseconds> period_;
  std::shared_ptr<Subchannel> first_;
};

std::unique_ptr<Channel> listening_channel(const Setup& setup, std::shared_ptr<Seen> seen,
                                           std::optional<std::chrono::nanoseconds> period) {
  add_balancer(*setup.runtime, "listening",
               [seen, period](BalancerHost&, std::string_view) -> Result<std::unique_ptr<Balancer>> {
                 return std::unique_ptr<Balancer>(std::make_unique<Listening>(seen, period));
               });
  return setup.new_channel("listening");
}

LoadReport::Numbers numbers_of(const google::protobuf::Map<std::string, double>& named) {
  return {named.begin(), named.end()};
}

bool matches(const LoadReport& report, const TestOrcaReport& expected) {
  return report.cpu_utilization == expected.cpu_utilization() &&
         report.memory_utilization == expected.memory_utilization() &&
         report.utilization == numbers_of(expected.utilization()) &&
         report.request_cost == numbers_of(expected.request_cost()) && report.named_metrics.empty() &&
         report.application_utilization == 0 && report.requests_per_second == 0 &&
         report.errors_per_second == 0;
}

// What the policy knows when it places one more call.
Task<Result<std::optional<LoadReport>>> ask(const Channel* channel, std::shared_ptr<Seen> seen) {
  auto calling = Client(*channel).EmptyCall(Empty());
  const Result<Empty> answer = co_await std::move(calling);
  if (!answer) co_return answer.error();
  const std::lock_guard lock(seen->mutex);
  co_return seen->report;
}

Task<Status> orca_per_rpc(const Setup* setup) {
  const auto seen = std::make_shared<Seen>();
  const std::unique_ptr<Channel> channel = listening_channel(*setup, seen, std::nullopt);
  SimpleRequest request;
  TestOrcaReport& expected = *request.mutable_orca_per_query_report();
  expected.set_cpu_utilization(0.8210);
  expected.set_memory_utilization(0.5847);
  (*expected.mutable_request_cost())["cost"] = 3456.32;
  (*expected.mutable_utilization())["util"] = 0.30499;
  auto calling = Client(*channel).UnaryCall(request);
  const Result<SimpleResponse> answer = co_await std::move(calling);
  if (!answer) co_return failure("the call ended with " + answer.error().to_string());
  auto asking = ask(channel.get(), seen);
  const Result<std::optional<LoadReport>> report = co_await std::move(asking);
  if (!report) co_return failure("the call ended with " + report.error().to_string());
  if (!*report) co_return failure("the answer came without a report");
  co_return matches(**report, expected) ? Status() : failure("the report is not what was asked for");
}

// The server reports `expected` within some time.
Task<Status> hear(const Setup* setup, const Channel* channel, std::shared_ptr<Seen> seen,
                  TestOrcaReport expected) {
  const auto end = std::chrono::steady_clock::now() + kReportTimeout;
  while (std::chrono::steady_clock::now() < end) {
    auto asking = ask(channel, seen);
    const Result<std::optional<LoadReport>> report = co_await std::move(asking);
    if (!report) co_return failure("the call ended with " + report.error().to_string());
    if (*report && matches(**report, expected)) co_return Status();
    const bool slept = co_await setup->runtime->sleep_for(20ms);
    if (!slept) break;
  }
  co_return failure("the report did not come");
}

Task<Status> orca_oob(const Setup* setup) {
  const auto seen = std::make_shared<Seen>();
  const std::unique_ptr<Channel> channel = listening_channel(*setup, seen, kReportPeriod);
  std::vector<TestOrcaReport> reports(2);
  reports[0].set_cpu_utilization(0.8210);
  reports[0].set_memory_utilization(0.5847);
  (*reports[0].mutable_utilization())["util"] = 0.30499;
  reports[1].set_cpu_utilization(0.29309);
  reports[1].set_memory_utilization(0.2);
  (*reports[1].mutable_utilization())["util"] = 0.2039;

  auto stream = Client(*channel).FullDuplexCall();
  for (const TestOrcaReport& report : reports) {
    StreamingOutputCallRequest request;
    *request.mutable_orca_oob_report() = report;
    request.add_response_parameters()->set_size(1);
    co_await stream.write(request);
    const bool answered = (co_await stream.read()).has_value();
    if (!answered) co_return failure("the stream ended early");
    auto hearing = hear(setup, channel.get(), seen, report);
    const Status heard = co_await std::move(hearing);
    if (!heard.ok()) co_return heard;
  }
  co_await stream.writes_done();
  const Status ended = co_await stream.finish();
  co_return expect_status(ended, StatusCode::kOk);
}

}  // namespace

std::span<const Case> load_cases() {
  static constexpr Case kCases[] = {{"orca_per_rpc", orca_per_rpc}, {"orca_oob", orca_oob}};
  return kCases;
}

}  // namespace minigrpc::conformance
