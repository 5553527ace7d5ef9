package etcdclient

import (
	"context"
	"testing"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// The shortest that etcd grants with its defaults.
const shortTTL = 2

func TestLeaseIsRevoked(t *testing.T) {
	client, ctx, prefix := begin(t)
	lease, err := client.Grant(ctx, 600)
	expectNoError(t, err)
	expectEqual(t, "TTL", lease.TTL, 600)
	put(t, ctx, client, prefix+"a", "1", clientv3.WithLease(lease.ID))
	put(t, ctx, client, prefix+"b", "2", clientv3.WithLease(lease.ID))

	left, err := client.TimeToLive(ctx, lease.ID, clientv3.WithAttachedKeys())
	expectNoError(t, err)
	expectEqual(t, "granted", left.GrantedTTL, 600)
	expectEqual(t, "keys", len(left.Keys), 2)
	if left.TTL < 500 || left.TTL > 600 {
		t.Fatalf("%d s left", left.TTL)
	}
	leases, err := client.Leases(ctx)
	expectNoError(t, err)
	listed := false
	for _, one := range leases.Leases {
		listed = listed || one.ID == lease.ID
	}
	expectEqual(t, "listed", listed, true)

	watch := watchNow(t, ctx, client, prefix, clientv3.WithPrefix())
	revoked, err := client.Revoke(ctx, lease.ID)
	expectNoError(t, err)
	for _, event := range read(t, ctx, watch, 2) {
		expectEqual(t, "deleted", event.Type, clientv3.EventTypeDelete)
		expectEqual(t, "revision", event.Kv.ModRevision, revoked.Header.Revision)
	}
	_, err = client.Revoke(ctx, lease.ID)
	expectError(t, err, rpctypes.ErrLeaseNotFound)
	_, err = client.KeepAliveOnce(ctx, lease.ID)
	expectError(t, err, rpctypes.ErrLeaseNotFound)
	left, err = client.TimeToLive(ctx, lease.ID)
	expectNoError(t, err)
	expectEqual(t, "time left of no lease", left.TTL, -1)
}

func TestLeaseExpires(t *testing.T) {
	client, ctx, prefix := begin(t)
	watch := watchNow(t, ctx, client, prefix, clientv3.WithPrefix())
	lease, err := client.Grant(ctx, shortTTL)
	expectNoError(t, err)
	granted := time.Now()
	put(t, ctx, client, prefix+"a", "1", clientv3.WithLease(lease.ID))
	put(t, ctx, client, prefix+"b", "2", clientv3.WithLease(lease.ID))
	put(t, ctx, client, prefix+"stays", "3")
	events := read(t, ctx, watch, 5)
	if lived := time.Since(granted); lived < shortTTL*time.Second*9/10 {
		t.Fatalf("it ended after %v", lived)
	}
	expectEvents(t, events[3:], "DELETE a=", "DELETE b=")
	expectEqual(t, "one revision", events[3].Kv.ModRevision, events[4].Kv.ModRevision)
	expectValue(t, ctx, client, prefix+"stays", "3")
}

func TestLeaseIsKeptAlive(t *testing.T) {
	client, ctx, prefix := begin(t)
	watch := watchNow(t, ctx, client, prefix+"k", clientv3.WithFilterPut())
	lease, err := client.Grant(ctx, shortTTL)
	expectNoError(t, err)
	granted := time.Now()
	put(t, ctx, client, prefix+"k", "v", clientv3.WithLease(lease.ID))
	keeping, stop := context.WithCancel(ctx)
	answers, err := client.KeepAlive(keeping, lease.ID)
	expectNoError(t, err)
	for time.Since(granted) < 2*shortTTL*time.Second {
		expectEqual(t, "TTL", next(t, ctx, answers).TTL, shortTTL)
	}
	expectValue(t, ctx, client, prefix+"k", "v")
	stop()
	expectEvents(t, read(t, ctx, watch, 1), "DELETE k=")
}
