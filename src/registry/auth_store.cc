#include "registry/auth_store.h"

#include <charconv>
#include <chrono>
#include <cstdio>
#include <map>
#include <utility>
#include <vector>

#include "auth/password.h"
#include "etcd/api/auth_types.pb.h"
#include "registry/writer_thread.h"
#include "store/record.h"

namespace minigrpc::registry {

namespace {

constexpr std::string_view kUsers = "authUsers/";
constexpr std::string_view kRoles = "authRoles/";
constexpr std::string_view kEnabled = "auth/authEnabled";
constexpr std::string_view kRevision = "auth/authRevision";

Status bad(const std::string& message) { return {StatusCode::kInvalidArgument, "--auth-token: " + message}; }

std::string to_bytes(const auth::User& user) {
  authpb::User message;
  message.set_name(user.name);
  message.set_password(user.password_hash);
  for (const std::string& role : user.roles) message.add_roles(role);
  message.mutable_options()->set_no_password(user.no_password);
  return message.SerializeAsString();
}

std::string to_bytes(const auth::Role& role) {
  authpb::Role message;
  message.set_name(role.name);
  for (const auth::Permission& permission : role.permissions) {
    authpb::Permission& one = *message.add_keypermission();
    one.set_permtype(static_cast<authpb::Permission::Type>(permission.type));
    one.set_key(permission.key);
    one.set_range_end(permission.range_end);
  }
  return message.SerializeAsString();
}

std::optional<auth::User> to_user(const std::string& bytes) {
  authpb::User message;
  if (!message.ParseFromString(bytes)) return std::nullopt;
  return auth::User{.name = message.name(),
                    .password_hash = message.password(),
                    .roles = {message.roles().begin(), message.roles().end()},
                    .no_password = message.options().no_password()};
}

std::optional<auth::Role> to_role(const std::string& bytes) {
  authpb::Role message;
  if (!message.ParseFromString(bytes)) return std::nullopt;
  auth::Role role{.name = message.name(), .permissions = {}};
  for (const authpb::Permission& one : message.keypermission()) {
    if (!authpb::Permission::Type_IsValid(one.permtype())) return std::nullopt;
    role.permissions.push_back({static_cast<auth::PermissionType>(one.permtype()), one.key(), one.range_end()});
  }
  return role;
}

// Whoever changes a model puts new objects where something changed: the others are the same ones.
template <class T>
Status store_table(std::string_view prefix, const auth::Model::Table<T>& before, const auth::Model::Table<T>& after,
                   store::WriteBatch& batch) {
  for (const auto& [name, value] : after) {
    const auto old = before.find(name);
    if (old != before.end() && old->second == value) continue;
    if (Status status = batch.put_record(std::string(prefix) + name, to_bytes(*value)); !status.ok()) return status;
  }
  for (const auto& [name, value] : before) {
    if (after.contains(name)) continue;
    if (Status status = batch.erase_record(std::string(prefix) + name); !status.ok()) return status;
  }
  return Status();
}

template <class T, class Decode>
Result<std::vector<T>> restore_table(const store::ReadView& view, std::string_view prefix, Decode decode) {
  const Result<std::vector<store::Record>> records = view.records(prefix);
  if (!records) return records.error();
  std::vector<T> values;
  for (const store::Record& record : *records) {
    std::optional<T> value = decode(record.bytes);
    if (!value) return Status(StatusCode::kDataLoss, "the record " + record.name + " does not decode: restore a snapshot");
    values.push_back(*std::move(value));
  }
  return values;
}

Result<std::string> read_file(const std::string& path) {
  std::FILE* file = std::fopen(path.c_str(), "rb");
  if (file == nullptr) return bad("the file " + path + " cannot be read");
  std::string bytes;
  char buffer[4096];
  for (std::size_t size; (size = std::fread(buffer, 1, sizeof buffer, file)) > 0;) bytes.append(buffer, size);
  std::fclose(file);
  return bytes;
}

// "5m", "30s", "1h": Go's durations of one unit.
std::optional<std::int64_t> duration_s(std::string_view text) {
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  const std::string_view unit(end, static_cast<std::size_t>(text.data() + text.size() - end));
  if (error != std::errc() || number <= 0 || number > 1'000'000) return std::nullopt;
  if (unit == "s") return number;
  if (unit == "m") return number * 60;
  if (unit == "h") return number * 3600;
  return std::nullopt;
}

// "jwt,pub-key=…,priv-key=…,sign-method=…,ttl=…"
Result<auth::JwtTokens> make_jwt(std::string_view text) {
  auth::JwtOptions options;
  std::map<std::string, std::string, std::less<>> given;
  for (std::size_t comma = text.find(','); comma != std::string_view::npos; comma = text.find(',')) {
    text.remove_prefix(comma + 1);
    const std::string_view option = text.substr(0, text.find(','));
    const std::size_t equals = option.find('=');
    if (equals == std::string_view::npos) return bad("\"" + std::string(option) + "\" is no option: say name=value");
    if (!given.emplace(option.substr(0, equals), option.substr(equals + 1)).second)
      return bad("\"" + std::string(option) + "\" is given twice");
  }
  for (const auto& [name, value] : given) {
    if (name == "sign-method") {
      options.sign_method = value;
    } else if (name == "pub-key" || name == "priv-key") {
      Result<std::string> key = read_file(value);
      if (!key) return std::move(key).error();
      (name == "pub-key" ? options.public_key : options.private_key) = *std::move(key);
    } else if (name == "ttl") {
      const std::optional<std::int64_t> ttl_s = duration_s(value);
      if (!ttl_s) return bad("ttl=" + value + " is no duration: say 5m");
      options.ttl_s = *ttl_s;
    } else {
      return bad("\"" + name + "\" is no option of jwt: they are sign-method, pub-key, priv-key, ttl");
    }
  }
  Result<auth::JwtTokens> tokens = auth::JwtTokens::make(options);
  if (!tokens) return bad(tokens.error().message());
  return tokens;
}

std::int64_t unix_s() {
  return std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch()).count();
}

}  // namespace

