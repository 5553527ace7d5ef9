#include "kv_requests.h"

#include <gtest/gtest.h>

namespace minigrpc::cli {
namespace {

using namespace std::string_literals;

Arguments arguments(std::vector<std::string> words) {
  return {.words = std::move(words), .words_before_dashes = {}};
}

TEST(GetFlags, MakeARange) {
  GetFlags flags;
  flags.limit = 3;
  flags.rev = 7;
  flags.order = "descend";
  flags.sort_by = "Modify";
  flags.consistency = "s";
  flags.keys_only = true;
  const auto request = flags.request(arguments({"a", "b"}));
  ASSERT_TRUE(request);
  EXPECT_EQ(request->keys.key, "a");
  EXPECT_EQ(request->keys.range_end, "b");
  EXPECT_EQ(request->limit, 3);
  EXPECT_EQ(request->revision, 7);
  EXPECT_EQ(request->sort_order, etcd::SortOrder::kDescend);
  EXPECT_EQ(request->sort_target, etcd::SortTarget::kMod);
  EXPECT_TRUE(request->serializable);
  EXPECT_TRUE(request->keys_only);
}

TEST(GetFlags, PrefixAndFromKey) {
  GetFlags prefix;
  prefix.prefix = true;
  EXPECT_EQ(prefix.request(arguments({"a"}))->keys.range_end, "b");
  EXPECT_EQ(prefix.request(arguments({""}))->keys.key, "\0"s);
  EXPECT_EQ(prefix.request(arguments({""}))->keys.range_end, "\0"s);
  GetFlags from;
  from.from_key = true;
  EXPECT_EQ(from.request(arguments({"a"}))->keys.key, "a");
  EXPECT_EQ(from.request(arguments({"a"}))->keys.range_end, "\0"s);
}

TEST(GetFlags, ComplainLikeEtcdctl) {
  struct Case {
    GetFlags flags;
    std::vector<std::string> words;
    StatusCode code;
    std::string message;
  };
  GetFlags both;
  both.prefix = both.from_key = true;
  GetFlags prefix;
  prefix.prefix = true;
  GetFlags consistency;
  consistency.consistency = "x";
  GetFlags order;
  order.order = "x";
  GetFlags sort_by;
  sort_by.sort_by = "x";
  const Case cases[] = {
      {{},
       {},
       StatusCode::kInvalidArgument,
       "get command needs one argument as key and an optional argument as range_end"},
      {both,
       {"a"},
       StatusCode::kInvalidArgument,
       "`--prefix` and `--from-key` cannot be set at the same time, choose one"},
      {prefix,
       {"a", "b"},
       StatusCode::kInvalidArgument,
       "too many arguments, only accept one argument when `--prefix` or `--from-key` is set"},
      {consistency, {"a"}, StatusCode::kOutOfRange, "unknown consistency flag \"x\""},
      {order, {"a"}, StatusCode::kOutOfRange, "bad sort order x"},
      {sort_by, {"a"}, StatusCode::kOutOfRange, "bad sort target x"},
  };
  for (const Case& c : cases) {
    const auto request = c.flags.request(arguments(c.words));
    ASSERT_FALSE(request);
    EXPECT_EQ(request.error().code(), c.code);
    EXPECT_EQ(request.error().message(), c.message);
  }
}

TEST(PutFlags, TakeTheValueFromWhereItIs) {
  const auto input = [] { return "from stdin\n"s; };
  const auto nothing = [] { return ""s; };
  const auto refuse = []() -> std::string { return ADD_FAILURE() << "read", ""; };
  PutFlags flags;
  EXPECT_EQ(flags.request(arguments({"k", "v"}), refuse)->value, "v");
  EXPECT_EQ(flags.request(arguments({"k", ""}), refuse)->value, "");
  EXPECT_EQ(flags.request(arguments({"k"}), input)->value, "from stdin\n");
  EXPECT_FALSE(flags.request(arguments({"k"}), nothing));
  EXPECT_FALSE(flags.request(arguments({}), input));
  EXPECT_FALSE(flags.request(arguments({"k", "hello", "world"}), refuse));
  flags.ignore_value = true;
  EXPECT_EQ(flags.request(arguments({"k"}), refuse)->value, "");
  EXPECT_FALSE(flags.request(arguments({"k", "v"}), refuse));
}

TEST(PutFlags, LeasesAreHexadecimal) {
  PutFlags flags;
  flags.lease = "13b0a202d71bb042";
  EXPECT_EQ(flags.request(arguments({"k", "v"}), nullptr)->lease, 1418812015704256578);
  flags.lease = "zz";
  EXPECT_EQ(flags.request(arguments({"k", "v"}), nullptr).error().message(),
            "bad lease ID \"zz\", expecting ID in Hex");
  EXPECT_FALSE(parse_lease_id(""));
  EXPECT_FALSE(parse_lease_id("12 "));
}

TEST(DelFlags, MakeARange) {
  DelFlags flags;
  flags.prefix = flags.prev_kv = true;
  const auto request = flags.request(arguments({"a"}));
  ASSERT_TRUE(request);
  EXPECT_EQ(request->keys.range_end, "b");
  EXPECT_TRUE(request->prev_kv);
}

}  // namespace
}  // namespace minigrpc::cli
