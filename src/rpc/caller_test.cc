#include "rpc/caller.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace minigrpc::rpc {
namespace {

using Fields = std::vector<HeaderView>;

class CallerTest : public testing::Test {
 protected:
  static Fields named(Fields fields) {
    for (HeaderView& field : fields) field.known = header_name(field.name);
    return fields;
  }
  Result<CallerRef> of(const Fields& fields) { return Caller::of(peer_, named(fields)); }

  std::shared_ptr<Peer> peer_ = std::make_shared<Peer>();
  const Fields kFields = {
      {":method", "POST"},     {":path", "/a"}, {":authority", "host"}, {"te", "trailers"},
      {"user-agent", "tests"}, {"x", "1"},      {"b-bin", "AQI"},       {"grpc-accept-encoding", "gzip"},
      {"grpc-timeout", "1S"},  {"grpc-x", "no"}};
};

TEST_F(CallerTest, KnowsWhatWasSaid) {
  const CallerRef caller = of(kFields).value();
  EXPECT_EQ(caller->authority(), "host");
  EXPECT_EQ(caller->metadata(), (Metadata{{"user-agent", "tests"}, {"x", "1"}, {"b-bin", "\x01\x02"}}));
  EXPECT_TRUE(caller->accepted().contains(Compression::kGzip));
  EXPECT_FALSE(caller->accepted().contains(Compression::kZstd));
}

TEST_F(CallerTest, TheHostStandsForAMissingAuthority) {
  EXPECT_EQ(of({{"host", "a"}}).value()->authority(), "a");
  EXPECT_EQ(of({{":authority", "b"}, {"host", "a"}}).value()->authority(), "b");
}

TEST_F(CallerTest, IsRepeatedByCallsThatDifferInTheirOwnFields) {
  const CallerRef caller = of(kFields).value();
  Fields fields = kFields;
  fields[1].value = "/b";
  fields[8].value = "2S";
  EXPECT_TRUE(caller->is_repeated_by(named(fields)));
}

TEST_F(CallerTest, IsNotRepeatedByOthers) {
  const CallerRef caller = of(kFields).value();
  for (const std::size_t changed : {2, 4, 5, 6, 7}) {
    Fields fields = kFields;
    fields[changed].value = "other";
    EXPECT_FALSE(caller->is_repeated_by(named(fields))) << fields[changed].name;
  }
  Fields fewer = kFields;
  fewer.erase(fewer.begin() + 5);
  EXPECT_FALSE(caller->is_repeated_by(named(fewer)));
  Fields more = kFields;
  more.push_back({"y", "2"});
  EXPECT_FALSE(caller->is_repeated_by(named(more)));
}

TEST_F(CallerTest, IsNotKeptWhereItIsLarge) {
  const std::string large(2000, 'x');
  const Fields fields = {{":authority", "host"}, {"large", large}, {"x", "1"}};
  const CallerRef caller = of(fields).value();
  EXPECT_EQ(caller->metadata().get("large"), large);
  EXPECT_FALSE(caller->is_repeated_by(named(fields)));
}

TEST_F(CallerTest, MalformedMetadata) {
  EXPECT_EQ(of({{"x-bin", "*"}}).status().code(), StatusCode::kInternal);
}

TEST_F(CallerTest, LivesAsLongAsItsLastReference) {
  CallerRef first = of(kFields).value();
  CallerRef second = first;
  first = of({{":authority", "other"}}).value();
  EXPECT_EQ(second->authority(), "host");
  EXPECT_EQ(first->authority(), "other");
}

}  // namespace
}  // namespace minigrpc::rpc