Status store_changes(const auth::Model& before, const auth::Model& after, store::WriteBatch& batch) {
  if (Status status = store_table(kUsers, before.users(), after.users(), batch); !status.ok()) return status;
  if (Status status = store_table(kRoles, before.roles(), after.roles(), batch); !status.ok()) return status;
  if (before.enabled() != after.enabled())
    if (Status status = batch.put_record(kEnabled, std::string(1, after.enabled() ? '\1' : '\0')); !status.ok())
      return status;
  std::string revision;
  store::append_big_endian(after.revision(), revision);
  return batch.put_record(kRevision, revision);
}

Result<auth::Model> restore_model(const store::ReadView& view) {
  Result<std::vector<auth::User>> users = restore_table<auth::User>(view, kUsers, to_user);
  if (!users) return std::move(users).error();
  Result<std::vector<auth::Role>> roles = restore_table<auth::Role>(view, kRoles, to_role);
  if (!roles) return std::move(roles).error();
  const Result<std::vector<store::Record>> enabled = view.records(kEnabled);
  if (!enabled) return enabled.error();
  const Result<std::vector<store::Record>> revision = view.records(kRevision);
  if (!revision) return revision.error();
  std::uint64_t number = 0;
  if (!revision->empty()) {
    if (revision->front().bytes.size() != 8)
      return Status(StatusCode::kDataLoss, "the auth revision does not decode: restore a snapshot");
    number = store::decode_big_endian(revision->front().bytes);
  }
  return auth::Model::restored(!enabled->empty() && enabled->front().bytes == "\1", number, *std::move(users),
                               *std::move(roles));
}

Result<std::unique_ptr<AuthStore>> AuthStore::open(const RegistryOptions& options, const store::ReadView& view) {
  const std::string kind = options.auth_token.substr(0, options.auth_token.find(','));
  std::optional<auth::JwtTokens> jwt;
  if (kind == "jwt") {
    Result<auth::JwtTokens> tokens = make_jwt(options.auth_token);
    if (!tokens) return std::move(tokens).error();
    jwt = *std::move(tokens);
  } else if (options.auth_token != "simple") {
    return bad("\"" + options.auth_token + "\" is neither simple nor jwt,…");
  }
  Result<auth::Model> model = restore_model(view);
  if (!model) return std::move(model).error();
  return std::unique_ptr<AuthStore>(new AuthStore(*std::move(model), std::move(jwt), options));
}

AuthStore::AuthStore(auth::Model model, std::optional<auth::JwtTokens> jwt, const RegistryOptions& options)
    : jwt_(std::move(jwt)),
      simple_(options.auth_token_ttl.count()),
      bcrypt_cost_(options.bcrypt_cost < auth::kBcryptCostMin || options.bcrypt_cost > auth::kBcryptCostMax
                       ? auth::kBcryptCostDefault
                       : options.bcrypt_cost),
      client_cert_auth_(options.client_cert_auth),
      model_(std::make_shared<const auth::Model>(std::move(model))),
      enabled_(model_->enabled()),
      revision_(model_->revision()) {}

std::shared_ptr<const auth::Model> AuthStore::model() const {
  const std::lock_guard lock(mutex_);
  return model_;
}

void AuthStore::publish(auth::Model model) {
  auto next = std::make_shared<const auth::Model>(std::move(model));
  std::shared_ptr<const auth::Model> before;
  {
    const std::lock_guard lock(mutex_);
    before = std::exchange(model_, next);
    revision_.store(next->revision(), std::memory_order_release);
    enabled_.store(next->enabled(), std::memory_order_release);
    changes_.fetch_add(1, std::memory_order_acq_rel);
  }
  if (!next->enabled()) {
    simple_.forget_all();
    return;
  }
  // Who is gone or has another password signs in again.
  for (const auto& [name, user] : before->users()) {
    const auth::User* now = next->user(name);
    if (now == nullptr || now->password_hash != user->password_hash) simple_.forget_user(name);
  }
}

Result<std::string> AuthStore::assign_token(std::string_view user, std::uint64_t revision) {
  return jwt_ ? jwt_->assign(user, revision, unix_s()) : simple_.assign(user, now_ms());
}

std::optional<AuthStore::Caller> AuthStore::caller_of(std::string_view token) {
  if (jwt_) {
    std::optional<auth::JwtTokens::Claims> claims = jwt_->verify(token, unix_s());
    if (!claims) return std::nullopt;
    return Caller{.user = std::move(claims->user), .revision = claims->revision};
  }
  // Asked for first: a change that comes in between makes the caller's revision old, not its rights.
  const std::uint64_t now = revision();
  std::optional<std::string> user = simple_.user_of(token, now_ms());
  if (!user) return std::nullopt;
  return Caller{.user = *std::move(user), .revision = now};
}

}  // namespace minigrpc::registry
