// What a registry has done since it began, for /metrics and /debug/vars.
//
// Thread rule: any thread. Numbers that are read together may be of different moments.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>

namespace minigrpc::registry {

class Counter {
 public:
  void add(std::uint64_t more = 1) { value_.fetch_add(more, std::memory_order_relaxed); }
  std::uint64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::uint64_t> value_{0};
};

// How long something took, in etcd's buckets: from 1 ms on, each twice the one before.
class DurationHistogram {
 public:
  static constexpr std::size_t kBuckets = 14;
  // The upper bound of a bucket.
  static constexpr double seconds_of(std::size_t bucket) { return 0.001 * static_cast<double>(1u << bucket); }

  void add(std::chrono::nanoseconds duration) {
    const double seconds = std::chrono::duration<double>(duration).count();
    std::size_t bucket = 0;
    while (bucket < kBuckets && seconds > seconds_of(bucket)) ++bucket;
    counts_[bucket].add();
    sum_ns_.add(static_cast<std::uint64_t>(duration.count()));
  }
  // Not cumulative; that of index kBuckets took longer than any.
  std::uint64_t count(std::size_t bucket) const { return counts_[bucket].value(); }
  double sum_seconds() const { return static_cast<double>(sum_ns_.value()) / 1e9; }

 private:
  std::array<Counter, kBuckets + 1> counts_;
  Counter sum_ns_;
};

struct Counters {
  Counter ranges;
  Counter puts;
  Counter deletes;
  Counter txns;
  Counter leases_granted;
  Counter leases_revoked;
  Counter leases_renewed;
  Counter leases_expired;
  DurationHistogram commits;  // from the first request of a group commit to its place on the disk
};

}  // namespace minigrpc::registry
