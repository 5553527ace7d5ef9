// auth, user, role: who may do what. The outputs are etcdctl's.
#include <minigrpc/etcd_types.h>

#include <cctype>
#include <memory>
#include <string>
#include <vector>

#include "etcd/api/auth.minigrpc.h"
#include "header_text.h"
#include "invocation.h"
#include "json_object.h"
#include "password.h"
#include "registry_call.h"
#include "text.h"
#include "verbs.h"

namespace minigrpc::cli {

namespace {

using AuthClient = etcdserverpb::Auth::Client;

// Makes one call and prints its answer: `text` in the simple format, and what `rest` adds behind the header in JSON.
class AuthCall {
 public:
  explicit AuthCall(Invocation& invocation) : invocation_(invocation), calls_(invocation) {}

  template <class Request, class Response>
  Result<Response> ask(Task<Result<Response>> (AuthClient::*method)(const Request&, CallOptions) const,
                       const Request& request) {
    return calls_.ask(method, request);
  }

  template <class Response>
  int print(const Response& response, const std::string& text, const std::string& json_rest = {},
            const std::string& fields_rest = {}) {
    switch (invocation_.format()) {
      case OutputFormat::kJson:
        invocation_.out() << R"({"header":)" << header_json(response.header()) << (json_rest.empty() ? "" : ",")
                          << json_rest << "}\n";
        break;
      case OutputFormat::kFields:
        invocation_.out() << header_fields(response.header()) << fields_rest;
        break;
      case OutputFormat::kProtobuf:
        invocation_.out() << response.SerializeAsString();
        break;
      case OutputFormat::kSimple:
      case OutputFormat::kTable:
        invocation_.out() << text;
        break;
    }
    return 0;
  }

  // The usual verb: one call, one sentence.
  template <class Request, class Response>
  int run(Task<Result<Response>> (AuthClient::*method)(const Request&, CallOptions) const, const Request& request,
          const std::string& text) {
    const Result<Response> response = ask(method, request);
    return response ? print(*response, text + "\n") : invocation_.fail(response.error());
  }

  Invocation& invocation() { return invocation_; }

