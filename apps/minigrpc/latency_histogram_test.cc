#include "latency_histogram.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>

namespace minigrpc::cli {
namespace {

using std::chrono::nanoseconds;

TEST(LatencyHistogram, IsZeroWhileEmpty) {
  const LatencyHistogram histogram;
  EXPECT_EQ(histogram.count(), 0u);
  EXPECT_EQ(histogram.min(), nanoseconds(0));
  EXPECT_EQ(histogram.max(), nanoseconds(0));
  EXPECT_EQ(histogram.mean(), nanoseconds(0));
  EXPECT_EQ(histogram.percentile(0.99), nanoseconds(0));
  EXPECT_TRUE(histogram.rows(10).empty());
}

TEST(LatencyHistogram, SmallValuesAreExact) {
  LatencyHistogram histogram;
  for (int i = 1; i <= 100; ++i) histogram.record(nanoseconds(i));
  EXPECT_EQ(histogram.percentile(0), nanoseconds(1));
  EXPECT_EQ(histogram.percentile(0.5), nanoseconds(50));
  EXPECT_EQ(histogram.percentile(0.99), nanoseconds(99));
  EXPECT_EQ(histogram.percentile(1), nanoseconds(100));
  EXPECT_EQ(histogram.min(), nanoseconds(1));
  EXPECT_EQ(histogram.mean(), nanoseconds(51));  // 50.5
}

// Against sorted values, over all magnitudes.
TEST(LatencyHistogram, PercentilesAreWithinThePromise) {
  std::mt19937_64 random(20261122);
  std::uniform_real_distribution<double> exponent(0, 12);
  std::vector<std::int64_t> values;
  LatencyHistogram whole;
  LatencyHistogram half[2];
  double sum = 0;
  for (int i = 0; i < 20000; ++i) {
    values.push_back(static_cast<std::int64_t>(std::pow(10, exponent(random))));
    sum += static_cast<double>(values.back());
    whole.record(nanoseconds(values.back()));
    half[i % 2].record(nanoseconds(values.back()));
  }
  half[0].merge(half[1]);
  std::ranges::sort(values);
  EXPECT_EQ(whole.min(), nanoseconds(values.front()));
  EXPECT_EQ(whole.max(), nanoseconds(values.back()));
  EXPECT_NEAR(static_cast<double>(whole.mean().count()), sum / 20000, 1);
  for (const double share : {0.001, 0.1, 0.5, 0.9, 0.99, 0.999, 1.0}) {
    const double exact = static_cast<double>(values[static_cast<std::size_t>(std::ceil(share * 20000)) - 1]);
    const double found = static_cast<double>(whole.percentile(share).count());
    EXPECT_GE(found, exact);
    EXPECT_LE(found, exact * 1.008 + 1) << share;
    EXPECT_EQ(half[0].percentile(share), whole.percentile(share));
  }
}

TEST(LatencyHistogram, RowsHaveAllValuesUpToTheGreatest) {
  LatencyHistogram histogram;
  for (int i = 1; i <= 1000; ++i) histogram.record(std::chrono::microseconds(i));
  const auto rows = histogram.rows(8);
  ASSERT_EQ(rows.size(), 8u);
  std::uint64_t count = 0;
  for (const auto& row : rows) count += row.count;
  EXPECT_EQ(count, 1000u);
  EXPECT_EQ(rows.back().up_to, std::chrono::milliseconds(1));
  LatencyHistogram one;
  one.record(nanoseconds(7));
  EXPECT_EQ(one.rows(3).back().up_to, nanoseconds(7));
}

TEST(LatencyHistogram, SpreadIsKnown) {
  LatencyHistogram histogram;
  for (const int value : {2, 4, 4, 4, 5, 5, 7, 9}) histogram.record(nanoseconds(value));
  EXPECT_EQ(histogram.standard_deviation(), nanoseconds(2));
}

}  // namespace
}  // namespace minigrpc::cli
