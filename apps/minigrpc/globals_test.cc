#include "globals.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace minigrpc::cli {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TEST(Globals, EndpointsAreCleartextUnlessSomethingAsksForTls) {
  const auto address = [](std::string_view endpoint, const Globals& globals) {
    const Address parsed = parse_address(endpoint, globals).value();
    return parsed.target + (parsed.tls ? " tls" : "");
  };
  Globals globals;
  EXPECT_EQ(address("10.0.0.1:2379", globals), "10.0.0.1:2379");
  EXPECT_EQ(address("http://10.0.0.1:2379/", globals), "10.0.0.1:2379");
  EXPECT_EQ(address("https://10.0.0.1:2379/x", globals), "10.0.0.1:2379 tls");
  EXPECT_EQ(address("unix:/run/x.sock", globals), "unix:/run/x.sock");
  EXPECT_FALSE(parse_address("http://", globals));
  EXPECT_FALSE(parse_address("", globals));
  for (auto ask : {+[](Globals& g) { g.cacert = "ca.pem"; }, +[](Globals& g) { g.key = "k"; },
                   +[](Globals& g) { g.insecure_skip_tls_verify = true; },
                   +[](Globals& g) { g.insecure_transport = false; }}) {
    Globals secure;
    ask(secure);
    EXPECT_EQ(address("a:1", secure), "a:1 tls");
    EXPECT_EQ(address("http://a:1", secure), "a:1");
  }
}

TEST(Globals, ThatDoNotFitTogetherAreRefused) {
  struct Case {
    Globals globals;
    std::string_view message;
  };
  std::vector<Case> cases(7);
  cases[0] = {{.endpoints = {}}, "--endpoints is empty"};
  cases[1] = {{.endpoints = {"http://"}}, "an endpoint is empty"};
  cases[2] = {{.endpoints = {"http://a:1", "https://b:1"}}, "of one kind"};
  cases[3] = {{.cert = "c.pem"}, "--cert and --key belong together"};
  cases[4] = {{.password = "x"}, "no --user"};
  cases[5] = {{.user = "a:b", .password = "x"}, "given twice"};
  cases[6] = {{.user = ":b"}, "names no user"};
  for (const Case& one : cases) EXPECT_THAT(check(one.globals).message(), HasSubstr(one.message));
  EXPECT_TRUE(check({}).ok());
  EXPECT_TRUE(check({.user = "a:b"}).ok());
}

TEST(Globals, AreDescribedWithoutPasswords) {
  Globals globals;
  globals.user = "anna:secret";
  globals.password = "secret";
  FlagSet flags;
  add_global_flags(flags, globals);
  const std::string text = describe(flags);
  EXPECT_THAT(text, HasSubstr("--user=anna\n"));
  EXPECT_THAT(text, HasSubstr("--command-timeout=5s\n"));
  EXPECT_THAT(text, Not(HasSubstr("secret")));
}

TEST(Globals, KeepaliveIsNeverTooFrequentForAServer) {
  EXPECT_EQ(keepalive({}).time, std::chrono::seconds(10));
  EXPECT_EQ(keepalive({.keepalive_time = std::chrono::seconds(30)}).time, std::chrono::seconds(30));
}

}  // namespace
}  // namespace minigrpc::cli
