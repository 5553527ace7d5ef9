#include "latency_histogram.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace minigrpc::cli {

namespace {

// Each power of two is cut into this many buckets; values below twice that have one each.
constexpr unsigned kDivisionBits = 7;
constexpr std::uint64_t kDivisions = 1u << kDivisionBits;
constexpr std::size_t kBucketCount = (64 - kDivisionBits + 1) * kDivisions;

std::size_t bucket_of(std::uint64_t value) {
  if (value < 2 * kDivisions) return value;
  const unsigned shift = static_cast<unsigned>(std::bit_width(value)) - kDivisionBits - 1;
  return shift * kDivisions + (value >> shift);
}

// The greatest value in a bucket.
std::uint64_t upper_bound_of(std::size_t bucket) {
  if (bucket < 2 * kDivisions) return bucket;
  const std::size_t shift = bucket / kDivisions - 1;
  return ((bucket - shift * kDivisions + 1) << shift) - 1;
}

std::chrono::nanoseconds rounded(double value_ns) {
  return std::chrono::nanoseconds(std::llround(value_ns));
}

}  // namespace

LatencyHistogram::LatencyHistogram() : buckets_(kBucketCount) {}

void LatencyHistogram::record(std::chrono::nanoseconds latency) {
  const std::uint64_t value = static_cast<std::uint64_t>(std::max<std::int64_t>(latency.count(), 0));
  ++buckets_[bucket_of(value)];
  ++count_;
  min_ = std::min(min_, value);
  max_ = std::max(max_, value);
  const double number = static_cast<double>(value);
  sum_ += number;
  sum_of_squares_ += number * number;
}

void LatencyHistogram::merge(const LatencyHistogram& other) {
  for (std::size_t i = 0; i < kBucketCount; ++i) buckets_[i] += other.buckets_[i];
  count_ += other.count_;
  min_ = std::min(min_, other.min_);
  max_ = std::max(max_, other.max_);
  sum_ += other.sum_;
  sum_of_squares_ += other.sum_of_squares_;
}

std::chrono::nanoseconds LatencyHistogram::min() const {
  return std::chrono::nanoseconds(count_ == 0 ? 0 : min_);
}

std::chrono::nanoseconds LatencyHistogram::mean() const {
  return rounded(count_ == 0 ? 0 : sum_ / static_cast<double>(count_));
}

std::chrono::nanoseconds LatencyHistogram::standard_deviation() const {
  if (count_ == 0) return {};
  const double mean = sum_ / static_cast<double>(count_);
  return rounded(std::sqrt(std::max(0.0, sum_of_squares_ / static_cast<double>(count_) - mean * mean)));
}

std::chrono::nanoseconds LatencyHistogram::percentile(double share) const {
  if (count_ == 0) return {};
  const double exact = std::ceil(share * static_cast<double>(count_));
  const std::uint64_t rank = std::clamp<std::uint64_t>(static_cast<std::uint64_t>(exact), 1, count_);
  std::uint64_t seen = 0;
  for (std::size_t i = 0; i < kBucketCount; ++i) {
    seen += buckets_[i];
    if (seen >= rank) return std::chrono::nanoseconds(std::clamp(upper_bound_of(i), min_, max_));
  }
  return max();
}

std::vector<LatencyHistogram::Row> LatencyHistogram::rows(std::size_t row_count_max) const {
  std::vector<Row> rows;
  if (count_ == 0 || row_count_max == 0) return rows;
  const double low = static_cast<double>(std::max<std::uint64_t>(min_, 1));
  const double high = std::max(static_cast<double>(max_), low);
  const double factor = std::pow(high / low, 1.0 / static_cast<double>(row_count_max));
  for (std::size_t i = 1; i <= row_count_max; ++i)
    rows.push_back({rounded(i == row_count_max ? high : low * std::pow(factor, static_cast<double>(i))), 0});
  std::size_t row = 0;
  for (std::size_t i = 0; i < kBucketCount; ++i) {
    if (buckets_[i] == 0) continue;
    const std::uint64_t value = std::min(upper_bound_of(i), max_);
    while (row + 1 < rows.size() && static_cast<std::uint64_t>(rows[row].up_to.count()) < value) ++row;
    rows[row].count += buckets_[i];
  }
  return rows;
}

}  // namespace minigrpc::cli
