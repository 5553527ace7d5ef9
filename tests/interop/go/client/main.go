// Go's client, run through the cases against some peer's server: "ok NAME" or "FAIL NAME: why" for each.
//
// client HOST:PORT [CASE ...]: status 0 when all cases pass.
package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"slices"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	pb "interop/generated/peer"
	prod "interop/generated/prod"
)

type fixture struct {
	connection *grpc.ClientConn
	peer       pb.PeerClient
	runName    string
}

// bounded is a context that ends a case that would hang.
func bounded() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), 20*time.Second)
}

func pattern(size int) []byte {
	bytes := make([]byte, size)
	for i := range bytes {
		bytes[i] = byte(i % 251)
	}
	return bytes
}

func expect(condition bool, what string, arguments ...any) error {
	if condition {
		return nil
	}
	return fmt.Errorf("not so: "+what, arguments...)
}

func expectCode(err error, code codes.Code) error {
	return expect(status.Code(err) == code, "%v is %v", err, code)
}

func (f *fixture) expectSeen(name string) error {
	for range 100 {
		ctx, cancel := bounded()
		state, err := f.peer.WasCancelled(ctx, &pb.CallName{Name: name})
		cancel()
		if err != nil {
			return err
		}
		if state.Cancelled {
			return nil
		}
		time.Sleep(50 * time.Millisecond)
	}
	return errors.New("not so: the server saw the cancellation")
}

// ---- messages ----

func emptyUnary(f *fixture, ctx context.Context) error {
	response, err := f.peer.Unary(ctx, &pb.Request{})
	if err != nil {
		return err
	}
	return expect(len(response.Payload) == 0 && response.ReceivedCount == 1, "%v is empty", response)
}

func largeUnary(f *fixture, ctx context.Context) error {
	response, err := f.peer.Unary(ctx, &pb.Request{Payload: pattern(3_000_000), ResponseSize: 3_500_000})
	if err != nil {
		return err
	}
	right := bytes.Equal(response.Payload, pattern(3_500_000)) && response.ReceivedSize == 3_000_000
	return expect(right, "the payload's bytes")
}

func responseTooLarge(f *fixture, ctx context.Context) error {
	_, err := f.peer.Unary(ctx, &pb.Request{ResponseSize: 5_000_000})
	return expectCode(err, codes.ResourceExhausted)
}

func requestTooLarge(f *fixture, ctx context.Context) error {
	_, err := f.peer.Unary(ctx, &pb.Request{Payload: pattern(5_000_000)})
	return expectCode(err, codes.ResourceExhausted)
}

// ---- streams ----

func (f *fixture) readFeed(ctx context.Context, count, size int) error {
	stream, err := f.peer.Feed(ctx, &pb.Request{ResponseCount: int32(count), ResponseSize: int32(size)})
	if err != nil {
		return err
	}
	expected := pattern(size)
	for range count {
		response, err := stream.Recv()
		if err != nil {
			return err
		}
		if !bytes.Equal(response.Payload, expected) {
			return errors.New("not so: the payload's bytes")
		}
	}
	_, err = stream.Recv()
	return expect(err == io.EOF, "%v is EOF", err)
}

func serverStreaming(f *fixture, ctx context.Context) error   { return f.readFeed(ctx, 100, 1000) }
func emptyServerStream(f *fixture, ctx context.Context) error { return f.readFeed(ctx, 0, 0) }
func flowControl(f *fixture, ctx context.Context) error       { return f.readFeed(ctx, 256, 65_536) }

func (f *fixture) sendCollection(ctx context.Context, count, size int) error {
	stream, err := f.peer.Collect(ctx)
	if err != nil {
		return err
	}
	for range count {
		if err := stream.Send(&pb.Request{Payload: pattern(size)}); err != nil {
			return err
		}
	}
	response, err := stream.CloseAndRecv()
	if err != nil {
		return err
	}
	right := response.ReceivedCount == int32(count) && response.ReceivedSize == int64(count*size)
	return expect(right, "%d requests of %d bytes in all", response.ReceivedCount, response.ReceivedSize)
}

