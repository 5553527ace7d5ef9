#include "etcd/endpoints.h"

#include <gmock/gmock.h>

namespace minigrpc::etcd {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

TEST(Endpoints, AreSeparatedByCommas) {
  EXPECT_THAT(parse_endpoints("127.0.0.1:2379"), ElementsAre("127.0.0.1:2379"));
  EXPECT_THAT(parse_endpoints("a:1,b:2,[::1]:3"), ElementsAre("a:1", "b:2", "[::1]:3"));
}

TEST(Endpoints, MayBeUrls) {
  EXPECT_THAT(parse_endpoints("http://a:1,http://b:2/"), ElementsAre("a:1", "b:2"));
}

TEST(Endpoints, DropsSpacesEmptyOnesAndRepetitions) {
  EXPECT_THAT(parse_endpoints(" a:1 , ,b:2,,\ta:1,http:// "), ElementsAre("a:1", "b:2"));
  EXPECT_THAT(parse_endpoints(""), IsEmpty());
  EXPECT_THAT(parse_endpoints(" , "), IsEmpty());
}

}  // namespace
}  // namespace minigrpc::etcd
