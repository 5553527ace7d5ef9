#include "h2/http_rules.h"

#include <gtest/gtest.h>

#include <vector>

namespace minigrpc::h2 {
namespace {

using Fields = std::vector<HeaderView>;

BlockRules rules_of(const Fields& fields) {
  BlockRules rules;
  rules.begin();
  for (HeaderView field : fields) {
    field.known = header_name(field.name);
    rules.add(field, is_legal_field(field));
  }
  return rules;
}
bool is_legal_request(const Fields& fields) { return rules_of(fields).is_legal_request(); }
bool is_legal_trailers(const Fields& fields) { return rules_of(fields).is_legal_trailers(); }
std::optional<std::int64_t> promised_length(const Fields& fields) {
  return rules_of(fields).promised_length();
}

const Fields kRequest = {{":method", "POST"}, {":scheme", "http"}, {":path", "/x"}, {":authority", "http://a:1"}};

Fields with(HeaderView field) {
  Fields fields = kRequest;
  fields.push_back(field);
  return fields;
}

TEST(HttpRules, LegalRequests) {
  EXPECT_TRUE(is_legal_request(kRequest));
  EXPECT_TRUE(is_legal_request(Fields{{":method", "GET"}, {":scheme", "http"}, {":path", "*"}}));
  EXPECT_TRUE(is_legal_request(Fields{{":method", "CONNECT"}, {":authority", "a"}}));
  EXPECT_TRUE(is_legal_request(with({"te", "trailers"})));
  EXPECT_TRUE(is_legal_request(with({"x-y_z.1", "\xc3\xa4 tab\t"})));
}

TEST(HttpRules, IllegalRequests) {
  const Fields kCases[] = {
      {},
      {{":scheme", "http"}, {":path", "/x"}},
      {{":method", "POST"}, {":path", "/x"}},
      {{":method", "POST"}, {":scheme", "http"}},
      {{":method", "POST"}, {":scheme", "http"}, {":path", ""}},
      {{":method", ""}, {":scheme", "http"}, {":path", "/x"}},
      {{":method", "CONNECT"}, {":path", "/x"}, {":authority", "a"}},
      {{":method", "POST"}, {"a", "b"}, {":scheme", "http"}, {":path", "/x"}},
      with({":path", "/y"}),
      with({":status", "200"}),
      with({":other", "x"}),
      with({"Upper", "x"}),
      with({"", "x"}),
      with({"sp ace", "x"}),
      with({"Content-Type", "x"}),
      with({"x", "line\nbreak"}),
      with({"x", {"\0", 1}}),
      with({"user-agent", "a\x7f"}),
      with({"te", "gzip"}),
      with({"connection", "close"}),
      with({"transfer-encoding", "chunked"}),
      with({"upgrade", "h2c"}),
  };
  for (const Fields& fields : kCases)
    EXPECT_FALSE(is_legal_request(fields)) << (fields.empty() ? "" : fields.back().name);
}

TEST(HttpRules, Trailers) {
  EXPECT_TRUE(is_legal_trailers(Fields{{"x", "y"}}));
  EXPECT_FALSE(is_legal_trailers(Fields{{":path", "/x"}}));
  EXPECT_FALSE(is_legal_trailers(Fields{{"X", "y"}}));
}

TEST(HttpRules, ContentLength) {
  EXPECT_EQ(promised_length(kRequest), -1);
  EXPECT_EQ(promised_length(with({"content-length", "17"})), 17);
  for (const char* text : {"", "-1", "x", "1 ", "99999999999999999999"})
    EXPECT_EQ(promised_length(with({"content-length", text})), std::nullopt) << text;
  EXPECT_EQ(promised_length(Fields{{"content-length", "1"}, {"content-length", "2"}}), std::nullopt);
}

}  // namespace
}  // namespace minigrpc::h2
