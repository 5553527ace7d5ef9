package etcdclient

import (
	"errors"
	"fmt"
	"strconv"
	"sync"
	"testing"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/client/v3/concurrency"
)

func newSession(t *testing.T, client *clientv3.Client, ttl int) *concurrency.Session {
	t.Helper()
	session, err := concurrency.NewSession(client, concurrency.WithTTL(ttl))
	expectNoError(t, err)
	t.Cleanup(func() { session.Close() })
	return session
}

func TestMutex(t *testing.T) {
	client, ctx, prefix := begin(t)
	holder := concurrency.NewMutex(newSession(t, client, 60), prefix+"m")
	waiter := concurrency.NewMutex(newSession(t, client, 60), prefix+"m")
	expectNoError(t, holder.Lock(ctx))
	expectError(t, waiter.TryLock(ctx), concurrency.ErrLocked)
	fenced, err := client.Txn(ctx).If(holder.IsOwner()).Then(clientv3.OpPut(prefix+"k", "mine")).Commit()
	expectNoError(t, err)
	expectEqual(t, "the holder is the owner", fenced.Succeeded, true)

	locked := make(chan error, 1)
	go func() { locked <- waiter.Lock(ctx) }()
	// The waiter's key stands in line before the holder lets go.
	for {
		line, err := client.Get(ctx, prefix+"m/", clientv3.WithPrefix(), clientv3.WithCountOnly())
		expectNoError(t, err)
		if line.Count == 2 {
			break
		}
	}
	select {
	case <-locked:
		t.Fatal("two hold the lock")
	default:
	}
	expectNoError(t, holder.Unlock(ctx))
	expectNoError(t, next(t, ctx, locked))
	fenced, err = client.Txn(ctx).If(holder.IsOwner()).Commit()
	expectNoError(t, err)
	expectEqual(t, "the holder is the owner still", fenced.Succeeded, false)
	expectNoError(t, waiter.Unlock(ctx))
}

func TestMutexOfDeadHolder(t *testing.T) {
	client, ctx, prefix := begin(t)
	dying := newSession(t, connect(t, "", ""), shortTTL)
	expectNoError(t, concurrency.NewMutex(dying, prefix+"m").Lock(ctx))
	dying.Orphan() // no keepalive any more, and nothing is revoked
	waiter := concurrency.NewMutex(newSession(t, client, 60), prefix+"m")
	expectNoError(t, waiter.Lock(ctx))
	expectNoError(t, waiter.Unlock(ctx))
}

func TestElection(t *testing.T) {
	client, ctx, prefix := begin(t)
	first := concurrency.NewElection(newSession(t, client, 60), prefix+"e")
	second := concurrency.NewElection(newSession(t, client, 60), prefix+"e")
	_, err := first.Leader(ctx)
	expectError(t, err, concurrency.ErrElectionNoLeader)
	expectNoError(t, first.Campaign(ctx, "anna"))
	seen := second.Observe(ctx)
	expectLeader := func(name string) {
		t.Helper()
		response := next(t, ctx, seen)
		expectEqual(t, "observed leader", string(response.Kvs[0].Value), name)
	}
	expectLeader("anna")
	expectNoError(t, first.Proclaim(ctx, "anna the first"))
	expectLeader("anna the first")

	elected := make(chan error, 1)
	go func() { elected <- second.Campaign(ctx, "bert") }()
	expectNoError(t, first.Resign(ctx))
	expectNoError(t, next(t, ctx, elected))
	expectLeader("bert")
	leader, err := first.Leader(ctx)
	expectNoError(t, err)
	expectEqual(t, "leader", string(leader.Kvs[0].Value), "bert")
	expectError(t, first.Proclaim(ctx, "anna again"), concurrency.ErrElectionNotLeader)

	// Another process of the same leader goes on where the first stopped.
	resumed := concurrency.ResumeElection(newSession(t, client, 60), prefix+"e", second.Key(), second.Rev())
	expectNoError(t, resumed.Proclaim(ctx, "bert, resumed"))
	expectLeader("bert, resumed")
	expectNoError(t, resumed.Resign(ctx))
}

// move takes one unit from one account to the next, if it has one.
func move(prefix string, from int) func(concurrency.STM) error {
	return func(stm concurrency.STM) error {
		source, target := fmt.Sprint(prefix, from), fmt.Sprint(prefix, (from+1)%3)
		has, err := strconv.Atoi(stm.Get(source))
		if err != nil || has == 0 {
			return err
		}
		gets, err := strconv.Atoi(stm.Get(target))
		if err != nil {
			return err
		}
		stm.Put(source, strconv.Itoa(has-1))
		stm.Put(target, strconv.Itoa(gets+1))
		return nil
	}
}

func TestSTM(t *testing.T) {
	client, ctx, prefix := begin(t)
	isolations := map[string]concurrency.Isolation{
		"serializable snapshot": concurrency.SerializableSnapshot,
		"serializable":          concurrency.Serializable,
		"repeatable reads":      concurrency.RepeatableReads,
	}
	for name, isolation := range isolations {
		accounts := prefix + name + "/"
		for i := range 3 {
			put(t, ctx, client, fmt.Sprint(accounts, i), "10")
		}
		failures := make(chan error, 6)
		var movers sync.WaitGroup
		for mover := range 6 {
			movers.Add(1)
			go func() {
				defer movers.Done()
				for range 10 {
					if _, err := concurrency.NewSTM(client, move(accounts, mover%3), concurrency.WithIsolation(isolation),
						concurrency.WithAbortContext(ctx)); err != nil {
						failures <- err
						return
					}
				}
			}()
		}
		movers.Wait()
		close(failures)
		for err := range failures {
			t.Fatalf("%s: %v", name, err)
		}
		sum := 0
		response, err := client.Get(ctx, accounts, clientv3.WithPrefix())
		expectNoError(t, err)
		for _, kv := range response.Kvs {
			value, err := strconv.Atoi(string(kv.Value))
			expectNoError(t, err)
			sum += value
		}
		expectEqual(t, name, sum, 30)
	}
}

func TestSTMOfOtherKinds(t *testing.T) {
	client, ctx, prefix := begin(t)
	put(t, ctx, client, prefix+"a", "1")
	change := func(stm concurrency.STM) error {
		stm.Put(prefix+"b", stm.Get(prefix+"a")+"2")
		stm.Del(prefix + "a")
		return nil
	}
	_, err := concurrency.NewSTM(client, change, concurrency.WithIsolation(concurrency.ReadCommitted),
		concurrency.WithPrefetch(prefix+"a"), concurrency.WithAbortContext(ctx))
	expectNoError(t, err)
	expectValue(t, ctx, client, prefix+"a", "")
	expectValue(t, ctx, client, prefix+"b", "12")

	refusal := errors.New("not today")
	_, err = concurrency.NewSTM(client, func(stm concurrency.STM) error {
		stm.Put(prefix+"b", "wrong")
		return refusal
	})
	expectError(t, err, refusal)
	expectValue(t, ctx, client, prefix+"b", "12")
}

func TestSessionEndsWithItsLease(t *testing.T) {
	client, ctx, prefix := begin(t)
	session := newSession(t, client, 3)
	put(t, ctx, client, prefix+"k", "v", clientv3.WithLease(session.Lease()))
	_, err := client.Revoke(ctx, session.Lease())
	expectNoError(t, err)
	expectValue(t, ctx, client, prefix+"k", "")
	// The next keepalive tells the client; its period is a third of the TTL.
	expectEnd(t, ctx, session.Done())
}
