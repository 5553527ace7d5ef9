// grpc-go: GetProdStock as its users write it.
//
// server [PORT]: serves 127.0.0.1:PORT (0, the default: any), says "listening PORT", runs until killed.
package main

import (
	"context"
	"fmt"
	"log"
	"net"
	"os"

	"google.golang.org/grpc"

	prod "bench/generated/prod"
)

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
	prod.RegisterProdServiceServer(server, stock{})
	fmt.Println("listening", listener.Addr().(*net.TCPAddr).Port)
	log.Fatal(server.Serve(listener))
}
