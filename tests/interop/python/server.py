#!/usr/bin/env python3
"""Python's side of peer.proto, and the shop's service.

server.py [PORT]: serves 127.0.0.1:PORT (0, the default: any), says "listening PORT", runs until SIGTERM.
"""

import concurrent.futures
import signal
import sys
import threading

import grpc
from peer import compile_schemas, pattern

peer_pb2, peer_pb2_grpc, Prod_pb2, Prod_pb2_grpc = compile_schemas()
CODES = {code.value[0]: code for code in grpc.StatusCode}


class Call:
    """What is known of a call while it runs."""

    def __init__(self, context):
        self.context = context
        self.name = ""
        self.ended = False
        self.over = threading.Event()

    def end(self):
        """The handler is about to say how the call ends; what comes after that is no cancellation."""
        self.ended = True


class Received:
    """What arrived of a call so far."""

    def __init__(self):
        self.count = self.size = 0

    def add(self, request):
        self.count += 1
        self.size += len(request.payload)


def response_to(context, request, received):
    left = context.time_remaining()
    # Without a deadline grpcio says None, or some centuries.
    unbounded = left is None or left > 1e9
    return peer_pb2.Response(
        payload=pattern(request.response_size) if request.response_size else request.payload,
        received_count=received.count,
        received_size=received.size,
        deadline_left_ms=-1 if unbounded else max(int(left * 1000), 0),
    )


class Peer(peer_pb2_grpc.PeerServicer):
    def __init__(self):
        self.cancelled = set()

    def Unary(self, request, context):
        received = Received()
        received.add(request)
        call = self.begin(context)
        self.wait(call, request)
        self.fail(call, request)
        call.end()
        return response_to(context, request, received)

    def Feed(self, request, context):
        received = Received()
        received.add(request)
        call = self.begin(context)
        yield from self.answer(call, request, received)
        self.fail(call, request)
        call.end()

    def Collect(self, requests, context):
        received = Received()
        call = self.begin(context)
        request = peer_pb2.Request()
        for request in requests:
            received.add(request)
            self.fail(call, request)
        self.wait(call, request)
        call.end()
        return response_to(context, request, received)

    def Chat(self, requests, context):
        received = Received()
        call = self.begin(context)
        for request in requests:
            received.add(request)
            yield from self.answer(call, request, received)
            self.fail(call, request)
        call.end()

    def WasCancelled(self, request, context):
        return peer_pb2.CallState(cancelled=request.name in self.cancelled)

    def begin(self, context):
        """Echoes the metadata, and watches the call's end."""
        sent = context.invocation_metadata()
        context.send_initial_metadata([(key, value) for key, value in sent if key.startswith("x-echo-")])
        context.set_trailing_metadata([(key, value) for key, value in sent if key.startswith("x-trail-")])
        call = Call(context)

        def over():
            # grpcio resumes no generator of a call that is over, so this is the place that always learns of it.
            if not call.ended:
                self.cancelled.add(call.name)
            call.over.set()

        if not context.add_callback(over):
            over()
        return call

    def wait(self, call, request):
        call.name = request.call_name
        if call.over.wait(request.delay_ms / 1000):
            self.cancelled.add(call.name)
            call.context.abort(grpc.StatusCode.CANCELLED, "cancelled")

    def answer(self, call, request, received):
        for _ in range(request.response_count):
            self.wait(call, request)
            yield response_to(call.context, request, received)

    def fail(self, call, request):
        if not request.HasField("fail"):
            return
        if request.fail.details:
            call.context.set_trailing_metadata([("grpc-status-details-bin", request.fail.details)])
        call.end()
        call.context.abort(CODES[request.fail.code], request.fail.message)


class Stock(Prod_pb2_grpc.ProdServiceServicer):
    def GetProdStock(self, request, context):
        return Prod_pb2.ProdResponse(prod_stock=request.prod_id * 20)


def main():
    server = grpc.server(concurrent.futures.ThreadPoolExecutor(max_workers=32))
    peer_pb2_grpc.add_PeerServicer_to_server(Peer(), server)
    Prod_pb2_grpc.add_ProdServiceServicer_to_server(Stock(), server)
    port = server.add_insecure_port("127.0.0.1:" + (sys.argv[1] if len(sys.argv) > 1 else "0"))
    server.start()
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    print(f"listening {port}", flush=True)
    ended.wait()
    server.stop(grace=2).wait()


if __name__ == "__main__":
    main()
