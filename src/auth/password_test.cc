#include "auth/password.h"

#include <gtest/gtest.h>

namespace minigrpc::auth {
namespace {

TEST(Password, MatchesItsOwnHashAndNoOther) {
  const Result<std::string> hash = hash_password("secret", kBcryptCostMin);
  ASSERT_TRUE(hash) << hash.error().to_string();
  EXPECT_EQ(hash->substr(0, 7), "$2a$04$");
  EXPECT_EQ(hash->size(), 60u);
  EXPECT_TRUE(password_matches("secret", *hash));
  EXPECT_FALSE(password_matches("Secret", *hash));
  EXPECT_FALSE(password_matches("", *hash));
  EXPECT_FALSE(password_matches("secret", ""));
  EXPECT_FALSE(password_matches("secret", "$2a$04$nonsense"));
  EXPECT_NE(*hash, *hash_password("secret", kBcryptCostMin));
}

// Made by Go's golang.org/x/crypto/bcrypt, as etcd does.
TEST(Password, HashesOfEtcdAreGood) {
  const std::string hash = "$2a$10$XajjQvNhvvRt5GSeFk1xFeyqRrsxkhBkUiQeg0dt.wU1qD4aFDcga";
  EXPECT_TRUE(password_matches("allmine", hash));
  EXPECT_FALSE(password_matches("allyours", hash));
}

TEST(Password, WhatBcryptWouldNotLookAtIsRefused) {
  EXPECT_FALSE(hash_password(std::string(73, 'p'), kBcryptCostMin));
  EXPECT_TRUE(hash_password(std::string(72, 'p'), kBcryptCostMin));
  EXPECT_FALSE(hash_password(std::string("a\0b", 3), kBcryptCostMin));
  const std::string hash = *hash_password("a", kBcryptCostMin);
  EXPECT_FALSE(password_matches(std::string("a\0b", 3), hash));
}

}  // namespace
}  // namespace minigrpc::auth
