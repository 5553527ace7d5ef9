#include "net/address.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace minigrpc::net {
namespace {

using testing::HasSubstr;

TEST(Address, LegalOnesMeanWhatTheySay) {
  for (const char* text : {"10.0.0.1:5051", "[::1]:80", "127.0.0.1:0", "unix:/run/x.sock", "unix-abstract:x"}) {
    const Result<Address> address = parse_address(text);
    ASSERT_TRUE(address) << text;
    const auto found = literal_addresses(*address);
    ASSERT_EQ(found.size(), 1u) << text;
    EXPECT_EQ(to_string(found.front()), text);
  }
  EXPECT_EQ(to_string(literal_addresses(*parse_address(":80")).front()), "[::]:80");
  EXPECT_EQ(to_string(literal_addresses(*parse_address("unix:///run/x.sock")).front()), "unix:/run/x.sock");
  EXPECT_TRUE(literal_addresses(*parse_address("example:80")).empty());
}

TEST(Address, InProcessOnesAreOfThisProcess) {
  const SocketAddress own = literal_addresses(*parse_address("in-process:shop")).front();
  EXPECT_TRUE(is_in_process(own));
  EXPECT_EQ(to_string(own), "in-process:shop");
  EXPECT_FALSE(is_in_process(literal_addresses(*parse_address("unix-abstract:shop")).front()));
  EXPECT_FALSE(is_in_process(literal_addresses(*parse_address("127.0.0.1:80")).front()));
  EXPECT_FALSE(parse_address("in-process:"));
  EXPECT_FALSE(parse_address("in-process:" + std::string(120, 'x')));
}

TEST(Address, BadOnesSayWhy) {
  const std::pair<std::string, const char*> kCases[] = {
      {"", "HOST:PORT"},          {"nowhere", "HOST:PORT"},      {"a:", "the port"},
      {"a:x", "the port"},        {"a:65536", "the port"},       {"a:-1", "the port"},
      {"::1:80", "in brackets"},  {"[::1:80", "without ']'"},    {"[::1]80", "HOST:PORT"},
      {"unix:", "needs a path"},  {"unix:" + std::string(200, 'x'), "at most"}};
  for (const auto& [text, reason] : kCases) {
    const Result<Address> address = parse_address(text);
    ASSERT_FALSE(address) << text;
    EXPECT_EQ(address.error().code(), StatusCode::kInvalidArgument);
    EXPECT_THAT(address.error().message(), HasSubstr(reason)) << text;
  }
}

TEST(Address, NamesAreLookedUp) {
  const auto found = resolve_address(*parse_address("localhost:80"));
  ASSERT_TRUE(found) << found.status().to_string();
  EXPECT_THAT(to_string(found->front()), testing::AnyOf("127.0.0.1:80", "[::1]:80"));
}

}  // namespace
}  // namespace minigrpc::net
