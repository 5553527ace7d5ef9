// Model: users, roles and permissions, and who may do what: etcd's rules.
//
//   Result<Model> next = model.with_role_granted("alice", "reader");   // the old one stays as it is
//   if (Status status = next->check("alice", Right::kRead, {"a", "b"}); !status.ok()) refuse(status);
//
// A value: every change makes a new model that shares what did not change. Pure. Thread rule: like the standard
// containers.
#pragma once

#include <minigrpc/result.h>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace minigrpc::auth {

// The user and the role that may do everything.
inline constexpr std::string_view kRoot = "root";

enum class Right : std::uint8_t { kRead, kWrite };

// Which keys: as everywhere in etcd's API, an empty end is the key alone, and "\0" every key from `key` on.
struct Keys {
  std::string_view key{};
  std::string_view range_end{};
};

enum class PermissionType : std::uint8_t { kRead, kWrite, kReadWrite };

struct Permission {
  PermissionType type = PermissionType::kRead;
  std::string key;
  std::string range_end;

  bool gives(Right right) const {
    return type == PermissionType::kReadWrite || (type == PermissionType::kRead) == (right == Right::kRead);
  }
  friend bool operator==(const Permission&, const Permission&) = default;
};

struct Role {
  std::string name;
  std::vector<Permission> permissions;  // in order of key
};

struct User {
  std::string name;
  std::string password_hash;       // bcrypt, "$2a$…"
  std::vector<std::string> roles;  // in order
  bool no_password = false;        // signs in with a certificate only

  bool has_role(std::string_view role) const;
};

class Model {
 public:
  template <class T>
  using Table = std::map<std::string, std::shared_ptr<const T>, std::less<>>;

  bool enabled() const { return enabled_; }
  // Counts the changes: what was decided by an older one is to be decided again.
  std::uint64_t revision() const { return revision_; }
  const Table<User>& users() const { return users_; }
  const Table<Role>& roles() const { return roles_; }
  // nullptr: there is none.
  const User* user(std::string_view name) const;
  const Role* role(std::string_view name) const;

  // Each is the request of etcd's Auth service of that name. Errors: errors.h. `password_hash` is empty for a user
  // without a password.
  Result<Model> with_enabled() const;
  Model with_disabled() const;
  Result<Model> with_user(User user) const;
  Result<Model> without_user(std::string_view name) const;
  Result<Model> with_password(std::string_view name, std::string password_hash) const;
  Result<Model> with_role_granted(std::string_view user, std::string_view role) const;
  Result<Model> with_role_revoked(std::string_view user, std::string_view role) const;
  Result<Model> with_role(std::string_view name) const;
  Result<Model> without_role(std::string_view name) const;
  Result<Model> with_permission(std::string_view role, Permission permission) const;
  Result<Model> without_permission(std::string_view role, Keys keys) const;

  // Whether the user's roles together give the right on every key of `keys`. PERMISSION_DENIED, also for a user who
  // does not exist. It does not ask whether authentication is enabled.
  Status check(std::string_view user, Right right, Keys keys) const;
  // Whether the user has the root role. FAILED_PRECONDITION for one who does not exist.
  Status check_root(std::string_view user) const;

  // From what was stored; revision 0 stands for a model that was never stored.
  static Model restored(bool enabled, std::uint64_t revision, std::vector<User> users, std::vector<Role> roles);

 private:
  Model next() const;
  void put(User user);
  void put(Role role);

  bool enabled_ = false;
  std::uint64_t revision_ = 1;
  Table<User> users_;
  Table<Role> roles_;
};

}  // namespace minigrpc::auth
