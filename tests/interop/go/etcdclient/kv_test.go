package etcdclient

import (
	"strings"
	"testing"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
)

func keysOf(response *clientv3.GetResponse) string {
	var keys []string
	for _, kv := range response.Kvs {
		keys = append(keys, string(kv.Key[strings.LastIndexByte(string(kv.Key), '/')+1:]))
	}
	return strings.Join(keys, " ")
}

func TestPutGetDelete(t *testing.T) {
	client, ctx, prefix := begin(t)
	key := prefix + "k"
	first := put(t, ctx, client, key, "one")
	second, err := client.Put(ctx, key, "two", clientv3.WithPrevKV())
	expectNoError(t, err)
	expectEqual(t, "previous value", string(second.PrevKv.Value), "one")
	expectEqual(t, "revision", second.Header.Revision, first+1)

	response, err := client.Get(ctx, key)
	expectNoError(t, err)
	kv := response.Kvs[0]
	expectEqual(t, "value", string(kv.Value), "two")
	expectEqual(t, "version", kv.Version, 2)
	expectEqual(t, "create revision", kv.CreateRevision, first)
	expectEqual(t, "mod revision", kv.ModRevision, first+1)
	response, err = client.Get(ctx, key, clientv3.WithRev(first))
	expectNoError(t, err)
	expectEqual(t, "old value", string(response.Kvs[0].Value), "one")

	deleted, err := client.Delete(ctx, key, clientv3.WithPrevKV())
	expectNoError(t, err)
	expectEqual(t, "deleted", deleted.Deleted, 1)
	expectEqual(t, "deleted value", string(deleted.PrevKvs[0].Value), "two")
	expectValue(t, ctx, client, key, "")
	deleted, err = client.Delete(ctx, key)
	expectNoError(t, err)
	expectEqual(t, "deleted again", deleted.Deleted, 0)
	expectEqual(t, "revision of a deletion of nothing", deleted.Header.Revision, first+2)
}

func TestRangeOptions(t *testing.T) {
	client, ctx, prefix := begin(t)
	var revisions []int64
	for _, pair := range [][2]string{{"a", "3"}, {"b", "1"}, {"c", "2"}, {"d", "4"}} {
		revisions = append(revisions, put(t, ctx, client, prefix+pair[0], pair[1]))
	}
	put(t, ctx, client, prefix+"b", "1")

	all := clientv3.WithPrefix()
	rows := []struct {
		name    string
		key     string
		options []clientv3.OpOption
		keys    string
	}{
		{"prefix", "", []clientv3.OpOption{all}, "a b c d"},
		{"range", "b", []clientv3.OpOption{clientv3.WithRange(prefix + "d")}, "b c"},
		{"limit", "", []clientv3.OpOption{all, clientv3.WithLimit(2)}, "a b"},
		{"descending", "", []clientv3.OpOption{all, clientv3.WithSort(clientv3.SortByKey, clientv3.SortDescend)}, "d c b a"},
		{"by value", "", []clientv3.OpOption{all, clientv3.WithSort(clientv3.SortByValue, clientv3.SortAscend)}, "b c a d"},
		{"by version", "", []clientv3.OpOption{all, clientv3.WithSort(clientv3.SortByVersion, clientv3.SortDescend),
			clientv3.WithLimit(1)}, "b"},
		{"first created", "", clientv3.WithFirstCreate(), "a"},
		{"last changed", "", clientv3.WithLastRev(), "b"},
		{"changed since", "", []clientv3.OpOption{all, clientv3.WithMinModRev(revisions[3])}, "b d"},
		{"created until", "", []clientv3.OpOption{all, clientv3.WithMaxCreateRev(revisions[1])}, "a b"},
		{"at a revision", "", []clientv3.OpOption{all, clientv3.WithRev(revisions[2])}, "a b c"},
		{"serializable", "", []clientv3.OpOption{all, clientv3.WithSerializable()}, "a b c d"},
	}
	for _, row := range rows {
		response, err := client.Get(ctx, prefix+row.key, row.options...)
		expectNoError(t, err)
		expectEqual(t, row.name, keysOf(response), row.keys)
	}

	response, err := client.Get(ctx, prefix, all, clientv3.WithLimit(3))
	expectNoError(t, err)
	expectEqual(t, "more", response.More, true)
	expectEqual(t, "count", response.Count, 4)
	response, err = client.Get(ctx, prefix, all, clientv3.WithCountOnly())
	expectNoError(t, err)
	expectEqual(t, "count only", response.Count, 4)
	expectEqual(t, "keys of count only", len(response.Kvs), 0)
	response, err = client.Get(ctx, prefix+"a", clientv3.WithKeysOnly())
	expectNoError(t, err)
	expectEqual(t, "value of keys only", len(response.Kvs[0].Value), 0)
}

func TestIgnoreValueAndLease(t *testing.T) {
	client, ctx, prefix := begin(t)
	lease, err := client.Grant(ctx, 600)
	expectNoError(t, err)
	key := prefix + "k"
	put(t, ctx, client, key, "v", clientv3.WithLease(lease.ID))
	put(t, ctx, client, key, "w", clientv3.WithIgnoreLease())
	response, err := client.Get(ctx, key)
	expectNoError(t, err)
	expectEqual(t, "lease", response.Kvs[0].Lease, int64(lease.ID))
	put(t, ctx, client, key, "", clientv3.WithIgnoreValue())
	response, err = client.Get(ctx, key)
	expectNoError(t, err)
	expectEqual(t, "value", string(response.Kvs[0].Value), "w")
	expectEqual(t, "lease that was not kept", response.Kvs[0].Lease, 0)
	_, err = client.Put(ctx, prefix+"none", "", clientv3.WithIgnoreValue())
	expectError(t, err, rpctypes.ErrKeyNotFound)
}

