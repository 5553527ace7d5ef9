// Passwords as bcrypt hashes, "$2a$…": those of etcd are good here, and ours there.
//
// Thread rule: free functions. A hash takes tens of milliseconds: off the event loop.
#pragma once

#include <minigrpc/result.h>

#include <string>
#include <string_view>

namespace minigrpc::auth {

inline constexpr int kBcryptCostMin = 4;
inline constexpr int kBcryptCostMax = 31;
inline constexpr int kBcryptCostDefault = 10;

// INVALID_ARGUMENT for a password that holds a zero byte or has more than 72 bytes: bcrypt would not look behind them.
Result<std::string> hash_password(const std::string& password, int cost);
bool password_matches(const std::string& password, const std::string& hash);

}  // namespace minigrpc::auth
