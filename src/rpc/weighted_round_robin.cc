// "weighted_round_robin": the endpoints in turn, by weight: what the servers report of their load (gRPC A58), or else
// what the resolver says.
#include <cmath>
#include <optional>

#include "rpc/connected_balancer.h"
#include "rpc/json_reader.h"
#include "rpc/policies.h"
#include "rpc/stride_scheduler.h"

namespace minigrpc::rpc {

namespace {

struct WeightOptions {
  std::chrono::nanoseconds blackout_period = std::chrono::seconds(10);
  std::chrono::nanoseconds expiration_period = std::chrono::minutes(3);
  std::chrono::nanoseconds update_period = std::chrono::seconds(1);
  double error_penalty = 1;
  std::optional<std::chrono::nanoseconds> report_period{};  // of reports out of band; none: those of answers
};

class WeightedRoundRobin final : public ConnectedBalancer {
 public:
  WeightedRoundRobin(BalancerHost& host, const WeightOptions& options) : ConnectedBalancer(host), options_(options) {}

  bool wants_load_reports() const override { return !options_.report_period; }
  std::optional<std::chrono::nanoseconds> load_report_period() const override {
    return options_.report_period;
  }
  void on_wake() override {
    weigh();
    if (!ready().empty()) host().wake_at(host().now() + duration(options_.update_period));
  }

 private:
  static TimePoint::duration duration(std::chrono::nanoseconds of) {
    return std::chrono::duration_cast<TimePoint::duration>(of);
  }

  void ready_changed() override {
    const TimePoint now = host().now();
    std::vector<std::pair<Subchannel*, TimePoint>> since;
    for (Subchannel* subchannel : ready()) since.emplace_back(subchannel, ready_since(*subchannel).value_or(now));
    ready_since_.swap(since);
    on_wake();
  }
  std::optional<TimePoint> ready_since(const Subchannel& subchannel) const {
    for (const auto& [each, since] : ready_since_)
      if (each == &subchannel) return since;
    return std::nullopt;
  }

  Subchannel& choose(const CallInfo&) override { return *ready()[scheduler_->next()]; }

  // What a server's report is worth; none where there is none, or it is too new or too old.
  std::optional<double> reported_weight(const Subchannel& subchannel, TimePoint now) const {
    const std::optional<LoadReport>& load = subchannel.load();
    if (!load || now - load->received_at >= options_.expiration_period) return std::nullopt;
    if (now - ready_since(subchannel).value_or(now) < options_.blackout_period) return std::nullopt;
    double utilization = load->application_utilization > 0 ? load->application_utilization : load->cpu_utilization;
    if (!(utilization > 0) || !(load->requests_per_second > 0)) return std::nullopt;
    utilization += load->errors_per_second / load->requests_per_second * options_.error_penalty;
    const double weight = load->requests_per_second / utilization;
    return std::isfinite(weight) && weight > 0 ? std::optional(weight) : std::nullopt;
  }

  void weigh() {
    if (ready().empty()) return;
    const TimePoint now = host().now();
    std::vector<std::optional<double>> reported;
    double sum = 0;
    std::size_t count = 0;
    for (const Subchannel* subchannel : ready()) {
      reported.push_back(reported_weight(*subchannel, now));
      if (!reported.back()) continue;
      sum += *reported.back();
      ++count;
    }
    std::vector<double> weights;
    for (std::size_t i = 0; i < ready().size(); ++i) {
      // With fewer than two reports there is nothing to compare; one that is missing counts as their mean (gRPC A58).
      if (count < 2)
        weights.push_back(std::max<std::uint32_t>(ready()[i]->endpoint().weight, 1));
      else
        weights.push_back(reported[i].value_or(sum / static_cast<double>(count)));
    }
    if (weights == weights_) return;
    scheduler_.emplace(weights, random_below(weights.size() * 1000));
    weights_ = std::move(weights);
  }

  const WeightOptions options_;
  std::vector<std::pair<Subchannel*, TimePoint>> ready_since_;
  std::vector<double> weights_;
  std::optional<StrideScheduler> scheduler_;
};

}  // namespace

Result<std::unique_ptr<Balancer>> make_weighted_round_robin(BalancerHost& host, std::string_view config) {
  JsonReader reader;
  const JsonField root = reader.parse(config);
  WeightOptions options;
  const auto read_duration = [&](std::string_view name, std::chrono::nanoseconds& into) {
    const JsonField field = root.member(name);
    if (!field.present()) return;
    into = field.duration();
    if (into.count() < 0) field.fail("wants at least 0s");
  };
  read_duration("blackoutPeriod", options.blackout_period);
  read_duration("weightExpirationPeriod", options.expiration_period);
  read_duration("weightUpdatePeriod", options.update_period);
  std::chrono::nanoseconds report_period = std::chrono::seconds(10);
  read_duration("oobReportingPeriod", report_period);
  if (const JsonField field = root.member("enableOobLoadReport"); field.present() && field.boolean())
    options.report_period = report_period;
  // A shorter one would cost more than it brings (gRPC A58).
  options.update_period = std::max<std::chrono::nanoseconds>(options.update_period, std::chrono::milliseconds(100));
  if (const JsonField field = root.member("errorUtilizationPenalty"); field.present()) {
    options.error_penalty = field.number();
    if (!(options.error_penalty >= 0)) field.fail("wants at least 0");
  }
  if (!reader.status().ok()) return reader.status();
  return std::unique_ptr<Balancer>(std::make_unique<WeightedRoundRobin>(host, options));
}

}  // namespace minigrpc::rpc