func TestTransaction(t *testing.T) {
	client, ctx, prefix := begin(t)
	key, other := prefix+"k", prefix+"l"
	first := put(t, ctx, client, key, "v")

	response, err := client.Txn(ctx).
		If(clientv3.Compare(clientv3.Value(key), "=", "v"), clientv3.Compare(clientv3.Version(key), ">", 0),
			clientv3.Compare(clientv3.CreateRevision(key), "=", first), clientv3.Compare(clientv3.ModRevision(key), "<", first+1),
			clientv3.Compare(clientv3.CreateRevision(other), "=", 0)).
		Then(clientv3.OpPut(key, "w", clientv3.WithPrevKV()), clientv3.OpGet(key), clientv3.OpPut(other, "x")).
		Else(clientv3.OpDelete(key)).
		Commit()
	expectNoError(t, err)
	expectEqual(t, "succeeded", response.Succeeded, true)
	expectEqual(t, "revision", response.Header.Revision, first+1)
	expectEqual(t, "previous value", string(response.Responses[0].GetResponsePut().PrevKv.Value), "v")
	expectEqual(t, "value read in the transaction", string(response.Responses[1].GetResponseRange().Kvs[0].Value), "w")

	response, err = client.Txn(ctx).
		If(clientv3.Compare(clientv3.Value(prefix), "=", "w").WithPrefix()).
		Then(clientv3.OpDelete(key)).
		Else(clientv3.OpTxn([]clientv3.Cmp{clientv3.Compare(clientv3.Value(other), "=", "x")},
			[]clientv3.Op{clientv3.OpPut(other, "nested")}, []clientv3.Op{clientv3.OpDelete(other)}),
			clientv3.OpGet(prefix, clientv3.WithPrefix(), clientv3.WithCountOnly())).
		Commit()
	expectNoError(t, err)
	expectEqual(t, "not all below the prefix are w", response.Succeeded, false)
	expectEqual(t, "nested transaction", response.Responses[0].GetResponseTxn().Succeeded, true)
	expectEqual(t, "count", response.Responses[1].GetResponseRange().Count, 2)
	expectValue(t, ctx, client, other, "nested")
}

func TestErrors(t *testing.T) {
	client, ctx, prefix := begin(t)
	revision := put(t, ctx, client, prefix+"k", "v")

	_, err := client.Put(ctx, "", "v")
	expectError(t, err, rpctypes.ErrEmptyKey)
	_, err = client.Get(ctx, prefix+"k", clientv3.WithRev(revision+1000))
	expectError(t, err, rpctypes.ErrFutureRev)
	_, err = client.Put(ctx, prefix+"k", "v", clientv3.WithLease(4711))
	expectError(t, err, rpctypes.ErrLeaseNotFound)
	_, err = client.Txn(ctx).Then(clientv3.OpPut(prefix+"k", "1"), clientv3.OpPut(prefix+"k", "2")).Commit()
	expectError(t, err, rpctypes.ErrDuplicateKey)
	var many []clientv3.Op
	for range 129 {
		many = append(many, clientv3.OpGet(prefix+"k"))
	}
	_, err = client.Txn(ctx).Then(many...).Commit()
	expectError(t, err, rpctypes.ErrTooManyOps)
	_, err = client.Put(ctx, prefix+"k", strings.Repeat("v", 1<<20+600<<10))
	expectError(t, err, rpctypes.ErrRequestTooLarge)
	expectValue(t, ctx, client, prefix+"k", "v")
}

func TestCompaction(t *testing.T) {
	client, ctx, prefix := begin(t)
	first := put(t, ctx, client, prefix+"k", "1")
	put(t, ctx, client, prefix+"k", "2")
	last := put(t, ctx, client, prefix+"k", "3")
	_, err := client.Compact(ctx, last, clientv3.WithCompactPhysical())
	expectNoError(t, err)
	_, err = client.Get(ctx, prefix+"k", clientv3.WithRev(first))
	expectError(t, err, rpctypes.ErrCompacted)
	response, err := client.Get(ctx, prefix+"k", clientv3.WithRev(last))
	expectNoError(t, err)
	expectEqual(t, "value at the compacted revision", string(response.Kvs[0].Value), "3")
	_, err = client.Compact(ctx, last)
	expectError(t, err, rpctypes.ErrCompacted)
	_, err = client.Compact(ctx, last+1000)
	expectError(t, err, rpctypes.ErrFutureRev)
}

func TestStatusAndMembers(t *testing.T) {
	client, ctx, prefix := begin(t)
	revision := put(t, ctx, client, prefix+"k", "v")
	status, err := client.Status(ctx, *endpoint)
	expectNoError(t, err)
	members, err := client.MemberList(ctx)
	expectNoError(t, err)
	expectEqual(t, "members", len(members.Members), 1)
	expectEqual(t, "leader", status.Leader, members.Members[0].ID)
	expectEqual(t, "version", strings.HasPrefix(status.Version, "3."), true)
	hash, err := client.HashKV(ctx, *endpoint, 0)
	expectNoError(t, err)
	expectEqual(t, "revision of the hash", hash.Header.Revision, revision)
	alarms, err := client.AlarmList(ctx)
	expectNoError(t, err)
	expectEqual(t, "alarms", len(alarms.Alarms), 0)
}
