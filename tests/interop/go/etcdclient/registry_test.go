// Package etcdclient takes Go's client of etcd, with its concurrency and naming packages, through a registry: minigrpcd,
// or a real etcd, of which the same is expected. Each test keeps to keys of its own, below its name.
//
// etcdclient.test -endpoint HOST:PORT -bin FOLDER: FOLDER has minigrpc's provider and consumer.
package etcdclient

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
)

var (
	endpoint = flag.String("endpoint", "", "HOST:PORT of the registry")
	bin      = flag.String("bin", "", "the folder of minigrpc's provider and consumer")
)

// Long enough for a lease of two seconds to end on a busy machine; what would hang ends after it.
const caseTimeout = 30 * time.Second

func TestMain(m *testing.M) {
	flag.Parse()
	if *endpoint == "" || *bin == "" {
		fmt.Fprintln(os.Stderr, "etcdclient: -endpoint and -bin are needed")
		os.Exit(2)
	}
	os.Exit(m.Run())
}

// connect is a client of its own connection, closed with the test.
func connect(t *testing.T, user, password string) *clientv3.Client {
	t.Helper()
	client, err := dial(user, password)
	expectNoError(t, err)
	t.Cleanup(func() { client.Close() })
	return client
}

func dial(user, password string) (*clientv3.Client, error) {
	return clientv3.New(clientv3.Config{
		Endpoints: []string{*endpoint}, DialTimeout: caseTimeout, Username: user, Password: password,
		Logger: zap.NewNop(),
	})
}

// begin is what every test starts with: a client, a context that ends, and the prefix of the test's keys.
func begin(t *testing.T) (*clientv3.Client, context.Context, string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), caseTimeout)
	t.Cleanup(cancel)
	return connect(t, "", ""), ctx, t.Name() + "/"
}

func expectNoError(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("failed: %v", err)
	}
}

func expectError(t *testing.T, err, expected error) {
	t.Helper()
	if !errors.Is(err, expected) {
		t.Fatalf("the error is %v, not %v", err, expected)
	}
}

func expectEqual[T comparable](t *testing.T, what string, value, expected T) {
	t.Helper()
	if value != expected {
		t.Fatalf("%s: %v, not %v", what, value, expected)
	}
}

func put(t *testing.T, ctx context.Context, client *clientv3.Client, key, value string, options ...clientv3.OpOption) int64 {
	t.Helper()
	response, err := client.Put(ctx, key, value, options...)
	expectNoError(t, err)
	return response.Header.Revision
}

// expectValue expects that the key has the value; "" stands for no key.
func expectValue(t *testing.T, ctx context.Context, client *clientv3.Client, key, value string) {
	t.Helper()
	response, err := client.Get(ctx, key)
	expectNoError(t, err)
	found := ""
	if len(response.Kvs) > 0 {
		found = string(response.Kvs[0].Value)
	}
	expectEqual(t, "value of "+key, found, value)
}

// next is the next of a channel that must not end yet.
func next[T any](t *testing.T, ctx context.Context, channel <-chan T) T {
	t.Helper()
	select {
	case value, open := <-channel:
		if !open {
			t.Fatal("the channel ended")
		}
		return value
	case <-ctx.Done():
		t.Fatal("nothing came in time")
	}
	panic("unreachable")
}

func expectEnd[T any](t *testing.T, ctx context.Context, channel <-chan T) {
	t.Helper()
	select {
	case value, open := <-channel:
		if open {
			t.Fatalf("the channel goes on with %v", value)
		}
	case <-ctx.Done():
		t.Fatal("the channel did not end in time")
	}
}