func clientStreaming(f *fixture, ctx context.Context) error   { return f.sendCollection(ctx, 100, 20_000) }
func emptyClientStream(f *fixture, ctx context.Context) error { return f.sendCollection(ctx, 0, 0) }

func pingPong(f *fixture, ctx context.Context) error {
	stream, err := f.peer.Chat(ctx)
	if err != nil {
		return err
	}
	for i := 1; i <= 50; i++ {
		payload := fmt.Appendf(nil, "ping %d", i)
		if err := stream.Send(&pb.Request{Payload: payload, ResponseCount: 1}); err != nil {
			return err
		}
		response, err := stream.Recv()
		if err != nil {
			return err
		}
		if !bytes.Equal(response.Payload, payload) || response.ReceivedCount != int32(i) {
			return fmt.Errorf("not so: %v answers ping %d", response, i)
		}
	}
	if err := stream.CloseSend(); err != nil {
		return err
	}
	_, err = stream.Recv()
	return expect(err == io.EOF, "%v is EOF", err)
}

func halfClose(f *fixture, ctx context.Context) error {
	stream, err := f.peer.Chat(ctx)
	if err != nil {
		return err
	}
	if err := stream.Send(&pb.Request{Payload: []byte("half"), ResponseCount: 5, DelayMs: 20}); err != nil {
		return err
	}
	if err := stream.CloseSend(); err != nil {
		return err
	}
	for range 5 {
		if _, err := stream.Recv(); err != nil {
			return err
		}
	}
	_, err = stream.Recv()
	return expect(err == io.EOF, "%v is EOF", err)
}

// ---- metadata ----

func (f *fixture) metadataOf(ctx context.Context, pairs ...string) (header, trailer metadata.MD, err error) {
	ctx = metadata.AppendToOutgoingContext(ctx, pairs...)
	_, err = f.peer.Unary(ctx, &pb.Request{}, grpc.Header(&header), grpc.Trailer(&trailer))
	return header, trailer, err
}

func metadataRepeated(f *fixture, ctx context.Context) error {
	header, trailer, err := f.metadataOf(ctx, "x-echo-a", "one", "x-echo-a", "two", "x-echo-b", "a, b",
		"x-trail-a", "three", "x-trail-a", "four")
	if err != nil {
		return err
	}
	right := slices.Equal(header["x-echo-a"], []string{"one", "two"}) && slices.Equal(header["x-echo-b"], []string{"a, b"}) &&
		slices.Equal(trailer["x-trail-a"], []string{"three", "four"}) && len(header["x-trail-a"]) == 0
	return expect(right, "%v, %v", header, trailer)
}

func metadataBinary(f *fixture, ctx context.Context) error {
	var everyByte []byte
	for i := range 256 {
		everyByte = append(everyByte, byte(i))
	}
	header, trailer, err := f.metadataOf(ctx, "x-echo-bin", string(everyByte), "x-echo-bin", "a",
		"x-trail-bin", string(everyByte))
	if err != nil {
		return err
	}
	right := slices.Equal(header["x-echo-bin"], []string{string(everyByte), "a"}) &&
		slices.Equal(trailer["x-trail-bin"], []string{string(everyByte)})
	return expect(right, "%q, %q", header, trailer)
}

// ---- statuses ----

func (f *fixture) failure(ctx context.Context, code int32, message string, details []byte) *status.Status {
	fail := &pb.Failure{Code: code, Message: message, Details: details}
	_, err := f.peer.Unary(ctx, &pb.Request{Fail: fail})
	return status.Convert(err)
}

func statusCodes(f *fixture, ctx context.Context) error {
	for code := int32(1); code <= 16; code++ {
		got := f.failure(ctx, code, "why", nil)
		if got.Code() != codes.Code(code) || got.Message() != "why" {
			return fmt.Errorf("not so: %v is code %d", got, code)
		}
	}
	return nil
}

func statusMessage(f *fixture, ctx context.Context) error {
	message := "\t库存 is 50 % off, naïve\r\nsecond line 😈 "
	got := f.failure(ctx, 5, message, nil)
	return expect(got.Code() == codes.NotFound && got.Message() == message, "%q is %q", got.Message(), message)
}