 private:
  Invocation& invocation_;
  RegistryCalls<AuthClient> calls_;
};

// ---- auth ----

// etcd enables authentication only with a user root that has the role root; etcdctl makes up for the role.
int auth_enable(Invocation& invocation, const Arguments&) {
  AuthCall call(invocation);
  Result<etcdserverpb::AuthEnableResponse> response = call.ask(&AuthClient::AuthEnable, {});
  if (!response && response.error().message().find("root user does not have root role") != std::string::npos) {
    etcdserverpb::AuthRoleAddRequest role;
    role.set_name("root");
    (void)call.ask(&AuthClient::RoleAdd, role);  // it may be there
    etcdserverpb::AuthUserGrantRoleRequest grant;
    grant.set_user("root");
    grant.set_role("root");
    if (const auto granted = call.ask(&AuthClient::UserGrantRole, grant); !granted) return invocation.fail(granted.error());
    response = call.ask(&AuthClient::AuthEnable, {});
  }
  if (!response) return invocation.fail(response.error());
  invocation.out() << "Authentication Enabled\n";  // in every format, as etcdctl
  return 0;
}

int auth_disable(Invocation& invocation, const Arguments&) {
  const auto response = AuthCall(invocation).ask(&AuthClient::AuthDisable, {});
  if (!response) return invocation.fail(response.error());
  invocation.out() << "Authentication Disabled\n";
  return 0;
}

int auth_status(Invocation& invocation, const Arguments&) {
  AuthCall call(invocation);
  const Result<etcdserverpb::AuthStatusResponse> status = call.ask(&AuthClient::AuthStatus, {});
  if (!status) return invocation.fail(status.error());
  const std::string revision = std::to_string(status->authrevision());
  const std::string enabled = status->enabled() ? "true" : "false";
  std::string json = status->enabled() ? R"("enabled":true)" : "";
  if (status->authrevision() != 0) json += (json.empty() ? "" : ",") + (R"("authRevision":)" + revision);
  return call.print(*status, "Authentication Status: " + enabled + "\nAuthRevision: " + revision + "\n", json,
                    "\"Enabled\" : " + enabled + "\n\"AuthRevision\" : " + revision + "\n");
}

// ---- user ----

struct UserFlags {
  std::string new_password;
  bool no_password = false;
  bool interactive = true;
  bool detail = false;
};

int user_add(Invocation& invocation, const UserFlags& flags, const Arguments& arguments) {
  if (arguments.size() != 1)
    return invocation.fail(Exit::kBadArguments, "user add command requires user name as its argument");
  etcdserverpb::AuthUserAddRequest request;
  const std::size_t colon = arguments[0].find(':');
  request.set_name(arguments[0].substr(0, colon));
  if (request.name().empty()) return invocation.fail(Exit::kBadArguments, "empty user name is not allowed");
  request.mutable_options()->set_no_password(flags.no_password);
  if (!flags.no_password) {
    if (!flags.new_password.empty())
      request.set_password(flags.new_password);
    else if (colon != std::string::npos)
      request.set_password(arguments[0].substr(colon + 1));
    else
      request.set_password(read_password(invocation.in(), invocation.err(), request.name()));
    if (request.password().empty())
      return invocation.fail(Exit::kBadArguments, "the password is empty; --no-password makes a user without one");
  }
  return AuthCall(invocation).run(&AuthClient::UserAdd, request, "User " + request.name() + " created");
}

int user_passwd(Invocation& invocation, const Arguments& arguments) {
  if (arguments.size() != 1)
    return invocation.fail(Exit::kBadArguments, "user passwd command requires user name as its argument");
  etcdserverpb::AuthUserChangePasswordRequest request;
  request.set_name(arguments[0]);
  request.set_password(read_password(invocation.in(), invocation.err(), arguments[0]));
  if (request.password().empty()) return invocation.fail(Exit::kBadArguments, "the password is empty");
  return AuthCall(invocation).run(&AuthClient::UserChangePassword, request, "Password updated");
}

int user_delete(Invocation& invocation, const Arguments& arguments) {
  if (arguments.size() != 1)
    return invocation.fail(Exit::kBadArguments, "user delete command requires user name as its argument");
  etcdserverpb::AuthUserDeleteRequest request;
  request.set_name(arguments[0]);
  return AuthCall(invocation).run(&AuthClient::UserDelete, request, "User " + arguments[0] + " deleted");
}

template <class Names>
std::string lines_of(const Names& names) {
  std::string text;
  for (const std::string& name : names) text += name + "\n";
  return text;
}

template <class Names>
std::string json_list(std::string_view field, const Names& names) {
  JsonList list;
  for (const std::string& name : names) list.add(json_quoted(name));
  return list.empty() ? std::string() : json_quoted(field) + ":" + list.text();
}

int user_list(Invocation& invocation, const Arguments&) {
  AuthCall call(invocation);
  const Result<etcdserverpb::AuthUserListResponse> users = call.ask(&AuthClient::UserList, {});
  if (!users) return invocation.fail(users.error());
  return call.print(*users, lines_of(users->users()), json_list("users", users->users()));
}

// "k", "[a, b)", "[p/, p0) (prefix p/)", "[z, <open ended>".
std::string range_text(const std::string& key, const std::string& range_end) {
  if (range_end.empty()) return key;
  if (range_end == std::string(1, '\0')) return "[" + key + ", <open ended>";
  std::string text = "[" + key + ", " + range_end + ")";
  if (etcd::KeyRange::prefix(key).range_end == range_end) text += " (prefix " + key + ")";
  return text;
}

std::string role_text(const std::string& name, const etcdserverpb::AuthRoleGetResponse& role) {
  std::string text = "Role " + name + "\n";
  struct Part {
    std::string_view title;
    authpb::Permission::Type type;
  };
  for (const Part& part : {Part{"KV Read:\n", authpb::Permission::READ}, Part{"KV Write:\n", authpb::Permission::WRITE}}) {
    text += part.title;
    for (const authpb::Permission& permission : role.perm())
      if (permission.permtype() == part.type || permission.permtype() == authpb::Permission::READWRITE)
        text += "\t" + range_text(permission.key(), permission.range_end()) + "\n";
  }
  return text;
}

Result<etcdserverpb::AuthRoleGetResponse> ask_role(AuthCall& call, const std::string& name) {
  etcdserverpb::AuthRoleGetRequest request;
  request.set_role(name);
  return call.ask(&AuthClient::RoleGet, request);
}

int user_get(Invocation& invocation, bool detail, const Arguments& arguments) {
  if (arguments.size() != 1)
    return invocation.fail(Exit::kBadArguments, "user get command requires user name as its argument");
  AuthCall call(invocation);
  etcdserverpb::AuthUserGetRequest request;
  request.set_name(arguments[0]);
  const Result<etcdserverpb::AuthUserGetResponse> user = call.ask(&AuthClient::UserGet, request);
  if (!user) return invocation.fail(user.error());
  std::string text = "User: " + arguments[0] + "\n";
  if (!detail) {
    text += "Roles:";
    for (const std::string& role : user->roles()) text += " " + role;
    text += "\n";
  }
  for (const std::string& name : user->roles()) {
    if (!detail) break;
    const Result<etcdserverpb::AuthRoleGetResponse> role = ask_role(call, name);
    if (!role) return invocation.fail(role.error());
    text += "\n" + role_text(name, *role);
  }
  return call.print(*user, text, json_list("roles", user->roles()));
}

int user_grant_role(Invocation& invocation, const Arguments& arguments) {
  if (arguments.size() != 2)
    return invocation.fail(Exit::kBadArguments, "user grant command requires user name and role name as its argument");
  etcdserverpb::AuthUserGrantRoleRequest request;
  request.set_user(arguments[0]);
  request.set_role(arguments[1]);
  return AuthCall(invocation)
      .run(&AuthClient::UserGrantRole, request, "Role " + arguments[1] + " is granted to user " + arguments[0]);
}

int user_revoke_role(Invocation& invocation, const Arguments& arguments) {
  if (arguments.size() != 2)
    return invocation.fail(Exit::kBadArguments, "user revoke-role requires user name and role name as its argument");
  etcdserverpb::AuthUserRevokeRoleRequest request;
  request.set_name(arguments[0]);
  request.set_role(arguments[1]);
  return AuthCall(invocation)
      .run(&AuthClient::UserRevokeRole, request, "Role " + arguments[1] + " is revoked from user " + arguments[0]);
}

// ---- role ----

int role_add(Invocation& invocation, const Arguments& arguments) {
  if (arguments.size() != 1)
    return invocation.fail(Exit::kBadArguments, "role add command requires role name as its argument");
  etcdserverpb::AuthRoleAddRequest request;
  request.set_name(arguments[0]);
  return AuthCall(invocation).run(&AuthClient::RoleAdd, request, "Role " + arguments[0] + " created");
}

int role_delete(Invocation& invocation, const Arguments& arguments) {
  if (arguments.size() != 1)
    return invocation.fail(Exit::kBadArguments, "role delete command requires role name as its argument");
  etcdserverpb::AuthRoleDeleteRequest request;
  request.set_role(arguments[0]);
  return AuthCall(invocation).run(&AuthClient::RoleDelete, request, "Role " + arguments[0] + " deleted");
}

int role_list(Invocation& invocation, const Arguments&) {
  AuthCall call(invocation);
  const Result<etcdserverpb::AuthRoleListResponse> roles = call.ask(&AuthClient::RoleList, {});
  if (!roles) return invocation.fail(roles.error());
  return call.print(*roles, lines_of(roles->roles()), json_list("roles", roles->roles()));
}

int role_get(Invocation& invocation, const Arguments& arguments) {
  if (arguments.size() != 1)
    return invocation.fail(Exit::kBadArguments, "role get command requires role name as its argument");
  AuthCall call(invocation);
  const Result<etcdserverpb::AuthRoleGetResponse> role = ask_role(call, arguments[0]);
  if (!role) return invocation.fail(role.error());
  JsonList permissions;
  std::string fields;
  for (const authpb::Permission& permission : role->perm()) {
    JsonObject object;
    object.number_unless_zero("permType", static_cast<int>(permission.permtype()));
    object.bytes_unless_empty("key", permission.key()).bytes_unless_empty("range_end", permission.range_end());
    permissions.add(object.text());
    fields += "\"PermType\" :  " + authpb::Permission::Type_Name(permission.permtype()) +
              "\n\"Key\" : " + go_quoted(permission.key()) + "\n\"RangeEnd\" : " + go_quoted(permission.range_end()) + "\n";
  }
  return call.print(*role, role_text(arguments[0], *role),
                    permissions.empty() ? std::string() : R"("perm":)" + permissions.text(), fields);
}

struct RangeFlags {
  bool prefix = false;
  bool from_key = false;
};

// The keys that the words from `first` on name; INVALID_ARGUMENT in etcdctl's words.
Result<etcd::KeyRange> permission_range(const RangeFlags& flags, const Arguments& arguments, std::size_t first) {
  const auto bad = [](std::string message) { return Status(StatusCode::kInvalidArgument, std::move(message)); };
  if (flags.prefix && flags.from_key)
    return bad("--from-key and --prefix flags are mutually exclusive");
  const std::string& key = arguments[first];
  const bool has_end = arguments.size() > first + 1;
  if (has_end && (flags.prefix || flags.from_key))
    return bad("unexpected endkey argument with --prefix or --from-key flag");
  if (flags.prefix) return etcd::KeyRange::prefix(key);
  if (flags.from_key) return etcd::KeyRange{key.empty() ? std::string(1, '\0') : key, std::string(1, '\0')};
  if (has_end) return etcd::KeyRange{key, arguments[first + 1]};
  return etcd::KeyRange::single(key);
}

int role_grant(Invocation& invocation, const RangeFlags& flags, const Arguments& arguments) {
  if (arguments.size() < 3 || arguments.size() > 4)
    return invocation.fail(
        Exit::kBadArguments,
        "role grant command requires role name, permission type, and key [endkey] as its argument");
  etcdserverpb::AuthRoleGrantPermissionRequest request;
  request.set_name(arguments[0]);
  std::string type = arguments[1];
  for (char& c : type) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  authpb::Permission::Type parsed = authpb::Permission::READ;
  if (!authpb::Permission::Type_Parse(type, &parsed))
    return invocation.fail(Exit::kBadArguments, "invalid permission type: " + arguments[1]);
  const Result<etcd::KeyRange> range = permission_range(flags, arguments, 2);
  if (!range) return invocation.fail(Exit::kBadArguments, range.error().message());
  request.mutable_perm()->set_permtype(parsed);
  request.mutable_perm()->set_key(range->key);
  request.mutable_perm()->set_range_end(range->range_end);
  return AuthCall(invocation).run(&AuthClient::RoleGrantPermission, request, "Role " + arguments[0] + " updated");
}

int role_revoke(Invocation& invocation, const RangeFlags& flags, const Arguments& arguments) {
  if (arguments.size() < 2 || arguments.size() > 3)
    return invocation.fail(Exit::kBadArguments,
                           "role revoke-permission command requires role name and key [endkey] as its argument");
  const Result<etcd::KeyRange> range = permission_range(flags, arguments, 1);
  if (!range) return invocation.fail(Exit::kBadArguments, range.error().message());
  etcdserverpb::AuthRoleRevokePermissionRequest request;
  request.set_role(arguments[0]);
  request.set_key(range->key);
  request.set_range_end(range->range_end);
  std::string what = "key " + range->key;
  if (range->range_end == std::string(1, '\0'))
    what = "range [" + range->key + ", <open ended>";
  else if (!range->range_end.empty())
    what = "range [" + range->key + ", " + range->range_end + ")";
  return AuthCall(invocation)
      .run(&AuthClient::RoleRevokePermission, request,
           "Permission of " + what + " is revoked from role " + arguments[0]);
}

Verb simple_verb(std::string path, std::string arguments, std::string summary, std::string example,
                 int (*run)(Invocation&, const Arguments&)) {
  Verb verb{.path = std::move(path), .arguments = std::move(arguments), .summary = std::move(summary)};
  verb.examples = std::move(example);
  verb.run = run;
  return verb;
}

Verb user_add_verb() {
  auto flags = std::make_shared<UserFlags>();
  Verb verb{.path = "user add", .arguments = "<name[:password]>", .summary = "Add a user"};
  verb.description = "Without a password it is read from the standard input.";
  verb.examples = "minigrpc user add anna\nminigrpc user add --no-password robot        signs in by certificate";
  verb.flags.add("new-user-password", &flags->new_password, "the password");
  verb.flags.add("no-password", &flags->no_password, "the user cannot sign in with a password");
  verb.flags.add("interactive", &flags->interactive, "as in etcdctl; the standard input is read either way");
  verb.run = [flags](Invocation& invocation, const Arguments& arguments) {
    return user_add(invocation, *flags, arguments);
  };
  return verb;
}

Verb user_passwd_verb() {
  auto flags = std::make_shared<UserFlags>();
  Verb verb = simple_verb("user passwd", "<name>", "Change a user's password", "minigrpc user passwd anna", user_passwd);
  verb.description = "The password is read from the standard input.";
  verb.flags.add("interactive", &flags->interactive, "as in etcdctl; the standard input is read either way");
  verb.run = [flags](Invocation& invocation, const Arguments& arguments) { return user_passwd(invocation, arguments); };
  return verb;
}

Verb user_get_verb() {
  auto flags = std::make_shared<UserFlags>();
  Verb verb{.path = "user get", .arguments = "<name>", .summary = "Tell the roles of a user"};
  verb.examples = "minigrpc user get anna --detail";
  verb.flags.add("detail", &flags->detail, "the permissions of each role");
  verb.run = [flags](Invocation& invocation, const Arguments& arguments) {
    return user_get(invocation, flags->detail, arguments);
  };
  return verb;
}

Verb range_verb(std::string path, std::string arguments, std::string summary, std::string example,
                int (*run)(Invocation&, const RangeFlags&, const Arguments&)) {
  auto flags = std::make_shared<RangeFlags>();
  Verb verb{.path = std::move(path), .arguments = std::move(arguments), .summary = std::move(summary)};
  verb.examples = std::move(example);
  verb.flags.add("prefix", &flags->prefix, "all keys that begin so");
  verb.flags.add("from-key", &flags->from_key, "all keys from that one on");
  verb.run = [flags, run](Invocation& invocation, const Arguments& words) { return run(invocation, *flags, words); };
  return verb;
}

}  // namespace

std::vector<Verb> auth_verbs() {
  std::vector<Verb> verbs;
  verbs.push_back(simple_verb("auth enable", "", "Ask everybody who they are", "minigrpc auth enable", auth_enable));
  verbs.push_back(simple_verb("auth disable", "", "Let everybody do everything", "minigrpc auth disable", auth_disable));
  verbs.push_back(simple_verb("auth status", "", "Tell whether users are asked who they are", "minigrpc auth status",
                              auth_status));
  verbs.push_back(user_add_verb());
  verbs.push_back(simple_verb("user delete", "<name>", "Delete a user", "minigrpc user delete anna", user_delete));
  verbs.push_back(user_get_verb());
  verbs.push_back(simple_verb("user list", "", "List the users", "minigrpc user list", user_list));
  verbs.push_back(user_passwd_verb());
  verbs.push_back(simple_verb("user grant-role", "<user> <role>", "Give a user a role",
                              "minigrpc user grant-role anna stock", user_grant_role));
  verbs.push_back(simple_verb("user revoke-role", "<user> <role>", "Take a role from a user",
                              "minigrpc user revoke-role anna stock", user_revoke_role));
  verbs.push_back(simple_verb("role add", "<name>", "Add a role", "minigrpc role add stock", role_add));
  verbs.push_back(simple_verb("role delete", "<name>", "Delete a role", "minigrpc role delete stock", role_delete));
  verbs.push_back(simple_verb("role get", "<name>", "Tell what a role may do", "minigrpc role get stock", role_get));
  verbs.push_back(simple_verb("role list", "", "List the roles", "minigrpc role list", role_list));
  verbs.push_back(range_verb("role grant-permission", "<role> <read|write|readwrite> <key> [range_end]",
                             "Let a role read or write keys",
                             "minigrpc role grant-permission stock readwrite --prefix ProdService/", role_grant));
  verbs.push_back(range_verb("role revoke-permission", "<role> <key> [range_end]", "Take a permission from a role",
                             "minigrpc role revoke-permission stock --prefix ProdService/", role_revoke));
  for (Verb& verb : verbs) verb.has_protobuf = true;
  return verbs;
}

}  // namespace minigrpc::cli
