#include "auth/model.h"

#include <algorithm>
#include <utility>

#include "auth/errors.h"

namespace minigrpc::auth {

namespace {

bool unbounded(std::string_view range_end) { return range_end.size() == 1 && range_end[0] == '\0'; }

// Behind every key of the range: no key lies between "k" and "k\0".
struct End {
  std::string key;
  bool infinite = false;

  static End of(std::string_view key, std::string_view range_end) {
    if (unbounded(range_end)) return {.key = {}, .infinite = true};
    if (range_end.empty()) return {.key = std::string(key) + '\0'};
    return {.key = std::string(range_end)};
  }
  bool before(const End& other) const { return !infinite && (other.infinite || key < other.key); }
};

// A range is covered by permissions that together leave no gap, whichever roles they come from.
bool covers(std::vector<const Permission*> permissions, const Keys& keys) {
  std::ranges::sort(permissions, {}, [](const Permission* one) { return std::string_view(one->key); });
  End reached{.key = std::string(keys.key)};
  End wanted = End::of(keys.key, keys.range_end);
  // A range that holds no key is asked for as its first one.
  if (!reached.before(wanted)) wanted = End::of(keys.key, {});
  for (const Permission* permission : permissions) {
    if (!reached.infinite && permission->key > reached.key) return false;
    const End end = End::of(permission->key, permission->range_end);
    if (reached.before(end)) reached = end;
    if (!reached.before(wanted)) return true;
  }
  return false;
}

bool valid_range(const Permission& permission) {
  return !permission.key.empty() && (permission.range_end.empty() || unbounded(permission.range_end) ||
                                     permission.key < permission.range_end);
}

bool on_keys(const Permission& permission, const Keys& keys) {
  return permission.key == keys.key && permission.range_end == keys.range_end;
}

}  // namespace

bool User::has_role(std::string_view role) const { return std::ranges::find(roles, role) != roles.end(); }

const User* Model::user(std::string_view name) const {
  const auto found = users_.find(name);
  return found == users_.end() ? nullptr : found->second.get();
}

const Role* Model::role(std::string_view name) const {
  const auto found = roles_.find(name);
  return found == roles_.end() ? nullptr : found->second.get();
}

Model Model::next() const {
  Model model = *this;
  ++model.revision_;
  return model;
}

void Model::put(User user) {
  std::string name = user.name;
  users_[std::move(name)] = std::make_shared<const User>(std::move(user));
}

void Model::put(Role role) {
  std::string name = role.name;
  roles_[std::move(name)] = std::make_shared<const Role>(std::move(role));
}

Result<Model> Model::with_enabled() const {
  const User* root = user(kRoot);
  if (root == nullptr) return errors::root_user_not_exist();
  if (!root->has_role(kRoot)) return errors::root_role_not_exist();
  Model model = *this;
  model.enabled_ = true;
  return model;
}

Model Model::with_disabled() const {
  if (!enabled_) return *this;
  Model model = next();
  model.enabled_ = false;
  return model;
}

Result<Model> Model::with_user(User user) const {
  if (user.name.empty()) return errors::user_empty();
  if (users_.contains(user.name)) return errors::user_exists();
  Model model = next();
  model.put(std::move(user));
  return model;
}

Result<Model> Model::without_user(std::string_view name) const {
  if (enabled_ && name == kRoot) return errors::invalid_management();
  if (user(name) == nullptr) return errors::user_not_found();
  Model model = next();
  model.users_.erase(model.users_.find(name));
  return model;
}

Result<Model> Model::with_password(std::string_view name, std::string password_hash) const {
  const User* found = user(name);
  if (found == nullptr) return errors::user_not_found();
  User changed = *found;
  changed.password_hash = changed.no_password ? std::string() : std::move(password_hash);
  Model model = next();
  model.put(std::move(changed));
  return model;
}

Result<Model> Model::with_role_granted(std::string_view user_name, std::string_view role_name) const {
  const User* found = user(user_name);
  if (found == nullptr) return errors::user_not_found();
  // The root role needs nobody to add it.
  if (role_name != kRoot && role(role_name) == nullptr) return errors::role_not_found();
  if (found->has_role(role_name)) return *this;
  User changed = *found;
  changed.roles.insert(std::ranges::upper_bound(changed.roles, role_name), std::string(role_name));
  Model model = next();
  model.put(std::move(changed));
  return model;
}

Result<Model> Model::with_role_revoked(std::string_view user_name, std::string_view role_name) const {
  if (enabled_ && user_name == kRoot && role_name == kRoot) return errors::invalid_management();
  const User* found = user(user_name);
  if (found == nullptr) return errors::user_not_found();
  if (!found->has_role(role_name)) return errors::role_not_granted();
  User changed = *found;
  std::erase(changed.roles, role_name);
  Model model = next();
  model.put(std::move(changed));
  return model;
}

Result<Model> Model::with_role(std::string_view name) const {
  if (name.empty()) return errors::role_empty();
  if (role(name) != nullptr) return errors::role_exists();
  Model model = next();
  model.put(Role{.name = std::string(name), .permissions = {}});
  return model;
}

Result<Model> Model::without_role(std::string_view name) const {
  if (enabled_ && name == kRoot) return errors::invalid_management();
  if (role(name) == nullptr) return errors::role_not_found();
  Model model = next();
  model.roles_.erase(model.roles_.find(name));
  for (const auto& [user_name, user] : users_) {
    if (!user->has_role(name)) continue;
    User changed = *user;
    std::erase(changed.roles, name);
    model.put(std::move(changed));
  }
  return model;
}

Result<Model> Model::with_permission(std::string_view role_name, Permission permission) const {
  // etcd before 3.6 takes a range that holds no key, and then answers as if it held some.
  if (!valid_range(permission)) return errors::invalid_management();
  const Role* found = role(role_name);
  if (found == nullptr) return errors::role_not_found();
  Role changed = *found;
  const auto same = std::ranges::find_if(changed.permissions, [&](const Permission& one) {
    return on_keys(one, {permission.key, permission.range_end});
  });
  if (same != changed.permissions.end()) {
    same->type = permission.type;
  } else {
    const auto place = std::ranges::upper_bound(changed.permissions, permission.key, {}, &Permission::key);
    changed.permissions.insert(place, std::move(permission));
  }
  Model model = next();
  model.put(std::move(changed));
  return model;
}

Result<Model> Model::without_permission(std::string_view role_name, Keys keys) const {
  const Role* found = role(role_name);
  if (found == nullptr) return errors::role_not_found();
  Role changed = *found;
  if (std::erase_if(changed.permissions, [&](const Permission& one) { return on_keys(one, keys); }) == 0)
    return errors::permission_not_granted();
  Model model = next();
  model.put(std::move(changed));
  return model;
}

Status Model::check(std::string_view user_name, Right right, Keys keys) const {
  const User* found = user(user_name);
  if (found == nullptr) return errors::permission_denied();
  if (found->has_role(kRoot)) return Status();
  std::vector<const Permission*> permissions;
  for (const std::string& name : found->roles) {
    const Role* one = role(name);
    if (one == nullptr) continue;
    for (const Permission& permission : one->permissions)
      if (permission.gives(right)) permissions.push_back(&permission);
  }
  return covers(std::move(permissions), keys) ? Status() : errors::permission_denied();
}

Status Model::check_root(std::string_view user_name) const {
  const User* found = user(user_name);
  if (found == nullptr) return errors::user_not_found();
  return found->has_role(kRoot) ? Status() : errors::permission_denied();
}

Model Model::restored(bool enabled, std::uint64_t revision, std::vector<User> users, std::vector<Role> roles) {
  Model model;
  model.enabled_ = enabled;
  model.revision_ = std::max<std::uint64_t>(revision, 1);
  for (User& user : users) model.put(std::move(user));
  for (Role& role : roles) model.put(std::move(role));
  return model;
}

}  // namespace minigrpc::auth