func statusDetails(f *fixture, ctx context.Context) error {
	details := []byte("\x08\x09\x12\x03why\x1a\x06\x0a\x01t\x12\x01v")
	got := f.failure(ctx, 9, "why", details)
	encoded, err := proto.MarshalOptions{Deterministic: true}.Marshal(got.Proto())
	if err != nil {
		return err
	}
	return expect(got.Code() == codes.FailedPrecondition && bytes.Equal(encoded, details), "%v", got)
}

func statusAfterMessages(f *fixture, ctx context.Context) error {
	fail := &pb.Failure{Code: 8, Message: "no more"}
	stream, err := f.peer.Feed(ctx, &pb.Request{Payload: []byte("some"), ResponseCount: 3, Fail: fail})
	if err != nil {
		return err
	}
	for range 3 {
		if _, err := stream.Recv(); err != nil {
			return err
		}
	}
	_, err = stream.Recv()
	got := status.Convert(err)
	return expect(got.Code() == codes.ResourceExhausted && got.Message() == "no more", "%v", err)
}

func statusBeforeEndOfRequests(f *fixture, ctx context.Context) error {
	stream, err := f.peer.Collect(ctx)
	if err != nil {
		return err
	}
	if err := stream.Send(&pb.Request{Payload: pattern(1000)}); err != nil {
		return err
	}
	if err := stream.Send(&pb.Request{Fail: &pb.Failure{Code: 9, Message: "enough"}}); err != nil {
		return err
	}
	// Our direction stays open.
	err = stream.RecvMsg(&pb.Response{})
	got := status.Convert(err)
	return expect(got.Code() == codes.FailedPrecondition && got.Message() == "enough", "%v", err)
}

func missingMethod(f *fixture, ctx context.Context) error {
	_, err := f.peer.Missing(ctx, &pb.Request{})
	return expectCode(err, codes.Unimplemented)
}

func missingService(f *fixture, ctx context.Context) error {
	_, err := pb.NewAbsentClient(f.connection).Call(ctx, &pb.Request{})
	return expectCode(err, codes.Unimplemented)
}

// ---- deadlines and cancellation ----

func deadlineExceeded(f *fixture, ctx context.Context) error {
	name := "deadline " + f.runName
	short, cancel := context.WithTimeout(ctx, 300*time.Millisecond)
	defer cancel()
	begin := time.Now()
	_, err := f.peer.Unary(short, &pb.Request{DelayMs: 30_000, CallName: name})
	if took := time.Since(begin); took < 290*time.Millisecond || took > 5*time.Second {
		return fmt.Errorf("not so: %v are about 300 ms", took)
	}
	if err := expectCode(err, codes.DeadlineExceeded); err != nil {
		return err
	}
	return f.expectSeen(name)
}

func deadlineSeen(f *fixture, ctx context.Context) error {
	with, cancel := context.WithTimeout(ctx, 15*time.Second)
	defer cancel()
	response, err := f.peer.Unary(with, &pb.Request{})
	if err != nil {
		return err
	}
	if response.DeadlineLeftMs <= 5_000 || response.DeadlineLeftMs > 15_000 {
		return fmt.Errorf("not so: %d ms are left of 15 s", response.DeadlineLeftMs)
	}
	response, err = f.peer.Unary(context.Background(), &pb.Request{})
	if err != nil {
		return err
	}
	return expect(response.DeadlineLeftMs == -1, "%d is -1", response.DeadlineLeftMs)
}

func cancelUnary(f *fixture, ctx context.Context) error {
	name := "unary " + f.runName
	cancelled, cancel := context.WithCancel(ctx)
	time.AfterFunc(300*time.Millisecond, cancel)
	_, err := f.peer.Unary(cancelled, &pb.Request{DelayMs: 30_000, CallName: name})
	if err := expectCode(err, codes.Canceled); err != nil {
		return err
	}
	return f.expectSeen(name)
}

