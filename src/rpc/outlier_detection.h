// OutlierDetection: finds the endpoints whose calls fail more than the others', and ejects them for a while (gRPC A50).
//
// Thread rule: none of its own. Pure: time and randomness are arguments.
#pragma once

#include <minigrpc/context.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "rpc/call_tally.h"

namespace minigrpc::rpc {

struct SuccessRateEjection {
  int stdev_factor_milli = 1900;  // below the mean by so many thousandths of the standard deviation
  int enforcement_percent = 100;
  int hosts_min = 5;
  int requests_min = 100;
  friend bool operator==(const SuccessRateEjection&, const SuccessRateEjection&) = default;
};

struct FailurePercentageEjection {
  int threshold_percent = 85;
  int enforcement_percent = 100;
  int hosts_min = 5;
  int requests_min = 50;
  friend bool operator==(const FailurePercentageEjection&, const FailurePercentageEjection&) = default;
};

struct OutlierOptions {
  std::chrono::nanoseconds interval = std::chrono::seconds(10);
  std::chrono::nanoseconds base_ejection_time = std::chrono::seconds(30);
  std::chrono::nanoseconds ejection_time_max = std::chrono::seconds(300);
  int ejected_percent_max = 10;
  std::optional<SuccessRateEjection> success_rate;
  std::optional<FailurePercentageEjection> failure_percentage;
  friend bool operator==(const OutlierOptions&, const OutlierOptions&) = default;
};

class OutlierDetection {
 public:
  // In [0, 1).
  using Random = std::function<double()>;

  explicit OutlierDetection(const OutlierOptions& options) : options_(options) {}
  const OutlierOptions& options() const { return options_; }

  // The calls up to here do not count.
  void begin(const std::map<std::string, CallTally>& tallies) { count(tallies); }
  // The endpoints that there are, by address, with their calls since they began. Once an interval.
  void step(TimePoint now, const std::map<std::string, CallTally>& tallies, const Random& random);
  bool is_ejected(const std::string& address) const;

 private:
  struct Host {
    CallTally before;  // at the last step
    std::uint64_t succeeded = 0;  // since then
    std::uint64_t failed = 0;
    std::optional<TimePoint> ejected_at;
    int ejections = 0;  // the more of late, the longer the next one
    std::uint64_t requests() const { return succeeded + failed; }
  };

  void count(const std::map<std::string, CallTally>& tallies);
  std::vector<Host*> with_requests(int requests_min);
  void eject_by_success_rate(TimePoint now, const Random& random);
  void eject_by_failure_percentage(TimePoint now, const Random& random);
  bool may_eject_more() const;
  void eject(Host& host, int enforcement_percent, TimePoint now, const Random& random);
  void readmit(TimePoint now);

  const OutlierOptions options_;
  std::map<std::string, Host> hosts_;
};

}  // namespace minigrpc::rpc
