#include "auth/jwt.h"

#include <google/protobuf/struct.pb.h>
#include <google/protobuf/util/json_util.h>
#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

namespace minigrpc::auth {

enum class Family : std::uint8_t { kRsa, kRsaPss, kEcdsa, kEdDsa, kHmac };

struct JwtTokens::Method {
  std::string_view name;
  Family family;
  const char* digest;           // null: the scheme's own
  std::size_t number_size = 0;  // of ECDSA: bytes of each of the signature's two numbers
};

void JwtTokens::FreeKey::operator()(evp_pkey_st* key) const { EVP_PKEY_free(key); }

const JwtTokens::Method* JwtTokens::find_method(std::string_view name) {
  static constexpr std::array kMethods{
      Method{"RS256", Family::kRsa, "SHA256"},         Method{"RS384", Family::kRsa, "SHA384"},
      Method{"RS512", Family::kRsa, "SHA512"},         Method{"PS256", Family::kRsaPss, "SHA256"},
      Method{"PS384", Family::kRsaPss, "SHA384"},      Method{"PS512", Family::kRsaPss, "SHA512"},
      Method{"ES256", Family::kEcdsa, "SHA256", 32},   Method{"ES384", Family::kEcdsa, "SHA384", 48},
      Method{"ES512", Family::kEcdsa, "SHA512", 66},   Method{"HS256", Family::kHmac, "SHA256"},
      Method{"HS384", Family::kHmac, "SHA384"},        Method{"HS512", Family::kHmac, "SHA512"},
      Method{"EdDSA", Family::kEdDsa, nullptr},
  };
  const auto found = std::ranges::find(kMethods, name, &Method::name);
  return found == kMethods.end() ? nullptr : &*found;
}

namespace {

// A token is a few hundred bytes; the threat is a client that has us decode megabytes for every call.
constexpr std::size_t kTokenSizeMax = 8192;

Status bad(std::string message) { return {StatusCode::kInvalidArgument, "auth: " + std::move(message)}; }

std::string to_base64url(std::string_view bytes) {
  std::string text(4 * ((bytes.size() + 2) / 3) + 1, '\0');
  const int size = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(text.data()),
                                   reinterpret_cast<const unsigned char*>(bytes.data()), static_cast<int>(bytes.size()));
  text.resize(static_cast<std::size_t>(size));
  while (text.ends_with('=')) text.pop_back();
  std::ranges::replace(text, '+', '-');
  std::ranges::replace(text, '/', '_');
  return text;
}

std::optional<std::string> from_base64url(std::string_view encoded) {
  if (encoded.find_first_of("+/=") != std::string_view::npos) return std::nullopt;
  std::string text(encoded);
  std::ranges::replace(text, '-', '+');
  std::ranges::replace(text, '_', '/');
  const std::size_t padding = (4 - text.size() % 4) % 4;
  text.append(padding, '=');
  std::string bytes(3 * (text.size() / 4), '\0');
  const int size = EVP_DecodeBlock(reinterpret_cast<unsigned char*>(bytes.data()),
                                   reinterpret_cast<const unsigned char*>(text.data()), static_cast<int>(text.size()));
  if (size < 0 || padding > 2 || static_cast<std::size_t>(size) < padding) return std::nullopt;
  bytes.resize(static_cast<std::size_t>(size) - padding);
  return bytes;
}

std::optional<google::protobuf::Struct> parse_json(std::string_view base64url) {
  const std::optional<std::string> text = from_base64url(base64url);
  google::protobuf::Struct object;
  if (!text || !google::protobuf::util::JsonStringToMessage(*text, &object).ok()) return std::nullopt;
  return object;
}

const google::protobuf::Value* field(const google::protobuf::Struct& object, const std::string& name) {
  const auto found = object.fields().find(name);
  return found == object.fields().end() ? nullptr : &found->second;
}

std::string to_json(const google::protobuf::Struct& object) {
  std::string text;
  return google::protobuf::util::MessageToJsonString(object, &text).ok() ? text : std::string();
}

EVP_PKEY* read_key(const std::string& pem, bool is_private) {
  BIO* bio = BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size()));
  EVP_PKEY* key = is_private ? PEM_read_bio_PrivateKey(bio, nullptr, nullptr, nullptr)
                             : PEM_read_bio_PUBKEY(bio, nullptr, nullptr, nullptr);
  BIO_free(bio);
  return key;
}

int key_type(Family family) {
  switch (family) {
    case Family::kRsa:
    case Family::kRsaPss:
      return EVP_PKEY_RSA;
    case Family::kEcdsa:
      return EVP_PKEY_EC;
    case Family::kEdDsa:
      return EVP_PKEY_ED25519;
    case Family::kHmac:
      return EVP_PKEY_NONE;
  }
  return EVP_PKEY_NONE;
}

