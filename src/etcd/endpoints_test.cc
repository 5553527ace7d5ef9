#include "etcd/endpoints.h"

#include <gmock/gmock.h>

namespace minigrpc::etcd {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

Endpoint plain(std::string address) { return {std::move(address), EndpointScheme::kNone}; }

TEST(Endpoints, AreSeparatedByCommas) {
  EXPECT_THAT(parse_endpoints("127.0.0.1:2379"), ElementsAre(plain("127.0.0.1:2379")));
  EXPECT_THAT(parse_endpoints("a:1,b:2,[::1]:3"), ElementsAre(plain("a:1"), plain("b:2"), plain("[::1]:3")));
}

TEST(Endpoints, MayBeUrls) {
  EXPECT_THAT(parse_endpoints("http://a:1,https://b:2/,c:3"),
              ElementsAre(Endpoint{"a:1", EndpointScheme::kHttp}, Endpoint{"b:2", EndpointScheme::kHttps}, plain("c:3")));
}

TEST(Endpoints, DropsSpacesEmptyOnesAndRepetitions) {
  EXPECT_THAT(parse_endpoints(" a:1 , ,b:2,,\ta:1,http:// "), ElementsAre(plain("a:1"), plain("b:2")));
  EXPECT_THAT(parse_endpoints(""), IsEmpty());
  EXPECT_THAT(parse_endpoints(" , "), IsEmpty());
}

}  // namespace
}  // namespace minigrpc::etcd
