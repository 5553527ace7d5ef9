// SimpleTokens: random words that stand for users who have signed in. They live in this process alone, as long as
// they are used.
//
// Thread rule: any thread. Time is an argument.
#pragma once

#include <minigrpc/result.h>

#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

namespace minigrpc::auth {

class SimpleTokens {
 public:
  // A token ends that was not used for so long; etcd's --auth-token-ttl.
  explicit SimpleTokens(std::int64_t ttl_ms) : ttl_ms_(ttl_ms) {}

  // RESOURCE_EXHAUSTED when kTokensMax are in use.
  Result<std::string> assign(std::string_view user, std::int64_t now_ms);
  // Whose it is; none: it never was, or has ended.
  std::optional<std::string> user_of(std::string_view token, std::int64_t now_ms);
  void forget_user(std::string_view user);
  void forget_all();

 private:
  // The threat is a client that signs in for every call.
  static constexpr std::size_t kTokensMax = 100'000;

  struct Token {
    std::string user;
    std::int64_t deadline_ms = 0;
  };
  struct StringHash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
  };

  const std::int64_t ttl_ms_;
  std::mutex mutex_;
  std::unordered_map<std::string, Token, StringHash, std::equal_to<>> tokens_;
  std::int64_t next_sweep_ms_ = 0;
  std::uint64_t last_number_ = 0;
};

}  // namespace minigrpc::auth
