#include "wire/percent.h"

#include <gtest/gtest.h>

namespace minigrpc::wire {
namespace {

struct Row {
  std::string_view text;
  std::string_view encoded;
};

constexpr Row kRows[] = {
    {"", ""},
    {"no such product", "no such product"},
    {"100%", "100%25"},
    {" ends ", "%20ends%20"},
    {" ", "%20"},
    {"  ", "%20%20"},
    {"   ", "%20 %20"},
    {"\t and \r\n", "%09 and %0D%0A"},
    {"caf\xc3\xa9", "caf%C3%A9"},
    {"\xe4\xbd\xa0\xe5\xa5\xbd", "%E4%BD%A0%E5%A5%BD"},
    {"~\x7f", "~%7F"},
    {std::string_view("a\0b", 3), "a%00b"},
    {"\xff\xfe", "%FF%FE"},
    {"%41", "%2541"},
};

TEST(Percent, EncodesAndDecodes) {
  for (const Row& row : kRows) {
    EXPECT_EQ(percent_encode(row.text), row.encoded);
    EXPECT_EQ(percent_decode(row.encoded), row.text);
    EXPECT_EQ(is_percent_plain(row.text), row.text == row.encoded) << row.text;
  }
}

TEST(Percent, EveryByteSurvives) {
  std::string all;
  for (int byte = 0; byte < 256; ++byte) all.push_back(static_cast<char>(byte));
  const std::string encoded = percent_encode(all);
  EXPECT_EQ(encoded.size(), 94u + 3 * 162);  // 95 printable characters without '%'
  for (char c : encoded) EXPECT_TRUE(c >= 0x20 && c <= 0x7e);
  EXPECT_EQ(percent_decode(encoded), all);
}

TEST(Percent, DecodingIsLenient) {
  const Row rows[] = {
      {"%", "%"},       {"%4", "%4"},   {"%zz", "%zz"},
      {"%4g", "%4g"},   {"%%41", "%A"}, {"a%c3%a9", "a\xc3\xa9"},
      {"%%", "%%"},     {"%-1", "%-1"}, {"raw \xc3\xa9", "raw \xc3\xa9"},
      {"%41%4", "A%4"},
  };
  for (const Row& row : rows) EXPECT_EQ(percent_decode(row.text), row.encoded) << row.text;
}

}  // namespace
}  // namespace minigrpc::wire
