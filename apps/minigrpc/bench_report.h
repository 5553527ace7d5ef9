// What bench tells: while it runs, and in the end, as text or JSON.
//
// Pure functions. Thread rule: any thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "load_stats.h"

namespace minigrpc::cli {

struct BenchSetting {
  std::string target{};
  std::string method{};
  std::string kind{};  // "unary", "server streaming" …
  std::int64_t connection_count = 1;
  std::int64_t stream_count = 1;
  std::int64_t thread_count = 1;
  double rate = 0;  // 0: closed loop
};

struct BenchOutcome {
  LoadStats stats{};
  std::chrono::nanoseconds took{};
  std::chrono::nanoseconds processor_time{};  // ours, of all threads
  bool interrupted = false;
};

std::string bench_text(const BenchSetting& setting, const BenchOutcome& outcome);
// One object on one line.
std::string bench_json(const BenchSetting& setting, const BenchOutcome& outcome);
// One line, without its end: "  4 s  118,203 calls/s  p50 0.41 ms  p99 0.93 ms".
std::string bench_progress(const LoadStats& stats, std::chrono::nanoseconds elapsed);

}  // namespace minigrpc::cli
