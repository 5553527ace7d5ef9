#include "auth/jwt.h"

#include <gtest/gtest.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

namespace minigrpc::auth {
namespace {

struct Pems {
  std::string private_key;
  std::string public_key;
};

std::string drain(BIO* bio) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio, &data);
  std::string text(data, static_cast<std::size_t>(size));
  BIO_free(bio);
  return text;
}

Pems to_pem(EVP_PKEY* key) {
  BIO* private_bio = BIO_new(BIO_s_mem());
  PEM_write_bio_PrivateKey(private_bio, key, nullptr, nullptr, 0, nullptr, nullptr);
  BIO* public_bio = BIO_new(BIO_s_mem());
  PEM_write_bio_PUBKEY(public_bio, key);
  EVP_PKEY_free(key);
  return {drain(private_bio), drain(public_bio)};
}

// A new key for each method's family.
Pems key_for(const std::string& method) {
  if (method == "EdDSA") return to_pem(EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519"));
  if (method == "ES256") return to_pem(EVP_EC_gen("P-256"));
  if (method == "ES384") return to_pem(EVP_EC_gen("P-384"));
  if (method == "ES512") return to_pem(EVP_EC_gen("P-521"));
  if (method.starts_with("HS")) return {"a secret", ""};
  return to_pem(EVP_RSA_gen(2048));
}

class Jwt : public ::testing::TestWithParam<const char*> {};

TEST_P(Jwt, ATokenIsGoodUntilItsTimeIsUp) {
  const Pems pems = key_for(GetParam());
  const Result<JwtTokens> tokens = JwtTokens::make({GetParam(), pems.public_key, pems.private_key, 60});
  ASSERT_TRUE(tokens) << tokens.error().to_string();
  const std::string token = *tokens->assign("alice \"\xc3\xa9\"", 17, 1'700'000'000);
  const std::optional<JwtTokens::Claims> claims = tokens->verify(token, 1'700'000'059);
  ASSERT_TRUE(claims);
  EXPECT_EQ(claims->user, "alice \"\xc3\xa9\"");
  EXPECT_EQ(claims->revision, 17u);
  EXPECT_FALSE(tokens->verify(token, 1'700'000'060));

  // Every letter counts; of the last one of each part some bits may not.
  for (std::size_t i = 0; i < token.size(); i += 7) {
    if (i + 1 == token.size() || token[i] == '.' || token[i + 1] == '.') continue;
    std::string changed = token;
    changed[i] = changed[i] == 'x' ? 'y' : 'x';
    EXPECT_FALSE(tokens->verify(changed, 1'700'000'000)) << i;
  }
  for (const std::string& cut : {std::string(), std::string("."), std::string(".."), token.substr(0, token.rfind('.')),
                                 token.substr(0, token.rfind('.') + 1), token + ".x"})
    EXPECT_FALSE(tokens->verify(cut, 1'700'000'000)) << cut;

  const Pems others = key_for(GetParam());
  if (others.public_key.empty()) return;
  EXPECT_FALSE(JwtTokens::make({GetParam(), others.public_key, others.private_key, 60})->verify(token, 1'700'000'000));
  EXPECT_FALSE(JwtTokens::make({GetParam(), others.public_key, pems.private_key, 60}));
  // With the public key alone.
  const Result<JwtTokens> verifier = JwtTokens::make({GetParam(), pems.public_key, "", 60});
  ASSERT_TRUE(verifier);
  EXPECT_TRUE(verifier->verify(token, 1'700'000'000));
  EXPECT_EQ(verifier->assign("alice", 1, 0).error().code(), StatusCode::kFailedPrecondition);
}

INSTANTIATE_TEST_SUITE_P(Methods, Jwt,
                         ::testing::Values("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384",
                                           "ES512", "HS256", "HS384", "HS512", "EdDSA"),
                         [](const auto& one) { return std::string(one.param); });

TEST(JwtOptions, NonsenseIsRefused) {
  const Pems rsa = key_for("RS256");
  EXPECT_FALSE(JwtTokens::make({"none", rsa.public_key, rsa.private_key, 60}));
  EXPECT_FALSE(JwtTokens::make({"", rsa.public_key, rsa.private_key, 60}));
  EXPECT_FALSE(JwtTokens::make({"RS256", "", "", 60}));
  EXPECT_FALSE(JwtTokens::make({"ES256", rsa.public_key, rsa.private_key, 60}));
  EXPECT_FALSE(JwtTokens::make({"RS256", "no PEM", "", 60}));
  EXPECT_FALSE(JwtTokens::make({"HS256", "", "", 60}));
  EXPECT_FALSE(JwtTokens::make({"RS256", rsa.public_key, rsa.private_key, 0}));
}

// The classic attack: a token "signed" with the public key as an HMAC's secret, or with no signature at all.
TEST(JwtOptions, TheTokenDoesNotChooseTheMethod) {
  const Pems rsa = key_for("RS256");
  const Result<JwtTokens> tokens = JwtTokens::make({"RS256", rsa.public_key, rsa.private_key, 60});
  const Result<JwtTokens> forger = JwtTokens::make({"HS256", "", rsa.public_key, 60});
  EXPECT_FALSE(tokens->verify(*forger->assign("root", 1, 0), 0));
  // {"alg":"none"}.{"username":"root","revision":1}.
  EXPECT_FALSE(tokens->verify("eyJhbGciOiJub25lIn0.eyJ1c2VybmFtZSI6InJvb3QiLCJyZXZpc2lvbiI6MX0.", 0));
}

}  // namespace
}  // namespace minigrpc::auth
