package etcdclient

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// read collects `count` events of a watch; a response may carry several.
func read(t *testing.T, ctx context.Context, watch clientv3.WatchChan, count int) []*clientv3.Event {
	t.Helper()
	var events []*clientv3.Event
	for len(events) < count {
		response := next(t, ctx, watch)
		expectNoError(t, response.Err())
		events = append(events, response.Events...)
	}
	expectEqual(t, "events", len(events), count)
	return events
}

func text(event *clientv3.Event) string {
	key := string(event.Kv.Key)
	return fmt.Sprintf("%v %s=%s", event.Type, key[strings.LastIndexByte(key, '/')+1:], event.Kv.Value)
}

func expectEvents(t *testing.T, events []*clientv3.Event, expected ...string) {
	t.Helper()
	var texts []string
	for _, event := range events {
		texts = append(texts, text(event))
	}
	expectEqual(t, "events", strings.Join(texts, ", "), strings.Join(expected, ", "))
}

// watchNow is a watch that the registry has confirmed.
func watchNow(t *testing.T, ctx context.Context, client *clientv3.Client, key string, options ...clientv3.OpOption) clientv3.WatchChan {
	t.Helper()
	watch := client.Watch(ctx, key, append(options, clientv3.WithCreatedNotify())...)
	expectEqual(t, "created", next(t, ctx, watch).Created, true)
	return watch
}

func TestWatch(t *testing.T) {
	client, ctx, prefix := begin(t)
	watch := watchNow(t, ctx, client, prefix, clientv3.WithPrefix(), clientv3.WithPrevKV())
	put(t, ctx, client, prefix+"a", "1")
	put(t, ctx, client, "other/"+prefix, "x")
	put(t, ctx, client, prefix+"a", "2")
	_, err := client.Delete(ctx, prefix+"a")
	expectNoError(t, err)
	events := read(t, ctx, watch, 3)
	expectEvents(t, events, "PUT a=1", "PUT a=2", "DELETE a=")
	expectEqual(t, "created", events[0].IsCreate(), true)
	expectEqual(t, "modified", events[1].IsModify(), true)
	expectEqual(t, "before the change", string(events[1].PrevKv.Value), "1")
	expectEqual(t, "before the deletion", string(events[2].PrevKv.Value), "2")
}

func TestWatchFromOldRevision(t *testing.T) {
	client, ctx, prefix := begin(t)
	first := put(t, ctx, client, prefix+"a", "1")
	put(t, ctx, client, prefix+"b", "2")
	_, err := client.Delete(ctx, prefix+"a")
	expectNoError(t, err)
	watch := client.Watch(ctx, prefix, clientv3.WithPrefix(), clientv3.WithRev(first+1))
	events := read(t, ctx, watch, 2)
	put(t, ctx, client, prefix+"c", "3")
	events = append(events, read(t, ctx, watch, 1)...)
	expectEvents(t, events, "PUT b=2", "DELETE a=", "PUT c=3")
	for i, event := range events {
		expectEqual(t, "revision", event.Kv.ModRevision, first+1+int64(i))
	}
}

func TestWatchOfCompactedRevision(t *testing.T) {
	client, ctx, prefix := begin(t)
	first := put(t, ctx, client, prefix+"k", "1")
	last := put(t, ctx, client, prefix+"k", "2")
	_, err := client.Compact(ctx, last)
	expectNoError(t, err)
	watch := client.Watch(ctx, prefix+"k", clientv3.WithRev(first))
	response := next(t, ctx, watch)
	expectError(t, response.Err(), rpctypes.ErrCompacted)
	expectEqual(t, "compact revision", response.CompactRevision, last)
	expectEqual(t, "canceled", response.Canceled, true)
	expectEnd(t, ctx, watch)
	// What one does about it.
	expectEvents(t, read(t, ctx, client.Watch(ctx, prefix+"k", clientv3.WithRev(last)), 1), "PUT k=2")
}

func TestWatchGoesOnAfterCompaction(t *testing.T) {
	client, ctx, prefix := begin(t)
	watch := watchNow(t, ctx, client, prefix+"k")
	put(t, ctx, client, prefix+"k", "1")
	last := put(t, ctx, client, prefix+"k", "2")
	expectEvents(t, read(t, ctx, watch, 2), "PUT k=1", "PUT k=2")
	_, err := client.Compact(ctx, last)
	expectNoError(t, err)
	put(t, ctx, client, prefix+"k", "3")
	expectEvents(t, read(t, ctx, watch, 1), "PUT k=3")
}

func TestWatchFilters(t *testing.T) {
	client, ctx, prefix := begin(t)
	puts := watchNow(t, ctx, client, prefix, clientv3.WithPrefix(), clientv3.WithFilterDelete())
	deletions := watchNow(t, ctx, client, prefix, clientv3.WithPrefix(), clientv3.WithFilterPut())
	put(t, ctx, client, prefix+"a", "1")
	_, err := client.Delete(ctx, prefix+"a")
	expectNoError(t, err)
	put(t, ctx, client, prefix+"a", "2")
	_, err = client.Delete(ctx, prefix+"a")
	expectNoError(t, err)
	expectEvents(t, read(t, ctx, puts, 2), "PUT a=1", "PUT a=2")
	expectEvents(t, read(t, ctx, deletions, 2), "DELETE a=", "DELETE a=")
}

func TestWatchProgress(t *testing.T) {
	client, ctx, prefix := begin(t)
	watch := watchNow(t, ctx, client, prefix+"k")
	revision := put(t, ctx, client, prefix+"other", "v")
	expectNoError(t, client.RequestProgress(ctx))
	response := next(t, ctx, watch)
	expectEqual(t, "progress", response.IsProgressNotify(), true)
	expectEqual(t, "revision", response.Header.Revision, revision)
}

// One revision that is larger than a message may be is cut into fragments, which the client puts together.
func TestWatchOfFragments(t *testing.T) {
	client, ctx, prefix := begin(t)
	var puts []clientv3.Op
	for i := range 12 {
		puts = append(puts, clientv3.OpPut(fmt.Sprintf("%s%02d", prefix, i), strings.Repeat("v", 100<<10)))
	}
	var revision int64
	for range 2 {
		response, err := client.Txn(ctx).Then(puts...).Commit()
		expectNoError(t, err)
		revision = response.Header.Revision
	}
	watch := client.Watch(ctx, prefix, clientv3.WithPrefix(), clientv3.WithPrevKV(), clientv3.WithFragment(), clientv3.WithRev(revision))
	response := next(t, ctx, watch)
	expectNoError(t, response.Err())
	expectEqual(t, "events", len(response.Events), len(puts))
	for i, event := range response.Events {
		expectEqual(t, "key", string(event.Kv.Key), fmt.Sprintf("%s%02d", prefix, i))
		expectEqual(t, "size", len(event.Kv.Value)+len(event.PrevKv.Value), 200<<10)
	}
}

func TestWatchIsCancelled(t *testing.T) {
	client, ctx, prefix := begin(t)
	other := watchNow(t, ctx, client, prefix+"k")
	watching, cancel := context.WithCancel(ctx)
	watch := watchNow(t, watching, client, prefix+"k")
	cancel()
	expectEnd(t, ctx, watch)
	put(t, ctx, client, prefix+"k", "v")
	expectEvents(t, read(t, ctx, other, 1), "PUT k=v")
}
