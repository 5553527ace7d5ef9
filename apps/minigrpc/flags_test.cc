#include "flags.h"

#include <gtest/gtest.h>

namespace minigrpc::cli {
namespace {

using namespace std::chrono_literals;
using std::chrono::nanoseconds;

TEST(Duration, ReadsWhatGoReads) {
  struct Case {
    std::string_view text;
    std::optional<nanoseconds> duration;
  };
  const Case cases[] = {
      {"5s", 5s},
      {"250ms", 250ms},
      {"1m30s", 90s},
      {"1.5h", 90min},
      {"2us", 2us},
      {"2µs", 2us},
      {"7ns", 7ns},
      {"0", 0s},
      {"3", 3s},
      {"-2s", -2s},
      {"", std::nullopt},
      {"s", std::nullopt},
      {"5", 5s},
      {"5x", std::nullopt},
      {"1m2", std::nullopt},
      {"--1s", std::nullopt},
      {"9999999999h", std::nullopt},
      {"5ss", std::nullopt},
      {"1ms3", std::nullopt},
      {"5 s", std::nullopt},
      {"-", std::nullopt},
  };
  for (const Case& c : cases) EXPECT_EQ(parse_duration(c.text), c.duration) << c.text;
}

TEST(Duration, IsWrittenAsGoWritesIt) {
  EXPECT_EQ(format_duration(0s), "0s");
  EXPECT_EQ(format_duration(7ns), "7ns");
  EXPECT_EQ(format_duration(1500ns), "1.5µs");
  EXPECT_EQ(format_duration(2072130ns), "2.07213ms");
  EXPECT_EQ(format_duration(5000568771ns), "5.000568771s");
  EXPECT_EQ(format_duration(90s), "1m30s");
  EXPECT_EQ(format_duration(1h), "1h0m0s");
  EXPECT_EQ(format_duration(-2s), "-2s");
}

struct Options {
  bool prefix = false;
  std::int64_t limit = 7;
  std::string order;
  nanoseconds timeout = 5s;
  std::vector<std::string> headers;
  std::vector<std::string> endpoints{"a"};
};

TEST(SetFlag, ConvertsToTheTypeOfItsTarget) {
  Options options;
  FlagSet flags;
  flags.add("prefix", &options.prefix, "");
  flags.add("limit", &options.limit, "");
  flags.add("order", &options.order, "");
  flags.add("timeout", &options.timeout, "");
  EXPECT_EQ(flags.find("limit")->default_text, "7");
  EXPECT_EQ(flags.find("timeout")->default_text, "5s");
  EXPECT_EQ(flags.find("nothing"), nullptr);

  EXPECT_TRUE(set_flag(*flags.find("prefix"), "true").ok());
  EXPECT_TRUE(set_flag(*flags.find("limit"), "-3").ok());
  EXPECT_TRUE(set_flag(*flags.find("order"), "").ok());
  EXPECT_TRUE(set_flag(*flags.find("timeout"), "1m").ok());
  EXPECT_TRUE(options.prefix);
  EXPECT_EQ(options.limit, -3);
  EXPECT_EQ(options.timeout, 60s);
  EXPECT_TRUE(flags.find("order")->given);

  const Status status = set_flag(*flags.find("limit"), "3x");
  EXPECT_EQ(status.message(), "invalid argument \"3x\" for \"--limit\" flag");
  EXPECT_EQ(options.limit, -3);
  EXPECT_FALSE(set_flag(*flags.find("limit"), "99999999999999999999").ok());
  EXPECT_FALSE(set_flag(*flags.find("prefix"), "maybe").ok());
}

TEST(SetFlag, ListsReplaceTheirDefaultAndThenGrow) {
  Options options;
  FlagSet flags;
  flags.add("header", &options.headers, "", 'H');
  flags.add("endpoints", CommaList{&options.endpoints}, "");
  EXPECT_EQ(flags.find_letter('H')->name, "header");
  EXPECT_EQ(flags.find_letter(0), nullptr);
  ASSERT_TRUE(set_flag(*flags.find("header"), "a: 1, 2").ok());
  ASSERT_TRUE(set_flag(*flags.find("header"), "b: 3").ok());
  ASSERT_TRUE(set_flag(*flags.find("endpoints"), "h1:1,h2:2,").ok());
  ASSERT_TRUE(set_flag(*flags.find("endpoints"), "h3:3").ok());
  EXPECT_EQ(options.headers, (std::vector<std::string>{"a: 1, 2", "b: 3"}));
  EXPECT_EQ(options.endpoints, (std::vector<std::string>{"h1:1", "h2:2", "h3:3"}));
}

TEST(Closest, GuessesWithinTwoTypingErrors) {
  const std::vector<std::string_view> known{"get", "put", "watch", "services"};
  EXPECT_EQ(closest("gett", known), "get");
  EXPECT_EQ(closest("wacth", known), "watch");
  EXPECT_EQ(closest("service", known), "services");
  EXPECT_EQ(closest("frobnicate", known), "");
  EXPECT_EQ(closest("xyz", known), "");
}

}  // namespace
}  // namespace minigrpc::cli