const EVP_MD* digest_of(const char* name) { return name == nullptr ? nullptr : EVP_get_digestbyname(name); }

struct FreeContext {
  void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
};
using Context = std::unique_ptr<EVP_MD_CTX, FreeContext>;

bool set_pss(EVP_PKEY_CTX* context, int salt_size) {
  return EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PSS_PADDING) > 0 &&
         EVP_PKEY_CTX_set_rsa_pss_saltlen(context, salt_size) > 0;
}

const unsigned char* bytes_of(std::string_view text) { return reinterpret_cast<const unsigned char*>(text.data()); }

// OpenSSL has ECDSA signatures in DER; a token has the two numbers, one after the other (RFC 7518, 3.4).
std::string der_to_numbers(std::string_view der, std::size_t number_size) {
  const unsigned char* begin = bytes_of(der);
  ECDSA_SIG* signature = d2i_ECDSA_SIG(nullptr, &begin, static_cast<long>(der.size()));
  if (signature == nullptr) return {};
  std::string numbers(2 * number_size, '\0');
  auto* out = reinterpret_cast<unsigned char*>(numbers.data());
  const int size = static_cast<int>(number_size);
  const bool fits = BN_bn2binpad(ECDSA_SIG_get0_r(signature), out, size) == size &&
                    BN_bn2binpad(ECDSA_SIG_get0_s(signature), out + number_size, size) == size;
  ECDSA_SIG_free(signature);
  return fits ? numbers : std::string();
}

std::string numbers_to_der(std::string_view numbers, std::size_t number_size) {
  if (numbers.size() != 2 * number_size) return {};
  ECDSA_SIG* signature = ECDSA_SIG_new();
  const int size = static_cast<int>(number_size);
  ECDSA_SIG_set0(signature, BN_bin2bn(bytes_of(numbers), size, nullptr),
                 BN_bin2bn(bytes_of(numbers) + number_size, size, nullptr));
  unsigned char* der = nullptr;
  const int der_size = i2d_ECDSA_SIG(signature, &der);
  ECDSA_SIG_free(signature);
  std::string result;
  if (der_size > 0) result.assign(reinterpret_cast<char*>(der), static_cast<std::size_t>(der_size));
  OPENSSL_free(der);
  return result;
}

}  // namespace

Result<JwtTokens> JwtTokens::make(const JwtOptions& options) {
  JwtTokens tokens;
  tokens.method_ = find_method(options.sign_method);
  if (tokens.method_ == nullptr)
    return bad("invalid auth signature method \"" + options.sign_method + "\": say RS256, ES256, HS256, EdDSA …");
  if (options.ttl_s <= 0) return bad("a token's ttl is positive");
  tokens.ttl_s_ = options.ttl_s;
  if (tokens.method_->family == Family::kHmac) {
    if (options.private_key.empty()) return bad("missing key data: give priv-key=FILE, the secret");
    tokens.secret_ = options.private_key;
    return tokens;
  }
  if (options.private_key.empty() && options.public_key.empty())
    return bad("missing key data: give priv-key=FILE, or pub-key=FILE to verify alone");
  if (!options.private_key.empty()) tokens.private_key_.reset(read_key(options.private_key, true));
  if (!options.public_key.empty()) tokens.public_key_.reset(read_key(options.public_key, false));
  const auto unusable = [&](const std::string& pem, const Key& key) {
    return !pem.empty() && (key == nullptr || EVP_PKEY_get_base_id(key.get()) != key_type(tokens.method_->family));
  };
  if (unusable(options.private_key, tokens.private_key_) || unusable(options.public_key, tokens.public_key_))
    return bad("a key is not one in PEM for " + options.sign_method);
  if (tokens.private_key_ && tokens.public_key_ &&
      EVP_PKEY_eq(tokens.private_key_.get(), tokens.public_key_.get()) != 1)
    return bad("public and private keys don't match");
  return tokens;
}

