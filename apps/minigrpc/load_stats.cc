#include "load_stats.h"

#include <numeric>

namespace minigrpc::cli {

void LoadStats::record(const Status& status, std::chrono::nanoseconds latency) {
  const std::size_t code = static_cast<std::size_t>(status.code());
  if (ended[code]++ == 0 && !status.ok()) examples[code] = status.message();
  if (status.ok() || status.code() == StatusCode::kDeadlineExceeded) latencies.record(latency);
}

void LoadStats::merge(const LoadStats& other) {
  latencies.merge(other.latencies);
  for (std::size_t code = 0; code < kCodeCount; ++code) {
    ended[code] += other.ended[code];
    if (examples[code].empty()) examples[code] = other.examples[code];
  }
  messages_sent += other.messages_sent;
  messages_received += other.messages_received;
  bytes_sent += other.bytes_sent;
  bytes_received += other.bytes_received;
  never_begun += other.never_begun;
}

std::uint64_t LoadStats::ended_count() const {
  return std::accumulate(ended.begin(), ended.end(), std::uint64_t{0});
}

}  // namespace minigrpc::cli
