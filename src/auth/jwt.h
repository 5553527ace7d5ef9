// JwtTokens: JSON Web Tokens (RFC 7519, signed as RFC 7515) that name a user and the auth revision in which it signed
// in; etcd's claims, so a token of one is good for the other where they share the key.
//
// Thread rule: any thread. Time is an argument.
#pragma once

#include <minigrpc/result.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

struct evp_pkey_st;

namespace minigrpc::auth {

struct JwtOptions {
  // RS256 to RS512, PS256 to PS512, ES256 to ES512, HS256 to HS512, EdDSA.
  std::string sign_method;
  // Contents of the files, in PEM; of HS… the private key is the secret itself. With a public key alone, tokens are
  // verified and none is made.
  std::string public_key;
  std::string private_key;
  std::int64_t ttl_s = 300;
};

class JwtTokens {
 public:
  struct Claims {
    std::string user;
    std::uint64_t revision = 0;
  };

  // INVALID_ARGUMENT: an unknown method, a key that is missing, of another kind, or that does not match the other one.
  static Result<JwtTokens> make(const JwtOptions& options);

  // FAILED_PRECONDITION without a private key.
  Result<std::string> assign(std::string_view user, std::uint64_t revision, std::int64_t unix_s) const;
  // None: not of this form, of another method, with a wrong signature, or too old.
  std::optional<Claims> verify(std::string_view token, std::int64_t unix_s) const;

 private:
  struct Method;
  struct FreeKey {
    void operator()(evp_pkey_st* key) const;
  };
  using Key = std::unique_ptr<evp_pkey_st, FreeKey>;
  static const Method* find_method(std::string_view name);

  JwtTokens() = default;
  std::string sign(std::string_view text) const;
  bool signature_holds(std::string_view text, std::string_view signature) const;

  const Method* method_ = nullptr;
  Key private_key_;
  Key public_key_;
  std::string secret_;  // of HS…
  std::int64_t ttl_s_ = 0;
};

}  // namespace minigrpc::auth
