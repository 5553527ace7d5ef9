package etcdclient

import (
	"bufio"
	"context"
	"net"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/client/v3/naming/endpoints"
	"go.etcd.io/etcd/client/v3/naming/resolver"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	prod "interop/generated/prod"
)

// The name that minigrpc's example has for it.
const service = "ProdService"

type stock struct {
	prod.UnimplementedProdServiceServer
}

func (stock) GetProdStock(_ context.Context, request *prod.ProdRequest) (*prod.ProdResponse, error) {
	return &prod.ProdResponse{ProdStock: 20 * request.ProdId}, nil
}

// serve starts a Go server of ProdService; its address.
func serve(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	expectNoError(t, err)
	server := grpc.NewServer()
	prod.RegisterProdServiceServer(server, stock{})
	go server.Serve(listener)
	t.Cleanup(server.Stop)
	return listener.Addr().String()
}

func newManager(t *testing.T, client *clientv3.Client) endpoints.Manager {
	t.Helper()
	manager, err := endpoints.NewManager(client, service)
	expectNoError(t, err)
	return manager
}

// register puts the address where naming keeps it, until the test ends.
func register(t *testing.T, ctx context.Context, client *clientv3.Client, manager endpoints.Manager, address string) {
	t.Helper()
	lease, err := client.Grant(ctx, 60)
	expectNoError(t, err)
	expectNoError(t, manager.AddEndpoint(ctx, service+"/"+address, endpoints.Endpoint{Addr: address}, clientv3.WithLease(lease.ID)))
	t.Cleanup(func() {
		_, err := client.Revoke(context.Background(), lease.ID)
		expectNoError(t, err)
	})
}

func TestConsumerFindsEndpointsOfNaming(t *testing.T) {
	client, ctx, _ := begin(t)
	manager := newManager(t, client)
	addresses := []string{serve(t), serve(t)}
	for _, address := range addresses {
		register(t, ctx, client, manager, address)
	}
	consumer := exec.CommandContext(ctx, filepath.Join(*bin, "consumer"), "--registry", *endpoint, "--id", "4", "--count", "10",
		"--interval", "20ms")
	var log strings.Builder
	consumer.Stderr = &log
	output, err := consumer.Output()
	if err != nil {
		t.Fatalf("the consumer failed: %v\n%s", err, log.String())
	}
	expectEqual(t, "stock", string(output), "80\n")
	for _, address := range addresses {
		if !strings.Contains(log.String(), address+" answered 80") {
			t.Fatalf("%s did not answer:\n%s", address, log.String())
		}
	}
}

// startProvider is minigrpc's provider on a port of its choice, which it announces; its address.
func startProvider(t *testing.T, ctx context.Context) (*exec.Cmd, string) {
	t.Helper()
	provider := exec.CommandContext(ctx, filepath.Join(*bin, "provider"), "--listen", "127.0.0.1:0", "--registry", *endpoint)
	pipe, err := provider.StderrPipe()
	expectNoError(t, err)
	expectNoError(t, provider.Start())
	t.Cleanup(func() {
		provider.Process.Kill()
		provider.Wait()
	})
	lines := bufio.NewScanner(pipe)
	for lines.Scan() {
		if found := regexp.MustCompile(`on port (\d+)`).FindStringSubmatch(lines.Text()); found != nil {
			go func() {
				for lines.Scan() {
				}
			}()
			return provider, "127.0.0.1:" + found[1]
		}
	}
	t.Fatal("the provider did not start")
	return nil, ""
}

func TestNamingFindsAnnouncedProvider(t *testing.T) {
	client, ctx, _ := begin(t)
	updates, err := newManager(t, client).NewWatchChannel(ctx)
	expectNoError(t, err)
	provider, address := startProvider(t, ctx)
	added := next(t, ctx, updates)
	expectEqual(t, "updates", len(added), 1)
	expectEqual(t, "operation", added[0].Op, endpoints.Add)
	expectEqual(t, "address", added[0].Endpoint.Addr, address)
	expectEqual(t, "key", added[0].Key, service+"/"+address)

	builder, err := resolver.NewBuilder(client)
	expectNoError(t, err)
	connection, err := grpc.NewClient("etcd:///"+service, grpc.WithResolvers(builder),
		grpc.WithTransportCredentials(insecure.NewCredentials()))
	expectNoError(t, err)
	defer connection.Close()
	response, err := prod.NewProdServiceClient(connection).GetProdStock(ctx, &prod.ProdRequest{ProdId: 4})
	expectNoError(t, err)
	expectEqual(t, "stock", response.ProdStock, 80)

	expectNoError(t, provider.Process.Signal(syscall.SIGTERM))
	// Before it goes it may say that it is draining; that is an update of the same key.
	for update := added[0]; update.Op != endpoints.Delete; {
		update = next(t, ctx, updates)[0]
		expectEqual(t, "key", update.Key, service+"/"+address)
	}
}
