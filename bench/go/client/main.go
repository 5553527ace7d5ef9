// grpc-go's client: GetProdStock, again and again, on one channel, with a goroutine for each call in flight.
//
// client TARGET IN_FLIGHT SECONDS: keeps that many calls in flight; says what they cost, as ../../tally.h does.
package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	prod "bench/generated/prod"
)

const warmUp = 500 * time.Millisecond

var (
	calls, wrong atomic.Int64
	stopping     atomic.Bool
)

func callAgainAndAgain(client prod.ProdServiceClient) {
	request := &prod.ProdRequest{}
	for !stopping.Load() {
		request.ProdId = request.ProdId%1000 + 1
		answer, err := client.GetProdStock(context.Background(), request)
		calls.Add(1)
		if err != nil || answer.ProdStock != request.ProdId*20 {
			wrong.Add(1)
		}
	}
}

func processorSeconds() float64 {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		log.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano()).Seconds()
}

func main() {
	if len(os.Args) != 4 {
		log.Fatal("usage: client TARGET IN_FLIGHT SECONDS")
	}
	inFlight, err := strconv.Atoi(os.Args[2])
	if err != nil {
		log.Fatal(err)
	}
	seconds, err := strconv.ParseFloat(os.Args[3], 64)
	if err != nil {
		log.Fatal(err)
	}
	connection, err := grpc.NewClient("passthrough:///"+os.Args[1],
		grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		log.Fatal(err)
	}
	client := prod.NewProdServiceClient(connection)
	var running sync.WaitGroup
	for range inFlight {
		running.Go(func() { callAgainAndAgain(client) })
	}
	time.Sleep(warmUp)
	callsBefore, processorBefore, begin := calls.Load(), processorSeconds(), time.Now()
	time.Sleep(time.Duration(seconds * float64(time.Second)))
	measured, processor, wall := calls.Load()-callsBefore, processorSeconds()-processorBefore, time.Since(begin)
	stopping.Store(true)
	running.Wait()
	fmt.Printf("{\"calls\": %d, \"wall_s\": %f, \"processor_s\": %f, \"calls_total\": %d, \"wrong\": %d}\n",
		measured, wall.Seconds(), processor, calls.Load(), wrong.Load())
	if measured == 0 || wrong.Load() > 0 {
		os.Exit(1)
	}
}
