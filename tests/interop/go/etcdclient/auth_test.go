package etcdclient

import (
	"context"
	"testing"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
)

const readWrite = clientv3.PermissionType(clientv3.PermReadWrite)

func addUser(t *testing.T, ctx context.Context, client *clientv3.Client, name, password string, roles ...string) {
	t.Helper()
	_, err := client.UserAdd(ctx, name, password)
	expectNoError(t, err)
	for _, role := range roles {
		_, err = client.UserGrantRole(ctx, name, role)
		expectNoError(t, err)
	}
}

func TestUsersAndRoles(t *testing.T) {
	client, ctx, _ := begin(t)
	_, err := client.RoleAdd(ctx, "clerk")
	expectNoError(t, err)
	_, err = client.RoleAdd(ctx, "clerk")
	expectError(t, err, rpctypes.ErrRoleAlreadyExist)
	_, err = client.RoleGrantPermission(ctx, "clerk", "a", "b", readWrite)
	expectNoError(t, err)
	addUser(t, ctx, client, "carl", "secret", "clerk")
	_, err = client.UserAdd(ctx, "carl", "secret")
	expectError(t, err, rpctypes.ErrUserAlreadyExist)
	_, err = client.UserGrantRole(ctx, "carl", "none")
	expectError(t, err, rpctypes.ErrRoleNotFound)
	_, err = client.UserGet(ctx, "nobody")
	expectError(t, err, rpctypes.ErrUserNotFound)

	role, err := client.RoleGet(ctx, "clerk")
	expectNoError(t, err)
	expectEqual(t, "permissions", len(role.Perm), 1)
	expectEqual(t, "permission", string(role.Perm[0].Key)+"-"+string(role.Perm[0].RangeEnd), "a-b")
	user, err := client.UserGet(ctx, "carl")
	expectNoError(t, err)
	expectEqual(t, "role", user.Roles[0], "clerk")
	_, err = client.UserChangePassword(ctx, "carl", "better")
	expectNoError(t, err)
	_, err = client.RoleRevokePermission(ctx, "clerk", "a", "b")
	expectNoError(t, err)
	_, err = client.RoleRevokePermission(ctx, "clerk", "a", "b")
	expectError(t, err, rpctypes.ErrPermissionNotGranted)
	_, err = client.UserRevokeRole(ctx, "carl", "clerk")
	expectNoError(t, err)
	_, err = client.RoleDelete(ctx, "clerk")
	expectNoError(t, err)
	_, err = client.UserDelete(ctx, "carl")
	expectNoError(t, err)
	users, err := client.UserList(ctx)
	expectNoError(t, err)
	expectEqual(t, "users", len(users.Users), 0)
}

// enable turns authentication on, with root and with alice, who may touch what is below `prefix`; it goes off with the
// test.
func enable(t *testing.T, ctx context.Context, client *clientv3.Client, prefix string) {
	t.Helper()
	_, err := client.AuthEnable(ctx)
	expectError(t, err, rpctypes.ErrRootUserNotExist)
	_, err = client.RoleAdd(ctx, "root")
	expectNoError(t, err)
	addUser(t, ctx, client, "root", "rootsecret", "root")
	_, err = client.RoleAdd(ctx, "shop")
	expectNoError(t, err)
	_, err = client.RoleGrantPermission(ctx, "shop", prefix, clientv3.GetPrefixRangeEnd(prefix), readWrite)
	expectNoError(t, err)
	addUser(t, ctx, client, "alice", "alicesecret", "shop")
	_, err = client.AuthEnable(ctx)
	expectNoError(t, err)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), caseTimeout)
		defer cancel()
		root, err := dial("root", "rootsecret")
		expectNoError(t, err)
		defer root.Close()
		_, err = root.AuthDisable(ctx)
		expectNoError(t, err)
		for _, user := range []string{"alice", "root"} {
			_, err = client.UserDelete(ctx, user)
			expectNoError(t, err)
		}
		for _, role := range []string{"shop", "root"} {
			_, err = client.RoleDelete(ctx, role)
			expectNoError(t, err)
		}
	})
}

func TestPermissions(t *testing.T) {
	client, ctx, prefix := begin(t)
	enable(t, ctx, client, prefix)
	_, err := client.Put(ctx, prefix+"k", "v")
	expectError(t, err, rpctypes.ErrUserEmpty)
	_, err = dial("alice", "wrong")
	expectError(t, err, rpctypes.ErrAuthFailed)

	alice := connect(t, "alice", "alicesecret")
	put(t, ctx, alice, prefix+"k", "v")
	expectValue(t, ctx, alice, prefix+"k", "v")
	_, err = alice.Put(ctx, "other", "v")
	expectError(t, err, rpctypes.ErrPermissionDenied)
	_, err = alice.Get(ctx, prefix, clientv3.WithFromKey())
	expectError(t, err, rpctypes.ErrPermissionDenied)
	_, err = alice.Txn(ctx).If(clientv3.Compare(clientv3.Version("other"), ">", 0)).Commit()
	expectError(t, err, rpctypes.ErrPermissionDenied)
	_, err = alice.UserAdd(ctx, "eve", "evesecret")
	expectError(t, err, rpctypes.ErrPermissionDenied)

	root := connect(t, "root", "rootsecret")
	put(t, ctx, root, "other/"+prefix, "v")
	watch := watchNow(t, ctx, alice, prefix, clientv3.WithPrefix())
	put(t, ctx, root, prefix+"l", "w")
	expectEvents(t, read(t, ctx, watch, 1), "PUT l=w")
	refused := next(t, ctx, alice.Watch(ctx, "other"))
	expectEqual(t, "canceled", refused.Canceled, true)
	if refused.Err() == nil {
		t.Fatal("a watch without permission has no error")
	}
}

// Tokens end when authentication goes off. The client signs in again by itself once it hears so.
func TestSigningInAgain(t *testing.T) {
	client, ctx, prefix := begin(t)
	enable(t, ctx, client, prefix)
	alice := connect(t, "alice", "alicesecret")
	put(t, ctx, alice, prefix+"k", "v")
	root := connect(t, "root", "rootsecret")
	_, err := root.AuthDisable(ctx)
	expectNoError(t, err)
	_, err = client.AuthEnable(ctx)
	expectNoError(t, err)
	soon, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	put(t, soon, alice, prefix+"k", "w")
	expectValue(t, soon, alice, prefix+"k", "w")
}
