#include "data_template.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace minigrpc::cli {
namespace {

using ::testing::HasSubstr;
using ::testing::MatchesRegex;

std::string filled(std::string_view text, std::mt19937_64& random) {
  const Result<DataTemplate> parsed = DataTemplate::parse(text);
  if (!parsed) return parsed.error().message();
  return parsed->fill({.number = 7, .worker = 3, .time_ms = 1234}, random);
}

TEST(DataTemplate, FillsItsPlaces) {
  std::mt19937_64 random(1);
  EXPECT_EQ(filled("", random), "");
  EXPECT_EQ(filled("{\"a\": {\"b\": 1}}", random), "{\"a\": {\"b\": 1}}");
  EXPECT_EQ(filled("{{n}}", random), "7");
  EXPECT_EQ(filled("{\"id\": {{ n }}, \"w\": {{worker}}, \"t\": {{time}}}", random),
            "{\"id\": 7, \"w\": 3, \"t\": 1234}");
  EXPECT_THAT(filled("{{string 5}}", random), MatchesRegex("[a-z]{5}"));
  EXPECT_EQ(filled("{{string 0}}", random), "");
  EXPECT_THAT(filled("{{uuid}}", random),
              MatchesRegex("[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"));
  bool low = false;
  bool high = false;
  for (int i = 0; i < 1000; ++i) {
    const int value = std::stoi(filled("{{random -2 2}}", random));
    EXPECT_GE(value, -2);
    EXPECT_LE(value, 2);
    low = low || value == -2;
    high = high || value == 2;
  }
  EXPECT_TRUE(low && high);
}

TEST(DataTemplate, KnowsWhetherRequestsDiffer) {
  EXPECT_TRUE(DataTemplate::parse("")->constant());
  EXPECT_TRUE(DataTemplate::parse("{\"a\":1}")->constant());
  EXPECT_FALSE(DataTemplate::parse("{{n}}")->constant());
  EXPECT_FALSE(DataTemplate::parse("{\"a\":{{n}}}")->constant());
}

TEST(DataTemplate, RefusesWhatIsNoPlace) {
  std::mt19937_64 random(1);
  for (const std::string_view text : {"{{x}}", "{{}}", "{{random 1}}", "{{random 2 1}}", "{{random a b}}",
                                      "{{string -1}}", "{{string 99999999999}}", "{{n 1}}"})
    EXPECT_THAT(filled(text, random), HasSubstr("is no place")) << text;
  EXPECT_THAT(filled("{\"a\": {{n}", random), HasSubstr("not closed"));
}

}  // namespace
}  // namespace minigrpc::cli
