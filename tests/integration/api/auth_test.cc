// Auth: users, roles and permissions, and that every path asks for them.
#include "api_test.h"

namespace minigrpc::testing {
namespace {

class Authentication : public Api {
 protected:
  explicit Authentication(std::vector<std::string> flags = {"--bcrypt-cost", "4"}) : Api(std::move(flags)) {}

  void add_user(const std::string& name, const std::string& password) {
    AuthUserAddRequest request;
    request.set_name(name);
    request.set_password(password);
    get(auth.UserAdd(request, options()));
  }
  std::string grant_role_refusal(const std::string& user, const std::string& role) {
    AuthUserGrantRoleRequest request;
    request.set_user(user);
    request.set_role(role);
    return refusal(auth.UserGrantRole(request, options()));
  }
  void grant_role(const std::string& user, const std::string& role) { EXPECT_EQ(grant_role_refusal(user, role), ""); }
  std::string permission_refusal(const std::string& request) {
    return refusal(auth.RoleGrantPermission(parse<AuthRoleGrantPermissionRequest>(request), options()));
  }
  void add_role(const std::string& name, const std::vector<std::string>& permissions) {
    AuthRoleAddRequest request;
    request.set_name(name);
    get(auth.RoleAdd(request, options()));
    for (const std::string& permission : permissions)
      EXPECT_EQ(permission_refusal("name: \"" + name + "\" perm { " + permission + " }"), "");
  }
  // With root, who may do everything, signed in.
  void enable() {
    add_user("root", "secret");
    grant_role("root", "root");
    get(auth.AuthEnable(AuthEnableRequest(), options()));
    sign_in("root", "secret");
  }
  // A user of that name, whose password is the name, with one role of these permissions.
  void add_user_who_may(const std::string& name, const std::vector<std::string>& permissions) {
    add_user(name, name);
    add_role("of " + name, permissions);
    grant_role(name, "of " + name);
  }
  std::string delete_refusal(const std::string& request) {
    return refusal(kv.DeleteRange(parse<DeleteRangeRequest>(request), options()));
  }

