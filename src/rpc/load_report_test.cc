#include "rpc/load_report.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <string>

namespace minigrpc::rpc {
namespace {

using namespace std::string_literals;

std::string number(int field, double value) {
  std::string bytes(1, static_cast<char>(field << 3 | 1));
  for (int i = 0; i < 8; ++i) bytes += static_cast<char>(std::bit_cast<std::uint64_t>(value) >> (8 * i));
  return bytes;
}

TEST(LoadReport, ReadsWhatItKnows) {
  const auto report = parse_load_report(number(1, 0.5) + number(2, 0.25) + number(6, 1000) + number(7, 10) + number(9, 0.75));
  ASSERT_TRUE(report);
  EXPECT_EQ(report->cpu_utilization, 0.5);
  EXPECT_EQ(report->memory_utilization, 0.25);
  EXPECT_EQ(report->requests_per_second, 1000);
  EXPECT_EQ(report->errors_per_second, 10);
  EXPECT_EQ(report->application_utilization, 0.75);
  EXPECT_TRUE(parse_load_report(""));
}

TEST(LoadReport, PassesOverTheRest) {
  // rps as an integer, a string that is unknown, a fixed32, a number that is a string where a double belongs.
  const auto report = parse_load_report("\x18\xac\x02"s +
                                        "\x52\x03"
                                        "abc"s +
                                        "\x7d"
                                        "1234"s +
                                        "\x0a\x01"
                                        "x"s +
                                        number(9, 0.5));
  ASSERT_TRUE(report);
  EXPECT_EQ(report->application_utilization, 0.5);
  EXPECT_EQ(report->cpu_utilization, 0);
}

TEST(LoadReport, NumbersThatMakeNoSenseAreNotSaid) {
  for (const double value : {-1.0, std::nan(""), HUGE_VAL, -HUGE_VAL}) {
    const auto report = parse_load_report(number(9, value));
    ASSERT_TRUE(report);
    EXPECT_EQ(report->application_utilization, 0) << value;
  }
}

TEST(LoadReport, WhatIsCutOffOrNoMessageIsRefused) {
  const std::string whole = number(9, 0.5) +
                            "\x52\x03"
                            "abc"s;
  for (std::size_t size = 0; size <= whole.size(); ++size) {
    const bool at_a_field = size == 0 || size == 9 || size == whole.size();
    EXPECT_EQ(parse_load_report(whole.substr(0, size)).has_value(), at_a_field) << size;
  }
  for (const std::string& bad : {"\x00"s, "\x0b"s, "\xff"s, std::string(20, '\xff'), "\x22\xff\xff\xff\xff\x0f"s})
    EXPECT_FALSE(parse_load_report(bad));
}

TEST(LoadReport, ComesBackAsItWasWritten) {
  const LoadReport report{.application_utilization = 1.5,
                          .cpu_utilization = 0.5,
                          .memory_utilization = 0.25,
                          .requests_per_second = 1000,
                          .errors_per_second = 10,
                          .utilization = {{"disk", 0.75}, {"", 1}},
                          .request_cost = {{"rows", 4711}},
                          .named_metrics = {{std::string(300, 'n'), 0.125}}};
  const auto read = parse_load_report(serialize_load_report(report));
  ASSERT_TRUE(read);
  EXPECT_EQ(read->application_utilization, 1.5);
  EXPECT_EQ(read->cpu_utilization, 0.5);
  EXPECT_EQ(read->memory_utilization, 0.25);
  EXPECT_EQ(read->requests_per_second, 1000);
  EXPECT_EQ(read->errors_per_second, 10);
  EXPECT_EQ(read->utilization, report.utilization);
  EXPECT_EQ(read->request_cost, report.request_cost);
  EXPECT_EQ(read->named_metrics, report.named_metrics);
  EXPECT_EQ(serialize_load_report(LoadReport{}), "");
}

TEST(LoadReport, ANamedNumberThatIsNoneIsRefused) {
  const auto with_entry = [](const std::string& entry) {
    return parse_load_report("\x2a"s + static_cast<char>(entry.size()) + entry);
  };
  const auto report = with_entry(
      "\x0a\x04"
      "disk" +
      number(2, -1));
  ASSERT_TRUE(report);
  EXPECT_EQ(report->utilization, (LoadReport::Numbers{{"disk", 0}}));
  EXPECT_FALSE(
      with_entry("\x0a\x05"
                 "disk"));
  EXPECT_FALSE(
      with_entry("\x11"
                 "1234"));
}

TEST(LoadReport, ARequestHasItsPeriod) {
  EXPECT_EQ(serialize_load_request(std::chrono::milliseconds(300'500)),
            "\x0a\x09\x08\xac\x02\x10\x80\xca\xb5\xee\x01"s);
}

}  // namespace
}  // namespace minigrpc::rpc
