#include "text.h"

#include <gtest/gtest.h>

namespace minigrpc::cli {
namespace {

using namespace std::string_view_literals;

TEST(Text, Hexadecimal) {
  EXPECT_EQ(hexadecimal(0), "0");
  EXPECT_EQ(hexadecimal(0xac7c97ef0ec193b0), "ac7c97ef0ec193b0");
  EXPECT_EQ(hexadecimal(0x1234, 16), "0000000000001234");
  EXPECT_EQ(hex_bytes("ab\xff"), "\\x61\\x62\\xff");
}

TEST(Text, GoQuoted) {
  struct Case {
    std::string_view bytes;
    std::string_view quoted;
  };
  const Case cases[] = {
      {"", R"("")"},
      {"hello", R"("hello")"},
      {"a\nb\t\"\\", R"("a\nb\t\"\\")"},
      {"\0\x1f\x7f"sv, R"("\x00\x1f\x7f")"},
      {"é世😀", R"("é世😀")"},
      {"\xff\xc3", R"("\xff\xc3")"},
      {"\xc0\x80", R"("\xc0\x80")"},
      {"\u00a0\u200b", R"("\u00a0\u200b")"},
      {"\xed\xa0\x80", R"("\xed\xa0\x80")"},
  };
  for (const Case& c : cases) EXPECT_EQ(go_quoted(c.bytes), c.quoted);
}

TEST(Text, JsonQuoted) {
  EXPECT_EQ(json_quoted("a\"\\\n\x01<é>&"), R"("a\"\\\n\u0001\u003cé\u003e\u0026")");
  EXPECT_EQ(json_quoted("\xff"), R"("\ufffd")");
}

TEST(Text, Base64) {
  EXPECT_EQ(base64(""), "");
  EXPECT_EQ(base64("a"), "YQ==");
  EXPECT_EQ(base64("ab"), "YWI=");
  EXPECT_EQ(base64("abc"), "YWJj");
  EXPECT_EQ(base64("\xff\xfe\xfd\xfc"), "//79/A==");
}

TEST(Text, HumanSize) {
  EXPECT_EQ(human_size(0), "0 B");
  EXPECT_EQ(human_size(9), "9 B");
  EXPECT_EQ(human_size(999), "999 B");
  EXPECT_EQ(human_size(1000), "1.0 kB");
  EXPECT_EQ(human_size(24576), "25 kB");
  EXPECT_EQ(human_size(1126400), "1.1 MB");
  EXPECT_EQ(human_size(2'147'483'648), "2.1 GB");
}

TEST(Text, DrawnTable) {
  EXPECT_EQ(drawn_table({"endpoint", "Name", "took"},
                        {{"127.0.0.1:23790", "default", "2ms"}, {"x", "y", "10.5µs"}}),
            "+-----------------+---------+--------+\n"
            "|    ENDPOINT     |  NAME   |  TOOK  |\n"
            "+-----------------+---------+--------+\n"
            "| 127.0.0.1:23790 | default |    2ms |\n"
            "|               x |       y | 10.5µs |\n"
            "+-----------------+---------+--------+\n");
}

TEST(Text, AlignedColumns) {
  EXPECT_EQ(aligned_columns({"NAME", "AT"}, {{"ProdService", "10.0.0.1:5051"}, {"x", "y"}}),
            "NAME         AT\nProdService  10.0.0.1:5051\nx            y\n");
}

}  // namespace
}  // namespace minigrpc::cli