  const std::string denied = "PERMISSION_DENIED: etcdserver: permission denied";
};
INSTANTIATE_API_TEST(Authentication);

TEST_P(Authentication, UsersComeAndGo) {
  add_user("bob", "b");
  add_user("alice", "a");
  EXPECT_EQ(refusal(auth.UserAdd(parse<AuthUserAddRequest>(R"(name: "bob" password: "x")"), options())),
            "FAILED_PRECONDITION: etcdserver: user name already exists");
  EXPECT_EQ(refusal(auth.UserAdd(parse<AuthUserAddRequest>(R"(password: "x")"), options())),
            "INVALID_ARGUMENT: etcdserver: user name is empty");
  EXPECT_THAT(get(auth.UserList(AuthUserListRequest(), options())).users(), ElementsAre("alice", "bob"));
  get(auth.UserDelete(parse<AuthUserDeleteRequest>(R"(name: "bob")"), options()));
  const std::string not_found = "FAILED_PRECONDITION: etcdserver: user name not found";
  EXPECT_EQ(refusal(auth.UserDelete(parse<AuthUserDeleteRequest>(R"(name: "bob")"), options())), not_found);
  EXPECT_EQ(refusal(auth.UserGet(parse<AuthUserGetRequest>(R"(name: "bob")"), options())), not_found);
  EXPECT_EQ(refusal(auth.UserChangePassword(parse<AuthUserChangePasswordRequest>(R"(name: "bob" password: "x")"),
                                            options())),
            not_found);
  EXPECT_EQ(grant_role_refusal("bob", "root"), not_found);
}

TEST_P(Authentication, RolesComeAndGo) {
  add_role("reader", {});
  EXPECT_EQ(refusal(auth.RoleAdd(parse<AuthRoleAddRequest>(R"(name: "reader")"), options())),
            "FAILED_PRECONDITION: etcdserver: role name already exists");
  EXPECT_EQ(refusal(auth.RoleAdd(AuthRoleAddRequest(), options())), "INVALID_ARGUMENT: etcdserver: role name is empty");
  add_user("alice", "a");
  const std::string no_role = "FAILED_PRECONDITION: etcdserver: role name not found";
  EXPECT_EQ(grant_role_refusal("alice", "writer"), no_role);
  grant_role("alice", "reader");
  grant_role("alice", "reader");  // again: no error
  add_role("admin", {});
  grant_role("alice", "admin");
  EXPECT_THAT(get(auth.UserGet(parse<AuthUserGetRequest>(R"(name: "alice")"), options())).roles(),
              ElementsAre("admin", "reader"));
  EXPECT_THAT(get(auth.RoleList(AuthRoleListRequest(), options())).roles(), ElementsAre("admin", "reader"));
  get(auth.UserRevokeRole(parse<AuthUserRevokeRoleRequest>(R"(name: "alice" role: "admin")"), options()));
  EXPECT_EQ(refusal(auth.UserRevokeRole(parse<AuthUserRevokeRoleRequest>(R"(name: "alice" role: "admin")"), options())),
            "FAILED_PRECONDITION: etcdserver: role is not granted to the user");
  // A role that goes is taken from everybody.
  get(auth.RoleDelete(parse<AuthRoleDeleteRequest>(R"(role: "reader")"), options()));
  EXPECT_EQ(get(auth.UserGet(parse<AuthUserGetRequest>(R"(name: "alice")"), options())).roles_size(), 0);
  EXPECT_EQ(refusal(auth.RoleDelete(parse<AuthRoleDeleteRequest>(R"(role: "reader")"), options())), no_role);
  EXPECT_EQ(refusal(auth.RoleGet(parse<AuthRoleGetRequest>(R"(role: "reader")"), options())), no_role);
}

TEST_P(Authentication, PermissionsAreListedByKey) {
  add_role("r", {R"(permType: WRITE key: "k")", R"(permType: READ key: "a" range_end: "b")"});
  EXPECT_EQ(permission_refusal(R"(name: "r" perm { permType: READWRITE key: "k" })"), "");
  const AuthRoleGetResponse role = get(auth.RoleGet(parse<AuthRoleGetRequest>(R"(role: "r")"), options()));
  EXPECT_EQ(text(role), R"(perm { key: "a" range_end: "b" } perm { permType: READWRITE key: "k" })");
  EXPECT_EQ(permission_refusal(R"(name: "none" perm { key: "k" })"),
            "FAILED_PRECONDITION: etcdserver: role name not found");
  get(auth.RoleRevokePermission(parse<AuthRoleRevokePermissionRequest>(R"(role: "r" key: "k")"), options()));
  EXPECT_EQ(refusal(auth.RoleRevokePermission(parse<AuthRoleRevokePermissionRequest>(R"(role: "r" key: "a")"), options())),
            "FAILED_PRECONDITION: etcdserver: permission is not granted to the role");
  EXPECT_EQ(refusal(auth.RoleRevokePermission(parse<AuthRoleRevokePermissionRequest>(R"(role: "x" key: "a")"), options())),
            "FAILED_PRECONDITION: etcdserver: role name not found");
}

TEST_P(Authentication, EnablingNeedsRoot) {
  EXPECT_EQ(refusal(auth.AuthEnable(AuthEnableRequest(), options())),
            "FAILED_PRECONDITION: etcdserver: root user does not exist");
  add_user("root", "secret");
  EXPECT_EQ(refusal(auth.AuthEnable(AuthEnableRequest(), options())),
            "FAILED_PRECONDITION: etcdserver: root user does not have root role");
  EXPECT_EQ(refusal(auth.Authenticate(parse<AuthenticateRequest>(R"(name: "root" password: "secret")"))),
            "FAILED_PRECONDITION: etcdserver: authentication is not enabled");
  grant_role("root", "root");
  get(auth.AuthEnable(AuthEnableRequest(), options()));
  const std::string failed = "INVALID_ARGUMENT: etcdserver: authentication failed, invalid user ID or password";
  EXPECT_EQ(refusal(auth.Authenticate(parse<AuthenticateRequest>(R"(name: "root" password: "wrong")"))), failed);
  EXPECT_EQ(refusal(auth.Authenticate(parse<AuthenticateRequest>(R"(name: "nobody" password: "secret")"))), failed);

  const std::string nobody = "INVALID_ARGUMENT: etcdserver: user name is empty";
  EXPECT_EQ(range_refusal(R"(key: "k")"), nobody);
  EXPECT_EQ(put_refusal(R"(key: "k")"), nobody);
  EXPECT_EQ(txn_refusal(R"(success { request_put { key: "k" } })"), nobody);
  EXPECT_EQ(delete_refusal(R"(key: "k")"), nobody);
  EXPECT_EQ(refusal(auth.AuthDisable(AuthDisableRequest(), options())), nobody);
  EXPECT_EQ(refusal(auth.UserList(AuthUserListRequest(), options())), nobody);
  token = "made.up";
  EXPECT_EQ(range_refusal(R"(key: "k")"), "UNAUTHENTICATED: etcdserver: invalid auth token");

  sign_in("root", "secret");
  EXPECT_EQ(put_refusal(R"(key: "k" value: "v")"), "");
  // Enabled already: no error.
  get(auth.AuthEnable(AuthEnableRequest(), options()));
  get(auth.AuthDisable(AuthDisableRequest(), options()));
  token.clear();
  EXPECT_EQ(range_refusal(R"(key: "k")"), "");
}

TEST_P(Authentication, RootStaysRoot) {
  enable();
  const std::string invalid = "INVALID_ARGUMENT: etcdserver: invalid auth management";
  EXPECT_EQ(refusal(auth.UserDelete(parse<AuthUserDeleteRequest>(R"(name: "root")"), options())), invalid);
  EXPECT_EQ(refusal(auth.RoleDelete(parse<AuthRoleDeleteRequest>(R"(role: "root")"), options())), invalid);
  EXPECT_EQ(refusal(auth.UserRevokeRole(parse<AuthUserRevokeRoleRequest>(R"(name: "root" role: "root")"), options())),
            invalid);
}

TEST_P(Authentication, PermissionsHoldOnEveryPathOfTheKeyspace) {
  enable();
  add_user_who_may("alice", {R"(permType: READ key: "read/" range_end: "read0")",
                             R"(permType: WRITE key: "write/" range_end: "write0")",
                             R"(permType: READWRITE key: "both")"});
  for (const char* key : {"read/1", "write/1", "both", "secret"}) put(key, "v");
  sign_in("alice", "alice");

  EXPECT_EQ(range_refusal(R"(key: "read/1")"), "");
  EXPECT_EQ(range_refusal(R"(key: "read/" range_end: "read0")"), "");
  EXPECT_EQ(range_refusal(R"(key: "read/a" range_end: "read/b")"), "");
  EXPECT_EQ(range_refusal(R"(key: "read/" range_end: "read1")"), denied);
  EXPECT_EQ(range_refusal(R"(key: "read/" range_end: "\000")"), denied);
  EXPECT_EQ(range_refusal(R"(key: "rea" range_end: "read0")"), denied);
  EXPECT_EQ(range_refusal(R"(key: "write/1")"), denied);
  EXPECT_EQ(range_refusal(R"(key: "secret" count_only: true)"), denied);
  EXPECT_EQ(range_refusal(R"(key: "secret" serializable: true)"), denied);

  EXPECT_EQ(put_refusal(R"(key: "write/2")"), "");
  EXPECT_EQ(put_refusal(R"(key: "read/2")"), denied);
  EXPECT_EQ(put_refusal(R"(key: "secret")"), denied);
  EXPECT_EQ(put_refusal(R"(key: "write/2" prev_kv: true)"), denied);
  EXPECT_EQ(put_refusal(R"(key: "both" prev_kv: true)"), "");

  EXPECT_EQ(delete_refusal(R"(key: "write/" range_end: "write0")"), "");
  EXPECT_EQ(delete_refusal(R"(key: "write/" range_end: "write0" prev_kv: true)"), denied);
  EXPECT_EQ(delete_refusal(R"(key: "write/" range_end: "x")"), denied);
  EXPECT_EQ(delete_refusal(R"(key: "secret")"), denied);
  EXPECT_EQ(delete_refusal(R"(key: "both" prev_kv: true)"), "");

  const auto nested = [](const std::string& body) { return "failure { request_txn { " + body + " } }"; };
  for (const std::string& forbidden : std::vector<std::string>{
           R"(compare { key: "secret" target: VERSION version: 0 })",
           R"(compare { key: "read/" range_end: "\000" target: VERSION version: 0 })",
           R"(success { request_range { key: "secret" } })",
           R"(failure { request_put { key: "secret" } })",
           R"(success { request_delete_range { key: "secret" } })",
           R"(success { request_delete_range { key: "write/" range_end: "write0" prev_kv: true } })"}) {
    EXPECT_EQ(txn_refusal(forbidden), denied) << forbidden;
    // 3.4 does not look into nested transactions.
    EXPECT_EQ(txn_refusal(nested(forbidden)), is_etcd() ? "" : denied) << forbidden;
  }
  EXPECT_EQ(txn_refusal(R"(compare { key: "read/1" target: VERSION version: 1 }
                           success { request_put { key: "write/3" } } success { request_range { key: "both" } })"),
            "");
  EXPECT_EQ(refusal(auth.UserAdd(parse<AuthUserAddRequest>(R"(name: "eve" password: "e")"), options())), denied);
  EXPECT_EQ(refusal(maintenance.Defragment(DefragmentRequest(), options())),
            is_etcd() ? "UNKNOWN: auth: permission denied" : denied);
}

TEST_P(Authentication, RolesAddUp) {
  enable();
  add_user_who_may("alice", {R"(permType: READ key: "a" range_end: "c")"});
  add_role("more", {R"(permType: READWRITE key: "c" range_end: "e")", R"(permType: READ key: "x" range_end: "\000")"});
  grant_role("alice", "more");
  sign_in("alice", "alice");
  EXPECT_EQ(range_refusal(R"(key: "a" range_end: "e")"), "");
  EXPECT_EQ(range_refusal(R"(key: "b" range_end: "d")"), "");
  EXPECT_EQ(range_refusal(R"(key: "a" range_end: "f")"), denied);
  EXPECT_EQ(range_refusal(R"(key: "x" range_end: "\000")"), "");
  EXPECT_EQ(range_refusal(R"(key: "y" range_end: "z")"), "");
  EXPECT_EQ(delete_refusal(R"(key: "a" range_end: "e")"), denied);
}

TEST_P(Authentication, AUserMayAskForItselfAlone) {
  enable();
  add_user_who_may("alice", {R"(permType: READ key: "k")"});
  add_user("bob", "bob");
  sign_in("alice", "alice");
  EXPECT_THAT(get(auth.UserGet(parse<AuthUserGetRequest>(R"(name: "alice")"), options())).roles(),
              ElementsAre("of alice"));
  EXPECT_EQ(get(auth.RoleGet(parse<AuthRoleGetRequest>(R"(role: "of alice")"), options())).perm_size(), 1);
  EXPECT_EQ(refusal(auth.UserGet(parse<AuthUserGetRequest>(R"(name: "bob")"), options())), denied);
  EXPECT_EQ(refusal(auth.RoleGet(parse<AuthRoleGetRequest>(R"(role: "root")"), options())), denied);
  EXPECT_EQ(refusal(auth.UserList(AuthUserListRequest(), options())), denied);
}

TEST_P(Authentication, AnotherPasswordEndsOldTokens) {
  enable();
  add_user_who_may("alice", {R"(permType: READ key: "k")"});
  const std::string root = token;
  sign_in("alice", "alice");
  const std::string alice = token;
  token = root;
  get(auth.UserChangePassword(parse<AuthUserChangePasswordRequest>(R"(name: "alice" password: "new")"), options()));
  token = alice;
  EXPECT_EQ(range_refusal(R"(key: "k")"), "UNAUTHENTICATED: etcdserver: invalid auth token");
  sign_in("alice", "new");
  EXPECT_EQ(range_refusal(R"(key: "k")"), "");
}

TEST_P(Authentication, LeasesBelongToWhoMayWriteTheirKeys) {
  enable();
  add_user_who_may("alice", {R"(permType: READWRITE key: "alice/" range_end: "alice0")"});
  get(lease.LeaseGrant(parse<LeaseGrantRequest>("ID: 1 TTL: 600"), options()));
  get(lease.LeaseGrant(parse<LeaseGrantRequest>("ID: 2 TTL: 600"), options()));
  put("secret", "v", 1);
  put("alice/1", "v", 2);
  sign_in("alice", "alice");
  EXPECT_EQ(put_refusal(R"(key: "alice/1" lease: 1)"), denied);
  EXPECT_EQ(put_refusal(R"(key: "alice/1" lease: 2)"), "");
  EXPECT_EQ(refusal(lease.LeaseRevoke(parse<LeaseRevokeRequest>("ID: 1"), options())), denied);
  const auto keys_of = [this](const std::string& id) {
    return refusal(lease.LeaseTimeToLive(parse<LeaseTimeToLiveRequest>("ID: " + id + " keys: true"), options()));
  };
  EXPECT_EQ(keys_of("2"), "");
  // 3.4.23 shows the names of keys to everybody (CVE-2023-32082); minigrpcd does not.
  EXPECT_EQ(keys_of("1"), is_etcd() ? "" : denied);
  EXPECT_EQ(refusal(lease.LeaseRevoke(parse<LeaseRevokeRequest>("ID: 2"), options())), "");
}

TEST_P(Authentication, WatchersSeeWhatTheyMayRead) {
  enable();
  add_user_who_may("alice", {R"(permType: READ key: "k")", R"(permType: READ key: "p" range_end: "q")"});
  sign_in("alice", "alice");
  WatchStream stream(channel, options());
  const auto refused = [&](const std::string& request) {
    const WatchResponse response = stream.create(request);
    if (!response.canceled()) return std::string();
    EXPECT_TRUE(response.created());
    EXPECT_EQ(response.watch_id(), -1);
    return response.cancel_reason();
  };
  EXPECT_EQ(refused(R"(key: "k")"), "");
  EXPECT_EQ(refused(R"(key: "p" range_end: "q")"), "");
  for (const char* forbidden : {R"(key: "secret")", R"(key: "k" range_end: "l")", R"(key: "p" range_end: "r")",
                                R"(range_end: "\000")"})
    EXPECT_THAT(refused(forbidden), HasSubstr("permission denied")) << forbidden;
  token.clear();
  WatchStream nobody(channel, options());
  EXPECT_TRUE(nobody.create(R"(key: "k")").canceled());
}

TEST_P(Authentication, SurvivesARestart) {
  enable();
  add_user_who_may("alice", {R"(permType: READ key: "k")"});
  registry.kill();
  registry.start();
  token.clear();
  ASSERT_TRUE(eventually(20s, [&] {
    return range_refusal(R"(key: "k")") == "INVALID_ARGUMENT: etcdserver: user name is empty";
  }));
  sign_in("alice", "alice");
  EXPECT_EQ(range_refusal(R"(key: "k")"), "");
  EXPECT_EQ(range_refusal(R"(key: "l")"), denied);
}

// 3.4 has no AuthStatus, takes ranges that hold no key, and lets anybody grant leases.
class LaterAuthentication : public Authentication {};
INSTANTIATE_MINIGRPCD_TEST(LaterAuthentication);

TEST_P(LaterAuthentication, Asks) {
  enable();
  const AuthStatusResponse status = get(auth.AuthStatus(AuthStatusRequest(), options()));
  EXPECT_TRUE(status.enabled());
  // One, a user, a role granted.
  EXPECT_EQ(status.authrevision(), 3u);
  add_role("r", {});
  for (const char* empty : {R"(perm { key: "b" range_end: "a" })", R"(perm { key: "" })"})
    EXPECT_EQ(permission_refusal(std::string(R"(name: "r" )") + empty),
              "INVALID_ARGUMENT: etcdserver: invalid auth management");
  EXPECT_EQ(permission_refusal(R"(name: "r")"), "INVALID_ARGUMENT: etcdserver: permission not given");
  token.clear();
  EXPECT_EQ(refusal(lease.LeaseGrant(parse<LeaseGrantRequest>("TTL: 60"), options())),
            "INVALID_ARGUMENT: etcdserver: user name is empty");
}

// etcd's watchers keep what they had.
TEST_P(Authentication, ARightThatIsTakenAwayEndsTheWatcher) {
  enable();
  const std::string root = token;
  add_user_who_may("alice", {R"(permType: READ key: "k")"});
  sign_in("alice", "alice");
  WatchStream stream(channel, options());
  EXPECT_FALSE(stream.create(R"(key: "k")").canceled());
  token = root;
  put("k", "1");
  EXPECT_THAT(stream.events(1), ElementsAre("PUT k=1 2,2,1"));
  get(auth.UserRevokeRole(parse<AuthUserRevokeRoleRequest>(R"(name: "alice" role: "of alice")"), options()));
  put("k", "2");
  if (is_etcd()) {
    EXPECT_THAT(stream.events(1), ElementsAre("PUT k=2 2,3,2"));
    return;
  }
  const WatchResponse ended = stream.next();
  EXPECT_TRUE(ended.canceled());
  EXPECT_EQ(ended.events_size(), 0);
  EXPECT_THAT(ended.cancel_reason(), HasSubstr("permission denied"));
}

class Jwt : public Authentication {
 protected:
  static std::vector<std::string> flags() {
    static const TemporaryDirectory directory;
    const std::string key = directory.path() + "/key.pem";
    const std::string make = "openssl ecparam -name prime256v1 -genkey -noout -out " + key + " 2>/dev/null";
    EXPECT_EQ(std::system(make.c_str()), 0);
    const std::string pub = directory.path() + "/pub.pem";
    EXPECT_EQ(std::system(("openssl ec -in " + key + " -pubout -out " + pub + " 2>/dev/null").c_str()), 0);
    return {"--bcrypt-cost", "4", "--auth-token",
            "jwt,sign-method=ES256,priv-key=" + key + ",pub-key=" + pub + ",ttl=5m"};
  }
  Jwt() : Authentication(flags()) {}
};
INSTANTIATE_API_TEST(Jwt);

TEST_P(Jwt, SignedTokensCarryTheUserAndTheRevision) {
  enable();
  EXPECT_EQ(std::count(token.begin(), token.end(), '.'), 2);
  EXPECT_EQ(put_refusal(R"(key: "k" value: "v")"), "");
  add_user_who_may("alice", {R"(permType: READ key: "k")"});
  // What was signed before the rights changed is old.
  EXPECT_EQ(put_refusal(R"(key: "k" value: "v")"), "INVALID_ARGUMENT: etcdserver: revision of auth store is old");
  sign_in("alice", "alice");
  EXPECT_EQ(range_refusal(R"(key: "k")"), "");
  EXPECT_EQ(range_refusal(R"(key: "l")"), denied);
  token[token.size() / 2] = token[token.size() / 2] == 'A' ? 'B' : 'A';
  EXPECT_EQ(range_refusal(R"(key: "k")"), "UNAUTHENTICATED: etcdserver: invalid auth token");
  // They outlive the process that signed them.
  sign_in("alice", "alice");
  registry.kill();
  registry.start();
  EXPECT_TRUE(eventually(20s, [&] { return range_refusal(R"(key: "k")").empty(); }));
}

}  // namespace
}  // namespace minigrpc::testing
