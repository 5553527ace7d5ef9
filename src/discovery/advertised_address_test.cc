#include <gtest/gtest.h>
#include <minigrpc/discovery.h>

namespace minigrpc::discovery {
namespace {

std::string advertised(std::string_view listen, std::string_view registry) {
  Result<std::string> address = advertised_address(listen, 5051, registry);
  return address ? *address : address.error().to_string();
}

TEST(AdvertisedAddress, IsTheOneListenedOn) {
  EXPECT_EQ(advertised("10.0.0.7:0", "127.0.0.1:2379"), "10.0.0.7:5051");
  EXPECT_EQ(advertised("shop.local:80", "127.0.0.1:2379"), "shop.local:5051");
  EXPECT_EQ(advertised("[::1]:0", "127.0.0.1:2379"), "[::1]:5051");
}

TEST(AdvertisedAddress, OfAWildcardIsTheOneTowardsTheRegistry) {
  EXPECT_EQ(advertised("0.0.0.0:0", "127.0.0.1:2379"), "127.0.0.1:5051");
  EXPECT_EQ(advertised("0.0.0.0:0", "http://127.0.0.1:2379/"), "127.0.0.1:5051");
  EXPECT_EQ(advertised(":5051", "127.0.0.1:2379"), "127.0.0.1:5051");
  EXPECT_EQ(advertised("[::]:0", "127.0.0.1:2379"), "127.0.0.1:5051");
}

TEST(AdvertisedAddress, TakesTheFirstRegistryThatHasAWay) {
  EXPECT_EQ(advertised("0.0.0.0:0", "[::1]:2379,127.0.0.1:2379"), "127.0.0.1:5051")
      << "what listens on IPv4 is not reached through IPv6";
}

TEST(AdvertisedAddress, SaysThatThereIsNone) {
  EXPECT_TRUE(advertised("0.0.0.0:0", "").starts_with("UNAVAILABLE: found no address"));
  EXPECT_TRUE(advertised("0.0.0.0:0", "[::1]:2379").starts_with("UNAVAILABLE: found no address"));
}

}  // namespace
}  // namespace minigrpc::discovery
