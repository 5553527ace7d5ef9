// Authenticator: a user's token for etcd's API, asked for when it is first needed and whenever the server
// takes the one at hand for invalid.
//
// Thread rule: any thread.
#pragma once

#include <minigrpc/etcd.h>

#include <mutex>
#include <optional>
#include <string>

namespace minigrpc::etcd {

class Authenticator {
 public:
  // An empty user has no token, and never signs in.
  Authenticator(Runtime& runtime, std::string user, std::string password);

  struct Token {
    std::string text;     // empty: none is needed
    bool is_new = false;  // asked for right now
  };
  // One call of Authenticate at a time, however many wait for it. `channel` is borrowed until the awaited
  // result.
  Task<Result<Token>> token(const Channel& channel, CallOptions options);
  // Whether `failure` says that the token was not accepted, and another one may be: it is forgotten then.
  bool refused(const Status& failure);
  // Of a watch that is denied etcd 3.4 does not say whether it was for the token.
  void forget();

 private:
  Runtime& runtime_;
  const std::string user_;
  const std::string password_;

  // ---- guarded ----
  std::mutex mutex_;
  std::optional<std::string> token_;  // empty text: the server asks nobody who they are
  bool asking_ = false;
  AsyncEvent answered_;
};

}  // namespace minigrpc::etcd