Result<std::string> JwtTokens::assign(std::string_view user, std::uint64_t revision, std::int64_t unix_s) const {
  if (secret_.empty() && private_key_ == nullptr)
    return Status(StatusCode::kFailedPrecondition, "auth: token signing attempted with verify-only key");
  google::protobuf::Struct header;
  (*header.mutable_fields())["alg"].set_string_value(std::string(method_->name));
  (*header.mutable_fields())["typ"].set_string_value("JWT");
  google::protobuf::Struct claims;
  (*claims.mutable_fields())["username"].set_string_value(std::string(user));
  (*claims.mutable_fields())["revision"].set_number_value(static_cast<double>(revision));
  (*claims.mutable_fields())["exp"].set_number_value(static_cast<double>(unix_s + ttl_s_));
  std::string text = to_base64url(to_json(header)) + "." + to_base64url(to_json(claims));
  const std::string signature = sign(text);
  if (signature.empty()) return Status(StatusCode::kInternal, "a token could not be signed");
  return text + "." + to_base64url(signature);
}

std::optional<JwtTokens::Claims> JwtTokens::verify(std::string_view token, std::int64_t unix_s) const {
  const std::size_t first = token.find('.');
  const std::size_t last = token.rfind('.');
  if (token.size() > kTokenSizeMax || first == std::string_view::npos || first == last) return std::nullopt;
  const std::optional<google::protobuf::Struct> header = parse_json(token.substr(0, first));
  if (!header) return std::nullopt;
  // The method is ours to choose, never the token's.
  const google::protobuf::Value* method = field(*header, "alg");
  if (method == nullptr || method->string_value() != method_->name) return std::nullopt;
  const std::optional<std::string> signature = from_base64url(token.substr(last + 1));
  if (!signature || !signature_holds(token.substr(0, last), *signature)) return std::nullopt;

  const std::optional<google::protobuf::Struct> claims = parse_json(token.substr(first + 1, last - first - 1));
  if (!claims) return std::nullopt;
  const google::protobuf::Value* user = field(*claims, "username");
  const google::protobuf::Value* revision = field(*claims, "revision");
  const google::protobuf::Value* expiry = field(*claims, "exp");
  if (user == nullptr || user->kind_case() != google::protobuf::Value::kStringValue) return std::nullopt;
  if (revision == nullptr || !(revision->number_value() >= 1 && revision->number_value() < 0x1p53)) return std::nullopt;
  if (expiry != nullptr && !(expiry->number_value() > static_cast<double>(unix_s))) return std::nullopt;
  return Claims{.user = user->string_value(), .revision = static_cast<std::uint64_t>(revision->number_value())};
}

std::string JwtTokens::sign(std::string_view text) const {
  const EVP_MD* digest = digest_of(method_->digest);
  if (method_->family == Family::kHmac) {
    std::array<unsigned char, EVP_MAX_MD_SIZE> code;
    unsigned size = 0;
    if (HMAC(digest, secret_.data(), static_cast<int>(secret_.size()), bytes_of(text), text.size(), code.data(),
             &size) == nullptr)
      return {};
    return {reinterpret_cast<const char*>(code.data()), size};
  }
  const Context context(EVP_MD_CTX_new());
  EVP_PKEY_CTX* key_context = nullptr;
  if (EVP_DigestSignInit(context.get(), &key_context, digest, nullptr, private_key_.get()) != 1) return {};
  if (method_->family == Family::kRsaPss && !set_pss(key_context, RSA_PSS_SALTLEN_DIGEST)) return {};
  std::size_t size = 0;
  if (EVP_DigestSign(context.get(), nullptr, &size, bytes_of(text), text.size()) != 1) return {};
  std::string signature(size, '\0');
  if (EVP_DigestSign(context.get(), reinterpret_cast<unsigned char*>(signature.data()), &size, bytes_of(text),
                     text.size()) != 1)
    return {};
  signature.resize(size);
  return method_->family == Family::kEcdsa ? der_to_numbers(signature, method_->number_size) : signature;
}

bool JwtTokens::signature_holds(std::string_view text, std::string_view signature) const {
  if (method_->family == Family::kHmac) {
    const std::string expected = sign(text);
    return !expected.empty() && expected.size() == signature.size() &&
           CRYPTO_memcmp(expected.data(), signature.data(), expected.size()) == 0;
  }
  std::string converted;
  if (method_->family == Family::kEcdsa) {
    converted = numbers_to_der(signature, method_->number_size);
    signature = converted;
  }
  EVP_PKEY* key = public_key_ ? public_key_.get() : private_key_.get();
  const Context context(EVP_MD_CTX_new());
  EVP_PKEY_CTX* key_context = nullptr;
  if (EVP_DigestVerifyInit(context.get(), &key_context, digest_of(method_->digest), nullptr, key) != 1) return false;
  if (method_->family == Family::kRsaPss && !set_pss(key_context, RSA_PSS_SALTLEN_AUTO)) return false;
  return EVP_DigestVerify(context.get(), bytes_of(signature), signature.size(), bytes_of(text), text.size()) == 1;
}

}  // namespace minigrpc::auth
