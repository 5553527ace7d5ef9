// AuthStore: who may do what, as it stands now, and the tokens of those who have signed in.
//
// Changes go through the writer thread: written with store_changes(), and published once they are on disk, so that
// whoever hears of a change's success finds it in force.
//
// Thread rule: any thread.
#pragma once

#include <minigrpc/registry.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "auth/jwt.h"
#include "auth/model.h"
#include "auth/simple_tokens.h"
#include "store/store.h"

namespace minigrpc::registry {

// The records that lead from one model to the other, into the batch. They are those of etcd's database, each under its
// bucket's name: "authUsers/NAME" and "authRoles/NAME" as authpb's messages, "auth/authEnabled" as one byte,
// "auth/authRevision" as eight, so that snapshots take them as they are.
Status store_changes(const auth::Model& before, const auth::Model& after, store::WriteBatch& batch);
// What they say. DATA_LOSS when they do not decode.
Result<auth::Model> restore_model(const store::ReadView& view);

class AuthStore {
 public:
  // What is stored. INVALID_ARGUMENT for an --auth-token that makes no sense; the message says why.
  static Result<std::unique_ptr<AuthStore>> open(const RegistryOptions& options, const store::ReadView& view);
  AuthStore(const AuthStore&) = delete;

  bool enabled() const { return enabled_.load(std::memory_order_acquire); }
  std::uint64_t revision() const { return revision_.load(std::memory_order_acquire); }
  // Counts publish(): what was allowed before may be forbidden now.
  std::uint64_t changes() const { return changes_.load(std::memory_order_acquire); }
  std::shared_ptr<const auth::Model> model() const;
  void publish(auth::Model model);

  // Whether the common name of a client's certificate is a user's name.
  bool client_cert_auth() const { return client_cert_auth_; }
  int bcrypt_cost() const { return bcrypt_cost_; }
  Result<std::string> assign_token(std::string_view user, std::uint64_t revision);
  struct Caller {
    std::string user;
    std::uint64_t revision = 0;  // of the model that it signed in with
  };
  // None: the token is not one of ours, or no more.
  std::optional<Caller> caller_of(std::string_view token);

 private:
  AuthStore(auth::Model model, std::optional<auth::JwtTokens> jwt, const RegistryOptions& options);

  const std::optional<auth::JwtTokens> jwt_;  // none: simple tokens
  auth::SimpleTokens simple_;
  const int bcrypt_cost_;
  const bool client_cert_auth_;
  mutable std::mutex mutex_;
  std::shared_ptr<const auth::Model> model_;
  std::atomic<bool> enabled_;
  std::atomic<std::uint64_t> revision_;
  std::atomic<std::uint64_t> changes_{0};
};

}  // namespace minigrpc::registry
