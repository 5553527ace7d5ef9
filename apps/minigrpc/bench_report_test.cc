#include "bench_report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace minigrpc::cli {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;
using ::testing::Not;

BenchOutcome outcome() {
  BenchOutcome result{.took = 2s, .processor_time = 20ms};
  for (int i = 0; i < 9999; ++i) result.stats.record(Status(), 1ms);
  result.stats.record(Status(StatusCode::kDeadlineExceeded, "too late"), 250ms);
  result.stats.record(Status(StatusCode::kUnavailable, "nobody \"there\""), 1us);
  result.stats.record(Status(StatusCode::kUnavailable, "another"), 1us);
  result.stats.messages_sent = 10002;
  return result;
}

TEST(BenchReport, TellsAllAsText) {
  const std::string text = bench_text({.target = "a:1", .method = "S/M", .kind = "unary"}, outcome());
  for (const std::string_view part :
       {"S/M (unary)", "10,002, 5,001 a second", "p50     1.00 ms", "p99.9   1.00 ms", "max 250 ms",
        "OK  9,999", "DEADLINE_EXCEEDED  1  (too late)", "UNAVAILABLE  2  (nobody \"there\")",
        "2.00 us of ours"})
    EXPECT_THAT(text, HasSubstr(part));
  EXPECT_THAT(text, Not(HasSubstr("due")));
}

TEST(BenchReport, SaysWhenTheServerDoesNotKeepUp) {
  BenchOutcome late = outcome();
  late.stats.never_begun = 1234;
  EXPECT_THAT(bench_text({.rate = 5000}, late), HasSubstr("1,234 calls were due but not begun"));
  EXPECT_THAT(bench_text({.rate = 5000}, late), HasSubstr("5000 calls/s due"));
}

TEST(BenchReport, TellsAllAsJson) {
  const std::string json =
      bench_json({.target = "a:1", .method = "S/M", .kind = "unary", .rate = 10}, outcome());
  for (const std::string_view part :
       {R"("target":"a:1")", R"("rate":10.000)", R"("took_s":2.000000)",
        R"("calls":10002,"calls_per_s":5001.0,"failed":3)", R"("p99.99":1.0)", R"("max":250.000000)",
        R"("statuses":{"OK":9999,"DEADLINE_EXCEEDED":1,"UNAVAILABLE":2})",
        R"("UNAVAILABLE":"nobody \"there\"")", R"("processor_us_per_call":2.000)"})
    EXPECT_THAT(json, HasSubstr(part));
}

TEST(BenchReport, SurvivesNothing) {
  EXPECT_THAT(bench_text({}, {}), HasSubstr("0, 0.0 a second"));
  EXPECT_THAT(bench_json({}, {}), HasSubstr(R"("calls":0)"));
  EXPECT_EQ(bench_progress({}, 1s), "   1 s  0.0 calls/s  p50 0.0000 ms  p99 0.0000 ms");
}

TEST(LoadStats, AreMerged) {
  LoadStats a = outcome().stats;
  a.merge(outcome().stats);
  EXPECT_EQ(a.ended_count(), 20004u);
  EXPECT_EQ(a.failed_count(), 6u);
  // Calls that failed at once say nothing of how long calls take.
  EXPECT_EQ(a.latencies.count(), 20000u);
  EXPECT_EQ(a.messages_sent, 20004u);
}

}  // namespace
}  // namespace minigrpc::cli
