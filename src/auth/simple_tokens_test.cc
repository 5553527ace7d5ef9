#include "auth/simple_tokens.h"

#include <gtest/gtest.h>

namespace minigrpc::auth {
namespace {

TEST(SimpleTokens, LiveAsLongAsTheyAreUsed) {
  SimpleTokens tokens(1000);
  const std::string token = *tokens.assign("alice", 0);
  EXPECT_EQ(tokens.user_of(token, 900), "alice");
  EXPECT_EQ(tokens.user_of(token, 1800), "alice");
  EXPECT_EQ(tokens.user_of(token, 2800), std::nullopt);
  EXPECT_EQ(tokens.user_of("alice", 0), std::nullopt);
  EXPECT_EQ(tokens.user_of("", 0), std::nullopt);
}

TEST(SimpleTokens, AreForgottenWithTheirUser) {
  SimpleTokens tokens(1000);
  const std::string first = *tokens.assign("alice", 0);
  const std::string second = *tokens.assign("alice", 0);
  const std::string other = *tokens.assign("bob", 0);
  EXPECT_NE(first, second);
  tokens.forget_user("alice");
  EXPECT_EQ(tokens.user_of(first, 1), std::nullopt);
  EXPECT_EQ(tokens.user_of(second, 1), std::nullopt);
  EXPECT_EQ(tokens.user_of(other, 1), "bob");
  tokens.forget_all();
  EXPECT_EQ(tokens.user_of(other, 1), std::nullopt);
}

TEST(SimpleTokens, AClientThatSignsInForEveryCallIsStoppedUntilOldOnesEnd) {
  SimpleTokens tokens(1000);
  for (int i = 0; i < 100'000; ++i) ASSERT_TRUE(tokens.assign("alice", 0));
  EXPECT_EQ(tokens.assign("alice", 1).error().code(), StatusCode::kResourceExhausted);
  EXPECT_TRUE(tokens.assign("alice", 1000));
}

}  // namespace
}  // namespace minigrpc::auth
