#include "wire/base64.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace minigrpc::wire {
namespace {

using testing::ElementsAre;
using testing::Optional;

TEST(Base64, EncodesWithoutPaddingAndReadsBoth) {
  struct Row {
    std::string_view bytes;
    std::string_view text;
    std::string_view padded;
  };
  // RFC 4648, 10, and the ends of the alphabet.
  const Row rows[] = {
      {"", "", ""},
      {"f", "Zg", "Zg=="},
      {"fo", "Zm8", "Zm8="},
      {"foo", "Zm9v", "Zm9v"},
      {"foob", "Zm9vYg", "Zm9vYg=="},
      {"fooba", "Zm9vYmE", "Zm9vYmE="},
      {"foobar", "Zm9vYmFy", "Zm9vYmFy"},
      {std::string_view("\0\0\0", 3), "AAAA", "AAAA"},
      {"\xff\xff\xff\xfb", "////+w", "////+w=="},
      {"\xfb\xef\xbe", "++++", "++++"},
  };
  for (const Row& row : rows) {
    EXPECT_EQ(base64_encode(row.bytes), row.text);
    EXPECT_EQ(base64_decode(row.text), row.bytes);
    EXPECT_EQ(base64_decode(row.padded), row.bytes);
  }
}

TEST(Base64, EveryByteInEveryPlaceSurvives) {
  for (int byte = 0; byte < 256; ++byte) {
    for (std::size_t length = 1; length < 8; ++length) {
      for (std::size_t place = 0; place < length; ++place) {
        std::string bytes(length, 'x');
        bytes[place] = static_cast<char>(byte);
        ASSERT_EQ(base64_decode(base64_encode(bytes)), bytes);
      }
    }
  }
}

TEST(Base64, RefusesGarbage) {
  for (std::string_view text :
       {"Z",      "Zg=",      "Zg===", "=",        "==",    "===",   "====",      "Z===", "Zm9v=",
        "Zm9v==", "Zm9v====", "Zm=v",  "Zg==Zg==", "Zh",    "Zm9",   "Zm9=",      "Zm-_", "Zm 8",
        " Zg",    "Zg ",      "Zg\n",  "Zm9v\xff", "Zm9vY", "Zg,Zg", "Z\xc3\xa9g"}) {
    EXPECT_EQ(base64_decode(text), std::nullopt) << '"' << text << '"';
  }
  EXPECT_EQ(base64_decode(std::string_view("Zm\0v", 4)), std::nullopt);
}

TEST(Base64, ReadsJoinedValues) {
  EXPECT_THAT(base64_decode_list("Zm9v"), Optional(ElementsAre("foo")));
  EXPECT_THAT(base64_decode_list("Zm9v,Zg"), Optional(ElementsAre("foo", "f")));
  EXPECT_THAT(base64_decode_list("Zg== , Zm8=\t,Zm9v"), Optional(ElementsAre("f", "fo", "foo")));
  EXPECT_THAT(base64_decode_list(""), Optional(ElementsAre("")));
  EXPECT_THAT(base64_decode_list("Zg,,"), Optional(ElementsAre("f", "", "")));
  EXPECT_EQ(base64_decode_list("Zg,!"), std::nullopt);
  EXPECT_EQ(base64_decode_list("Z g"), std::nullopt);
}

}  // namespace
}  // namespace minigrpc::wire