func cancelServerStream(f *fixture, ctx context.Context) error {
	name := "feed " + f.runName
	cancelled, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := f.peer.Feed(cancelled, &pb.Request{ResponseCount: 1_000_000, DelayMs: 5, CallName: name})
	if err != nil {
		return err
	}
	for range 3 {
		if _, err := stream.Recv(); err != nil {
			return err
		}
	}
	cancel()
	for err == nil {
		_, err = stream.Recv()
	}
	if err := expectCode(err, codes.Canceled); err != nil {
		return err
	}
	return f.expectSeen(name)
}

func cancelBidi(f *fixture, ctx context.Context) error {
	name := "chat " + f.runName
	cancelled, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := f.peer.Chat(cancelled)
	if err != nil {
		return err
	}
	if err := stream.Send(&pb.Request{Payload: []byte("hello"), ResponseCount: 1, CallName: name}); err != nil {
		return err
	}
	if _, err := stream.Recv(); err != nil {
		return err
	}
	cancel()
	_, err = stream.Recv()
	if err := expectCode(err, codes.Canceled); err != nil {
		return err
	}
	return f.expectSeen(name)
}

// ---- many, and the shop ----

func concurrent(f *fixture, ctx context.Context) error {
	results := make(chan error)
	for i := range 200 {
		go func() {
			payload := fmt.Append(nil, i)
			response, err := f.peer.Unary(ctx, &pb.Request{Payload: payload, DelayMs: int32(i % 7)})
			if err == nil {
				err = expect(bytes.Equal(response.Payload, payload), "payload %d", i)
			}
			results <- err
		}()
	}
	var failures []error
	for range 200 {
		failures = append(failures, <-results)
	}
	return errors.Join(failures...)
}

func prodCase(f *fixture, ctx context.Context) error {
	response, err := prod.NewProdServiceClient(f.connection).GetProdStock(ctx, &prod.ProdRequest{ProdId: 4})
	if err != nil {
		return err
	}
	return expect(response.ProdStock == 80, "%d is 80", response.ProdStock)
}

var cases = []struct {
	name string
	run  func(*fixture, context.Context) error
}{
	{"empty_unary", emptyUnary}, {"large_unary", largeUnary}, {"response_too_large", responseTooLarge},
	{"request_too_large", requestTooLarge}, {"server_streaming", serverStreaming},
	{"empty_server_stream", emptyServerStream}, {"flow_control", flowControl},
	{"client_streaming", clientStreaming}, {"empty_client_stream", emptyClientStream},
	{"ping_pong", pingPong}, {"half_close", halfClose}, {"metadata_repeated", metadataRepeated},
	{"metadata_binary", metadataBinary}, {"status_codes", statusCodes}, {"status_message", statusMessage},
	{"status_details", statusDetails}, {"status_after_messages", statusAfterMessages},
	{"status_before_end_of_requests", statusBeforeEndOfRequests}, {"missing_method", missingMethod},
	{"missing_service", missingService}, {"deadline_exceeded", deadlineExceeded},
	{"deadline_seen", deadlineSeen}, {"cancel_unary", cancelUnary},
	{"cancel_server_stream", cancelServerStream}, {"cancel_bidi", cancelBidi},
	{"concurrent", concurrent}, {"prod", prodCase},
}

func main() {
	if len(os.Args) < 2 {
		log.Fatal("usage: client HOST:PORT [CASE ...]")
	}
	connection, err := grpc.NewClient(os.Args[1], grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		log.Fatal(err)
	}
	defer connection.Close()
	f := &fixture{connection, pb.NewPeerClient(connection), fmt.Sprint(time.Now().UnixNano())}
	failed := false
	for _, one := range cases {
		if only := os.Args[2:]; len(only) > 0 && !slices.Contains(only, one.name) {
			continue
		}
		ctx, cancel := bounded()
		err := one.run(f, ctx)
		cancel()
		if err != nil {
			failed = true
			fmt.Printf("FAIL %s: %q\n", one.name, err.Error())
		} else {
			fmt.Printf("ok %s\n", one.name)
		}
	}
	if failed {
		os.Exit(1)
	}
}
