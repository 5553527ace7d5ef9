// Go's side of peer.proto, and the shop's service.
//
// server [PORT]: serves 127.0.0.1:PORT (0, the default: any), says "listening PORT", runs until SIGTERM.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"os"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"time"

	"google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	grpcstatus "google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	pb "interop/generated/peer"
	prod "interop/generated/prod"
)

var errCancelled = grpcstatus.Error(codes.Canceled, "cancelled")

// received is what arrived of a call so far.
type received struct {
	count int32
	size  int64
}

func (r *received) add(request *pb.Request) {
	r.count++
	r.size += int64(len(request.Payload))
}

func pattern(size int32) []byte {
	bytes := make([]byte, size)
	for i := range bytes {
		bytes[i] = byte(i % 251)
	}
	return bytes
}

func failureOf(request *pb.Request) error {
	fail := request.Fail
	if fail == nil {
		return nil
	}
	if len(fail.Details) > 0 {
		var details status.Status
		if err := proto.Unmarshal(fail.Details, &details); err != nil {
			return err
		}
		return grpcstatus.ErrorProto(&details)
	}
	return grpcstatus.Error(codes.Code(fail.Code), fail.Message)
}

func responseTo(ctx context.Context, request *pb.Request, r received) *pb.Response {
	response := &pb.Response{Payload: request.Payload, ReceivedCount: r.count, ReceivedSize: r.size, DeadlineLeftMs: -1}
	if request.ResponseSize > 0 {
		response.Payload = pattern(request.ResponseSize)
	}
	if deadline, ok := ctx.Deadline(); ok {
		response.DeadlineLeftMs = max(time.Until(deadline).Milliseconds(), 0)
	}
	return response
}

func chosen(ctx context.Context, prefix string) metadata.MD {
	all, _ := metadata.FromIncomingContext(ctx)
	some := metadata.MD{}
	for key, values := range all {
		if strings.HasPrefix(key, prefix) {
			some[key] = values
		}
	}
	return some
}

type peer struct {
	pb.UnimplementedPeerServer
	mutex     sync.Mutex
	cancelled map[string]bool
}

func (p *peer) note(name string) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	p.cancelled[name] = true
}

// wait lasts as long as the request wants; an error says that the call is over.
func (p *peer) wait(ctx context.Context, request *pb.Request) error {
	select {
	case <-ctx.Done():
		p.note(request.CallName)
		return errCancelled
	case <-time.After(time.Duration(request.DelayMs) * time.Millisecond):
		return nil
	}
}

func (p *peer) answer(stream grpc.ServerStream, request *pb.Request, r received) error {
	for i := int32(0); i < request.ResponseCount; i++ {
		if err := p.wait(stream.Context(), request); err != nil {
			return err
		}
		if err := stream.SendMsg(responseTo(stream.Context(), request, r)); err != nil {
			if stream.Context().Err() != nil {
				p.note(request.CallName)
			}
			return err
		}
	}
	return nil
}

func echo(stream grpc.ServerStream) error {
	stream.SetTrailer(chosen(stream.Context(), "x-trail-"))
	return stream.SetHeader(chosen(stream.Context(), "x-echo-"))
}

func (p *peer) Unary(ctx context.Context, request *pb.Request) (*pb.Response, error) {
	if err := grpc.SetHeader(ctx, chosen(ctx, "x-echo-")); err != nil {
		return nil, err
	}
	if err := grpc.SetTrailer(ctx, chosen(ctx, "x-trail-")); err != nil {
		return nil, err
	}
	var r received
	r.add(request)
	if err := p.wait(ctx, request); err != nil {
		return nil, err
	}
	if err := failureOf(request); err != nil {
		return nil, err
	}
	return responseTo(ctx, request, r), nil
}

func (p *peer) Feed(request *pb.Request, stream pb.Peer_FeedServer) error {
	if err := echo(stream); err != nil {
		return err
	}
	var r received
	r.add(request)
	if err := p.answer(stream, request, r); err != nil {
		return err
	}
	return failureOf(request)
}

func (p *peer) Collect(stream pb.Peer_CollectServer) error {
	if err := echo(stream); err != nil {
		return err
	}
	var r received
	last := &pb.Request{}
	for {
		request, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		r.add(request)
		last = request
		if err := failureOf(request); err != nil {
			return err
		}
	}
	if err := p.wait(stream.Context(), last); err != nil {
		return err
	}
	return stream.SendAndClose(responseTo(stream.Context(), last, r))
}

func (p *peer) Chat(stream pb.Peer_ChatServer) error {
	if err := echo(stream); err != nil {
		return err
	}
	var r received
	last := &pb.Request{}
	for {
		request, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			if stream.Context().Err() != nil {
				p.note(last.CallName)
			}
			return err
		}
		r.add(request)
		last = request
		if err := p.answer(stream, request, r); err != nil {
			return err
		}
		if err := failureOf(request); err != nil {
			return err
		}
	}
}

func (p *peer) WasCancelled(_ context.Context, call *pb.CallName) (*pb.CallState, error) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	return &pb.CallState{Cancelled: p.cancelled[call.Name]}, nil
}

type stock struct {
	prod.UnimplementedProdServiceServer
}

func (stock) GetProdStock(_ context.Context, request *prod.ProdRequest) (*prod.ProdResponse, error) {
	return &prod.ProdResponse{ProdStock: request.ProdId * 20}, nil
}

func main() {
	port := "0"
	if len(os.Args) > 1 {
		port = os.Args[1]
	}
	listener, err := net.Listen("tcp", "127.0.0.1:"+port)
	if err != nil {
		log.Fatal(err)
	}
	server := grpc.NewServer()
	pb.RegisterPeerServer(server, &peer{cancelled: map[string]bool{}})
	prod.RegisterProdServiceServer(server, stock{})
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM)
	go func() {
		<-signals
		time.AfterFunc(2*time.Second, server.Stop)
		server.GracefulStop()
	}()
	fmt.Printf("listening %d\n", listener.Addr().(*net.TCPAddr).Port)
	if err := server.Serve(listener); err != nil {
		log.Fatal(err)
	}
}
