#include "json_documents.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

namespace minigrpc::cli {
namespace {

using testing::ElementsAre;

// What comes out when the text arrives in pieces of that size; "!" for a failure.
std::vector<std::string> cut(std::string_view text, std::size_t piece_size) {
  JsonDocuments documents;
  std::vector<std::string> cut;
  const auto drain = [&] {
    while (true) {
      auto document = documents.next();
      if (!document) return cut.emplace_back("!"), false;
      if (!*document) return true;
      cut.push_back(**std::move(document));
    }
  };
  for (std::size_t i = 0; i < text.size(); i += piece_size) {
    documents.feed(text.substr(i, piece_size));
    if (!drain()) return cut;
  }
  documents.end();
  drain();
  return cut;
}

TEST(JsonDocuments, AreFoundWholeAndByteByByte) {
  struct Case {
    std::string_view text;
    std::vector<std::string> documents;
  };
  const Case cases[] = {
      {"", {}},
      {" \n\t ", {}},
      {"{}", {"{}"}},
      {"{\"a\":1}{\"a\":2}\n{\"a\":3}", {"{\"a\":1}", "{\"a\":2}", "{\"a\":3}"}},
      {" {\"a\":{\"b\":[1,{}]}} ", {"{\"a\":{\"b\":[1,{}]}}"}},
      {R"({"a":"}{\"\\"}{"b":"]"})", {R"({"a":"}{\"\\"})", R"({"b":"]"})"}},
      {"\"text\" \"1s\"", {"\"text\"", "\"1s\""}},
      {"1 true[2]null{}", {"1", "true", "[2]", "null", "{}"}},
      {"{\"a\":", {"!"}},
      {"{} \"a", {"{}", "!"}},
      {"}", {"!"}},
  };
  for (const Case& c : cases)
    for (const std::size_t piece_size : {std::size_t{1}, std::size_t{2}, std::size_t{3}, std::size_t{1000}})
      EXPECT_EQ(cut(c.text, piece_size), c.documents) << c.text << " in pieces of " << piece_size;
}

}  // namespace
}  // namespace minigrpc::cli
