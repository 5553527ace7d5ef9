#include "rpc/outlier_detection.h"

#include <gtest/gtest.h>

namespace minigrpc::rpc {
namespace {

using namespace std::chrono_literals;

class OutlierTest : public testing::Test {
 protected:
  // Each host's calls of one interval, as successes and failures; then the end of the interval.
  void interval(const std::vector<std::pair<int, int>>& calls, double random = 0) {
    for (std::size_t i = 0; i < calls.size(); ++i) {
      CallTally& tally = tallies_[std::string(1, static_cast<char>('a' + i))];
      tally.succeeded += static_cast<std::uint64_t>(calls[i].first);
      tally.failed += static_cast<std::uint64_t>(calls[i].second);
    }
    now_ += 10s;
    detection_->step(now_, tallies_, [random] { return random; });
  }
  std::string ejected() const {
    std::string names;
    for (const auto& [name, tally] : tallies_)
      if (detection_->is_ejected(name)) names += name;
    return names;
  }
  void use(const OutlierOptions& options) { detection_.emplace(options); }

  std::optional<OutlierDetection> detection_;
  std::map<std::string, CallTally> tallies_;
  TimePoint now_{};
};

OutlierOptions by_failures(FailurePercentageEjection options) {
  OutlierOptions all;
  all.ejected_percent_max = 50;
  all.failure_percentage = options;
  return all;
}

TEST_F(OutlierTest, WhoFailsTooMuchIsEjected) {
  use(by_failures({.threshold_percent = 50, .hosts_min = 3, .requests_min = 10}));
  interval({{100, 0}, {50, 50}, {49, 51}});
  EXPECT_EQ(ejected(), "c") << "more than the threshold, not as much";
}

TEST_F(OutlierTest, FewCallsOrFewHostsTellNothing) {
  use(by_failures({.threshold_percent = 50, .hosts_min = 3, .requests_min = 10}));
  interval({{100, 0}, {100, 0}, {0, 9}});
  EXPECT_EQ(ejected(), "");
  interval({{100, 0}, {0, 9}, {0, 100}});
  EXPECT_EQ(ejected(), "") << "two hosts with enough calls";
}

TEST_F(OutlierTest, EachIntervalCountsForItself) {
  use(by_failures({.threshold_percent = 50, .hosts_min = 1, .requests_min = 10}));
  interval({{0, 5}, {10, 0}});
  interval({{0, 5}, {10, 0}});
  EXPECT_EQ(ejected(), "") << "5 and 5 are not 10 in an interval";
}

TEST_F(OutlierTest, NoMoreThanAPartIsEjected) {
  auto options = by_failures({.threshold_percent = 50, .hosts_min = 1, .requests_min = 1});
  use(options);
  interval({{0, 9}, {0, 9}, {0, 9}, {0, 9}});
  EXPECT_EQ(ejected(), "ab");
  options.ejected_percent_max = 10;
  use(options);
  interval({{0, 9}, {0, 9}, {0, 9}, {0, 9}});
  EXPECT_EQ(ejected(), "a") << "one at least";
  options.ejected_percent_max = 0;
  use(options);
  interval({{0, 9}, {0, 9}, {0, 9}, {0, 9}});
  EXPECT_EQ(ejected(), "");
}

TEST_F(OutlierTest, EnforcementIsALottery) {
  use(by_failures({.threshold_percent = 50, .enforcement_percent = 30, .hosts_min = 1, .requests_min = 1}));
  interval({{0, 9}, {9, 0}}, 0.31);
  EXPECT_EQ(ejected(), "");
  interval({{0, 9}, {9, 0}}, 0.29);
  EXPECT_EQ(ejected(), "a");
}

TEST_F(OutlierTest, WhoStandsOutIsEjected) {
  OutlierOptions options;
  options.ejected_percent_max = 50;
  options.success_rate = SuccessRateEjection{};
  use(options);
  interval({{100, 0}, {100, 0}, {99, 1}, {100, 0}, {60, 40}});
  EXPECT_EQ(ejected(), "e");
}

TEST_F(OutlierTest, WhereAllFailAlikeNobodyStandsOut) {
  OutlierOptions options;
  options.success_rate = SuccessRateEjection{};
  use(options);
  interval({{50, 50}, {50, 50}, {50, 50}, {50, 50}, {50, 50}});
  EXPECT_EQ(ejected(), "");
}

TEST_F(OutlierTest, TheTimeOutGrowsWithEachTimeAndShrinksWithGoodConduct) {
  auto options = by_failures({.threshold_percent = 50, .hosts_min = 1, .requests_min = 1});
  options.base_ejection_time = 20s;
  options.ejection_time_max = 50s;
  use(options);
  const auto intervals_out = [&] {
    interval({{0, 9}, {9, 0}});
    int count = 0;
    for (; ejected() == "a"; ++count) interval({{0, 0}, {9, 0}});
    return count;
  };
  EXPECT_EQ(intervals_out(), 2);
  EXPECT_EQ(intervals_out(), 4);
  EXPECT_EQ(intervals_out(), 5) << "at most 50 s";
  for (int i = 0; i < 10; ++i) interval({{9, 0}, {9, 0}});
  EXPECT_EQ(intervals_out(), 2);
}

TEST_F(OutlierTest, WhatWasBeforeDoesNotCount) {
  use(by_failures({.threshold_percent = 50, .hosts_min = 1, .requests_min = 1}));
  tallies_["a"].failed = 1000;
  detection_->begin(tallies_);
  interval({{9, 0}, {9, 0}});
  EXPECT_EQ(ejected(), "");
}

TEST_F(OutlierTest, AHostThatCameBackBeginsAnew) {
  use(by_failures({.threshold_percent = 50, .hosts_min = 1, .requests_min = 10}));
  interval({{100, 0}, {9, 0}});
  tallies_["a"] = {};
  interval({{0, 10}, {9, 0}});
  EXPECT_EQ(ejected(), "a");
}

}  // namespace
}  // namespace minigrpc::rpc
