// LoadStats: what came of the calls of a load.
//
// Value type. Thread rule: like a standard container.
#pragma once

#include <minigrpc/status.h>

#include <array>
#include <chrono>
#include <cstdint>
#include <string>

#include "latency_histogram.h"

namespace minigrpc::cli {

struct LoadStats {
  static constexpr std::size_t kCodeCount = 17;

  // Of the calls that succeeded, and of those that ran out of time. In an open loop from when they were due.
  LatencyHistogram latencies{};
  std::array<std::uint64_t, kCodeCount> ended{};   // by status code
  std::array<std::string, kCodeCount> examples{};  // the first message of each failure
  std::uint64_t messages_sent = 0;
  std::uint64_t messages_received = 0;
  std::uint64_t bytes_sent = 0;
  std::uint64_t bytes_received = 0;
  // Open loop: due, but not begun when time was over.
  std::uint64_t never_begun = 0;

  void record(const Status& status, std::chrono::nanoseconds latency);
  void merge(const LoadStats& other);
  std::uint64_t ended_count() const;
  std::uint64_t failed_count() const { return ended_count() - ended[0]; }
};

}  // namespace minigrpc::cli
