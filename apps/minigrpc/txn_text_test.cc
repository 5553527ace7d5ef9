#include "txn_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>

namespace minigrpc::cli {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using namespace std::string_literals;

TEST(TxnText, Compares) {
  struct Case {
    std::string_view line;
    etcd::CompareTarget target;
    etcd::CompareResult result;
    std::string key;
    std::int64_t number;
    std::string value;
  };
  using enum etcd::CompareTarget;
  using enum etcd::CompareResult;
  const Case cases[] = {
      {R"(value("a") = "b")", kValue, kEqual, "a", 0, "b"},
      {R"(val("a b") != "")", kValue, kNotEqual, "a b", 0, ""},
      {R"(mod("a") > "0")", kMod, kGreater, "a", 0, ""},
      {R"(m("a") < "12")", kMod, kLess, "a", 12, ""},
      {R"(version("a")="3")", kVersion, kEqual, "a", 3, ""},
      {R"(ver("a") = "3")", kVersion, kEqual, "a", 3, ""},
      {R"(create("a") = "0")", kCreate, kEqual, "a", 0, ""},
      {R"(c("a") = "-1")", kCreate, kEqual, "a", -1, ""},
      {R"(lease("a") = "12ab")", kLease, kEqual, "a", 0x12ab, ""},
      {R"(val("k\x00\n\u00e9\"") = `raw\n`)", kValue, kEqual, "k\0\né\""s, 0, "raw\\n"},
  };
  for (const Case& c : cases) {
    const auto compare = parse_compare(c.line);
    ASSERT_TRUE(compare) << c.line << compare.error().message();
    EXPECT_EQ(compare->target, c.target);
    EXPECT_EQ(compare->result, c.result);
    EXPECT_EQ(compare->keys.key, c.key);
    EXPECT_EQ(compare->keys.range_end, "");
    EXPECT_EQ(compare->number, c.number);
    EXPECT_EQ(compare->value, c.value);
  }
}

TEST(TxnText, MalformedCompares) {
  for (const std::string_view line :
       {"bogus", "version(a) < 5", "size(\"a\") = \"5\"", "mod(\"a\") > \"x\"", "mod(\"a\") ! \"1\"",
        "mod(\"a) = \"1\"", "mod(\"a\" = \"1\"", "mod(\"a\") = 1", "mod(\"a\") = \"1\" x",
        "mod(\"\\q\") = \"1\"", "mod(\"a\") =", "(", "mod("}) {
    const auto compare = parse_compare(line);
    ASSERT_FALSE(compare) << line;
    EXPECT_THAT(compare.error().message(), HasSubstr(std::string(line)));
  }
}

TEST(TxnText, Words) {
  EXPECT_THAT(*split_words(R"(put "a b" 'c "d' e\f)"), ElementsAre("put", "a b", "c \"d", "e\\f"));
  EXPECT_THAT(*split_words("  get\t\"\" --prefix\r"), ElementsAre("get", "", "--prefix"));
  EXPECT_THAT(*split_words(""), ElementsAre());
  EXPECT_FALSE(split_words("put \"x y"));
  EXPECT_FALSE(split_words("put 'x y"));
}

TEST(TxnText, Operations) {
  const auto put = parse_operation(R"(put --lease=99 "a b" 'c d' --prev-kv)");
  ASSERT_TRUE(put);
  EXPECT_EQ(std::get<etcd::PutRequest>(*put).key, "a b");
  EXPECT_EQ(std::get<etcd::PutRequest>(*put).value, "c d");
  EXPECT_EQ(std::get<etcd::PutRequest>(*put).lease, 0x99);
  EXPECT_TRUE(std::get<etcd::PutRequest>(*put).prev_kv);
  const auto get = parse_operation("get a --prefix --limit 2");
  ASSERT_TRUE(get);
  EXPECT_EQ(std::get<etcd::RangeRequest>(*get).limit, 2);
  const auto del = parse_operation("del a b");
  ASSERT_TRUE(del);
  EXPECT_EQ(std::get<etcd::DeleteRangeRequest>(*del).keys.range_end, "b");
  for (const std::string_view line :
       {"watch a", "get", "put a", "get k --bogus", "put \"a", "del a --prefix --from-key"}) {
    const auto operation = parse_operation(line);
    ASSERT_FALSE(operation) << line;
    EXPECT_THAT(operation.error().message(), HasSubstr("invalid txn request: " + std::string(line)));
  }
}

TEST(TxnText, ReadsThreeBlocks) {
  std::istringstream in(
      "value(\"a\") = \"b\"\nmod(\"a\") > \"0\"\n\n"
      "put a c\nget a\n\n"
      "\n");
  std::string prompts;
  const auto request = read_txn(in, [&](std::string_view prompt) { prompts += std::string(prompt) + "|"; });
  ASSERT_TRUE(request);
  EXPECT_EQ(request->compare.size(), 2u);
  EXPECT_EQ(request->success.size(), 2u);
  EXPECT_TRUE(request->failure.empty());
  EXPECT_EQ(prompts, "compares:|success requests (get, put, del):|failure requests (get, put, del):|");
}

TEST(TxnText, AnInputThatEndsEarlyIsRefused) {
  const std::string whole = "value(\"a\") = \"b\"\n\nput a c\n\nget a\n\n";
  const auto ignore = [](std::string_view) {};
  // A last line without its line feed counts.
  for (std::size_t size = 0; size < whole.size(); ++size) {
    std::istringstream in(whole.substr(0, size));
    EXPECT_FALSE(read_txn(in, ignore)) << size;
  }
  std::istringstream in(whole);
  EXPECT_TRUE(read_txn(in, ignore));
}

}  // namespace
}  // namespace minigrpc::cli
