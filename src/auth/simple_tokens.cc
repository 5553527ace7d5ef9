#include "auth/simple_tokens.h"

#include <openssl/rand.h>

#include <array>

namespace minigrpc::auth {

namespace {
// 24 letters of 64: nobody guesses 144 bits.
constexpr std::size_t kLetters = 24;
constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
}  // namespace

Result<std::string> SimpleTokens::assign(std::string_view user, std::int64_t now_ms) {
  std::array<unsigned char, kLetters> random;
  if (RAND_bytes(random.data(), static_cast<int>(random.size())) != 1)
    return Status(StatusCode::kInternal, "no random bytes for a token");
  std::string token;
  for (const unsigned char byte : random) token += kAlphabet[byte % kAlphabet.size()];

  const std::lock_guard lock(mutex_);
  if (now_ms >= next_sweep_ms_) {
    std::erase_if(tokens_, [&](const auto& entry) { return entry.second.deadline_ms <= now_ms; });
    next_sweep_ms_ = now_ms + ttl_ms_ / 2;
  }
  if (tokens_.size() >= kTokensMax) return Status(StatusCode::kResourceExhausted, "etcdserver: too many requests");
  // etcd's form: letters, a dot, a number.
  token += "." + std::to_string(++last_number_);
  tokens_[token] = {std::string(user), now_ms + ttl_ms_};
  return token;
}

std::optional<std::string> SimpleTokens::user_of(std::string_view token, std::int64_t now_ms) {
  const std::lock_guard lock(mutex_);
  const auto found = tokens_.find(token);
  if (found == tokens_.end()) return std::nullopt;
  if (found->second.deadline_ms <= now_ms) {
    tokens_.erase(found);
    return std::nullopt;
  }
  found->second.deadline_ms = now_ms + ttl_ms_;
  return found->second.user;
}

void SimpleTokens::forget_user(std::string_view user) {
  const std::lock_guard lock(mutex_);
  std::erase_if(tokens_, [&](const auto& entry) { return entry.second.user == user; });
}

void SimpleTokens::forget_all() {
  const std::lock_guard lock(mutex_);
  tokens_.clear();
}

}  // namespace minigrpc::auth
