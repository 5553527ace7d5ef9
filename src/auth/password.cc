#include "auth/password.h"

#include <crypt.h>
#include <openssl/crypto.h>
#include <openssl/rand.h>

#include <array>
#include <memory>

namespace minigrpc::auth {

namespace {

constexpr std::size_t kPasswordSizeMax = 72;
constexpr std::size_t kSaltSize = 16;

// Empty: bcrypt cannot be had with this setting.
std::string bcrypt(const std::string& password, const std::string& setting) {
  // 32 KiB: too much for the stack of a small worker thread.
  const auto data = std::make_unique<crypt_data>();
  const char* hash = crypt_rn(password.c_str(), setting.c_str(), data.get(), sizeof *data);
  std::string result = hash == nullptr ? std::string() : std::string(hash);
  OPENSSL_cleanse(data.get(), sizeof *data);
  return result;
}

}  // namespace

Result<std::string> hash_password(const std::string& password, int cost) {
  if (password.size() > kPasswordSizeMax || password.find('\0') != std::string::npos)
    return Status(StatusCode::kInvalidArgument, "bcrypt: password length exceeds 72 bytes, or it holds a zero byte");
  std::array<unsigned char, kSaltSize> salt;
  if (RAND_bytes(salt.data(), static_cast<int>(salt.size())) != 1)
    return Status(StatusCode::kInternal, "no random bytes for a password's salt");
  std::array<char, CRYPT_GENSALT_OUTPUT_SIZE> setting;
  const char* made = crypt_gensalt_rn("$2a$", static_cast<unsigned long>(cost),
                                      reinterpret_cast<const char*>(salt.data()), static_cast<int>(salt.size()),
                                      setting.data(), static_cast<int>(setting.size()));
  std::string hash = made == nullptr ? std::string() : bcrypt(password, made);
  if (hash.empty()) return Status(StatusCode::kInternal, "the system's crypt library has no bcrypt");
  return hash;
}

bool password_matches(const std::string& password, const std::string& hash) {
  if (hash.empty() || password.size() > kPasswordSizeMax || password.find('\0') != std::string::npos) return false;
  const std::string again = bcrypt(password, hash);
  return again.size() == hash.size() && CRYPTO_memcmp(again.data(), hash.data(), hash.size()) == 0;
}

}  // namespace minigrpc::auth
