#include "rpc/outlier_detection.h"

#include <algorithm>
#include <cmath>

namespace minigrpc::rpc {

void OutlierDetection::step(TimePoint now, const std::map<std::string, CallTally>& tallies, const Random& random) {
  count(tallies);
  if (options_.success_rate) eject_by_success_rate(now, random);
  if (options_.failure_percentage) eject_by_failure_percentage(now, random);
  readmit(now);
}

bool OutlierDetection::is_ejected(const std::string& address) const {
  const auto host = hosts_.find(address);
  return host != hosts_.end() && host->second.ejected_at.has_value();
}

void OutlierDetection::count(const std::map<std::string, CallTally>& tallies) {
  std::erase_if(hosts_, [&](const auto& host) { return !tallies.contains(host.first); });
  for (const auto& [address, tally] : tallies) {
    Host& host = hosts_[address];
    // It went and came back meanwhile, and began to count anew.
    if (tally.succeeded < host.before.succeeded || tally.failed < host.before.failed) host.before = {};
    host.succeeded = tally.succeeded - host.before.succeeded;
    host.failed = tally.failed - host.before.failed;
    host.before = tally;
  }
}

std::vector<OutlierDetection::Host*> OutlierDetection::with_requests(int requests_min) {
  std::vector<Host*> found;
  for (auto& [address, host] : hosts_)
    if (host.requests() > 0 && host.requests() >= static_cast<std::uint64_t>(requests_min)) found.push_back(&host);
  return found;
}

void OutlierDetection::eject_by_success_rate(TimePoint now, const Random& random) {
  const std::vector<Host*> hosts = with_requests(options_.success_rate->requests_min);
  if (hosts.empty() || hosts.size() < static_cast<std::size_t>(options_.success_rate->hosts_min)) return;
  const auto rate = [](const Host& host) {
    return static_cast<double>(host.succeeded) / static_cast<double>(host.requests());
  };
  const auto size = static_cast<double>(hosts.size());
  double mean = 0;
  for (const Host* host : hosts) mean += rate(*host) / size;
  double variance = 0;
  for (const Host* host : hosts) variance += (rate(*host) - mean) * (rate(*host) - mean) / size;
  const double rate_min = mean - std::sqrt(variance) * options_.success_rate->stdev_factor_milli / 1000;
  for (Host* host : hosts)
    if (rate(*host) < rate_min) eject(*host, options_.success_rate->enforcement_percent, now, random);
}

void OutlierDetection::eject_by_failure_percentage(TimePoint now, const Random& random) {
  const std::vector<Host*> hosts = with_requests(options_.failure_percentage->requests_min);
  if (hosts.size() < static_cast<std::size_t>(options_.failure_percentage->hosts_min)) return;
  for (Host* host : hosts) {
    const double percentage = 100 * static_cast<double>(host->failed) / static_cast<double>(host->requests());
    if (percentage > options_.failure_percentage->threshold_percent)
      eject(*host, options_.failure_percentage->enforcement_percent, now, random);
  }
}

bool OutlierDetection::may_eject_more() const {
  const auto ejected =
      std::count_if(hosts_.begin(), hosts_.end(), [](const auto& host) { return host.second.ejected_at.has_value(); });
  return 100 * static_cast<std::uint64_t>(ejected) <
         hosts_.size() * static_cast<std::uint64_t>(options_.ejected_percent_max);
}

void OutlierDetection::eject(Host& host, int enforcement_percent, TimePoint now, const Random& random) {
  if (host.ejected_at || !may_eject_more() || random() * 100 >= enforcement_percent) return;
  host.ejected_at = now;
  ++host.ejections;
}

void OutlierDetection::readmit(TimePoint now) {
  for (auto& [address, host] : hosts_) {
    if (!host.ejected_at) {
      host.ejections = std::max(host.ejections - 1, 0);
      continue;
    }
    const auto bound = std::max(options_.base_ejection_time, options_.ejection_time_max);
    // In floating point: the product may be more than fits.
    const double wanted = static_cast<double>(options_.base_ejection_time.count()) * host.ejections;
    const auto time = wanted >= static_cast<double>(bound.count()) ? bound : options_.base_ejection_time * host.ejections;
    if (now - *host.ejected_at >= time) host.ejected_at.reset();
  }
}

}  // namespace minigrpc::rpc
