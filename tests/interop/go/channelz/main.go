// Reads an interop_server by channelz with grpc-go's own stubs, as its tools do: every method, and that what is told of
// the calls made before is true.
//
// channelz HOST:PORT: status 0 when all is so.
package main

import (
	"context"
	"fmt"
	"log"
	"net"
	"os"
	"time"

	"google.golang.org/grpc"
	channelz "google.golang.org/grpc/channelz/grpc_channelz_v1"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	testing "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"
)

const calls = 7

func require(condition bool, what string, arguments ...any) {
	if !condition {
		log.Fatalf("not so: "+what, arguments...)
	}
}

func must[T any](value T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return value
}

func recent(at *timestamppb.Timestamp) bool {
	age := time.Since(at.AsTime())
	return at != nil && age > -time.Second && age < time.Minute
}

// theServer is the only one, once by the list and once by its id.
func theServer(ctx context.Context, client channelz.ChannelzClient) *channelz.Server {
	page := must(client.GetServers(ctx, &channelz.GetServersRequest{}))
	require(len(page.Server) == 1 && page.End, "%v is one server", page)
	id := page.Server[0].Ref.ServerId
	server := must(client.GetServer(ctx, &channelz.GetServerRequest{ServerId: id})).Server
	require(server.Ref.ServerId == id && len(server.ListenSocket) == 1, "%v is the server that listens", server)
	return server
}

// socketsOf goes through pages of one.
func socketsOf(ctx context.Context, client channelz.ChannelzClient, server int64) []*channelz.Socket {
	var sockets []*channelz.Socket
	for start := int64(0); ; {
		page := must(client.GetServerSockets(ctx,
			&channelz.GetServerSocketsRequest{ServerId: server, StartSocketId: start, MaxResults: 1}))
		require(len(page.SocketRef) <= 1, "%v is a page of one", page)
		for _, ref := range page.SocketRef {
			start = ref.SocketId + 1
			sockets = append(sockets, must(client.GetSocket(ctx, &channelz.GetSocketRequest{SocketId: ref.SocketId})).Socket)
		}
		if page.End {
			return sockets
		}
	}
}

func checkSocket(socket *channelz.Socket, target string) {
	data := socket.Data
	local := socket.Local.GetTcpipAddress()
	require(local != nil && socket.Remote.GetTcpipAddress() != nil, "%v has two addresses", socket)
	address := net.JoinHostPort(net.IP(local.IpAddress).String(), fmt.Sprint(local.Port))
	require(address == target, "%s is %s", address, target)
	require(data.StreamsStarted >= calls && data.StreamsSucceeded >= calls && data.StreamsFailed == 0, "%v", data)
	require(data.MessagesReceived >= calls && data.MessagesSent >= calls, "%v", data)
	require(recent(data.LastRemoteStreamCreatedTimestamp) && recent(data.LastMessageSentTimestamp), "%v", data)
	require(data.LocalFlowControlWindow.GetValue() > 0 && data.RemoteFlowControlWindow.GetValue() > 0, "%v", data)
	for _, option := range data.Option {
		if option.Name != "TCP_INFO" {
			continue
		}
		var info channelz.SocketOptionTcpInfo
		require(option.Additional.UnmarshalTo(&info) == nil && info.TcpiSndMss > 0, "%v is TCP's", option)
		return
	}
	log.Fatalf("not so: %v has TCP_INFO", data.Option)
}

func main() {
	if len(os.Args) != 2 {
		log.Fatal("channelz HOST:PORT")
	}
	target := os.Args[1]
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	connection := must(grpc.NewClient(target, grpc.WithTransportCredentials(insecure.NewCredentials())))
	defer connection.Close()
	service := testing.NewTestServiceClient(connection)
	for range calls {
		must(service.EmptyCall(ctx, &testing.Empty{}))
	}
	client := channelz.NewChannelzClient(connection)

	server := theServer(ctx, client)
	require(server.Data.CallsSucceeded >= calls && server.Data.CallsFailed == 0, "%v", server.Data)
	require(recent(server.Data.LastCallStartedTimestamp), "%v", server.Data)
	listening := must(client.GetSocket(ctx, &channelz.GetSocketRequest{SocketId: server.ListenSocket[0].SocketId})).Socket
	require(listening.Local != nil && listening.Remote == nil, "%v listens", listening)
	sockets := socketsOf(ctx, client, server.Ref.ServerId)
	require(len(sockets) == 1, "%v is one connection", sockets)
	checkSocket(sockets[0], target)

	channels := must(client.GetTopChannels(ctx, &channelz.GetTopChannelsRequest{}))
	require(len(channels.Channel) == 0 && channels.End, "%v is empty: the program is no client", channels)
	_, err := client.GetChannel(ctx, &channelz.GetChannelRequest{ChannelId: server.Ref.ServerId})
	require(status.Code(err) == codes.NotFound, "%v is NotFound", err)
	_, err = client.GetSubchannel(ctx, &channelz.GetSubchannelRequest{SubchannelId: 1 << 40})
	require(status.Code(err) == codes.NotFound, "%v is NotFound", err)
	_, err = client.GetServers(ctx, &channelz.GetServersRequest{MaxResults: -1})
	require(status.Code(err) == codes.InvalidArgument, "%v is InvalidArgument", err)
	fmt.Println("ok")
}
