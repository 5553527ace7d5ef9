#!/usr/bin/env python3
"""grpcio's client, run through the cases against some peer's server: "ok NAME" or "FAIL NAME: why" for each.

client.py HOST:PORT [CASE ...]: status 0 when all cases pass.
"""

import sys
import threading
import time

import grpc
from peer import compile_schemas, pattern

peer_pb2, peer_pb2_grpc, Prod_pb2, Prod_pb2_grpc = compile_schemas()
Request = peer_pb2.Request
# A bound for every call, so that a case that would hang fails.
BOUND_S = 20


class Failed(Exception):
    pass


def expect(condition, what):
    if not condition:
        raise Failed(f"not so: {what}")


def expect_status(error, code):
    expect(error.code() == code, f"{error.code()} {error.details()!r} is {code}")


def failure_of(call, *arguments, **options):
    """The RpcError that the call ends with."""
    try:
        call(*arguments, timeout=options.pop("timeout", BOUND_S), **options)
    except grpc.RpcError as error:
        return error
    raise Failed("the call succeeded")


def requests_until(ended, *requests):
    """The requests, then an open direction until `ended` is set."""
    yield from requests
    ended.wait(BOUND_S)


class Cases:
    """Each method without an underscore is a case."""

    def __init__(self, channel):
        self._channel = channel
        self._peer = peer_pb2_grpc.PeerStub(channel)
        self._run_name = str(time.monotonic_ns())

    def _server_saw_cancellation(self, name):
        for _ in range(100):
            if self._peer.WasCancelled(peer_pb2.CallName(name=name), timeout=BOUND_S).cancelled:
                return True
            time.sleep(0.05)
        return False

    # ---- messages ----

    def empty_unary(self):
        response = self._peer.Unary(Request(), timeout=BOUND_S)
        expect(response.payload == b"", "empty payload")
        expect(response.received_count == 1, "one request received")

    def large_unary(self):
        response = self._peer.Unary(Request(payload=pattern(3_000_000), response_size=3_500_000), timeout=BOUND_S)
        expect(response.payload == pattern(3_500_000), "the payload's bytes")
        expect(response.received_size == 3_000_000, "received_size")

    def response_too_large(self):
        error = failure_of(self._peer.Unary, Request(response_size=5_000_000))
        expect_status(error, grpc.StatusCode.RESOURCE_EXHAUSTED)

    def request_too_large(self):
        error = failure_of(self._peer.Unary, Request(payload=pattern(5_000_000)))
        expect_status(error, grpc.StatusCode.RESOURCE_EXHAUSTED)

    # ---- streams ----

    def _read_feed(self, count, size):
        responses = list(self._peer.Feed(Request(response_count=count, response_size=size), timeout=BOUND_S))
        expect(len(responses) == count, f"{len(responses)} responses are {count}")
        expected = pattern(size)
        expect(all(response.payload == expected for response in responses), "the payloads' bytes")

    def server_streaming(self):
        self._read_feed(100, 1000)

    def empty_server_stream(self):
        self._read_feed(0, 0)

    def flow_control(self):
        self._read_feed(256, 65_536)

    def _send_collection(self, count, size):
        requests = (Request(payload=pattern(size)) for _ in range(count))
        response = self._peer.Collect(requests, timeout=BOUND_S)
        expect(response.received_count == count, "received_count")
        expect(response.received_size == count * size, "received_size")

    def client_streaming(self):
        self._send_collection(100, 20_000)

    def empty_client_stream(self):
        self._send_collection(0, 0)

    def ping_pong(self):
        turn = threading.Semaphore(1)

        def requests():
            for i in range(1, 51):
                turn.acquire()
                yield Request(payload=b"ping %d" % i, response_count=1)

        count = 0
        for response in self._peer.Chat(requests(), timeout=BOUND_S):
            count += 1
            expect(response.payload == b"ping %d" % count, "the payload")
            expect(response.received_count == count, "received_count")
            turn.release()
        expect(count == 50, f"{count} responses are 50")

    def half_close(self):
        request = Request(payload=b"half", response_count=5, delay_ms=20)
        responses = list(self._peer.Chat(iter([request]), timeout=BOUND_S))
        expect(len(responses) == 5, "five responses")

    # ---- metadata ----

    def _metadata_of(self, metadata):
        _, call = self._peer.Unary.with_call(Request(), timeout=BOUND_S, metadata=metadata)

        def values_of(received, name):
            return [value for key, value in received if key == name]

        return (lambda name: values_of(call.initial_metadata(), name),
                lambda name: values_of(call.trailing_metadata(), name))

    def metadata_repeated(self):
        headers, trailers = self._metadata_of([
            ("x-echo-a", "one"), ("x-echo-a", "two"), ("x-echo-b", "a, b"), ("x-trail-a", "three"), ("x-trail-a", "four")])
        expect(headers("x-echo-a") == ["one", "two"], f"{headers('x-echo-a')} is one, two")
        expect(headers("x-echo-b") == ["a, b"], f"{headers('x-echo-b')} is 'a, b'")
        expect(trailers("x-trail-a") == ["three", "four"], f"{trailers('x-trail-a')} is three, four")
        expect(headers("x-trail-a") == [], "no trailer among the headers")

    def metadata_binary(self):
        every_byte = bytes(range(256))
        headers, trailers = self._metadata_of([
            ("x-echo-bin", every_byte), ("x-echo-bin", b"a"), ("x-trail-bin", every_byte)])
        expect(headers("x-echo-bin") == [every_byte, b"a"], f"{headers('x-echo-bin')}")
        expect(trailers("x-trail-bin") == [every_byte], f"{trailers('x-trail-bin')}")

    # ---- statuses ----

    def _failure(self, code, message, details=b""):
        fail = peer_pb2.Failure(code=code, message=message, details=details)
        return failure_of(self._peer.Unary, Request(fail=fail))

    def status_codes(self):
        for code in grpc.StatusCode:
            if code == grpc.StatusCode.OK:
                continue
            error = self._failure(code.value[0], "why")
            expect_status(error, code)
            expect(error.details() == "why", "the message")

    def status_message(self):
        message = "\t库存 is 50 % off, naïve\r\nsecond line 😈 "
        error = self._failure(5, message)
        expect_status(error, grpc.StatusCode.NOT_FOUND)
        expect(error.details() == message, f"{error.details()!r} is {message!r}")

    def status_details(self):
        details = b"\x08\x09\x12\x03why\x1a\x06\x0a\x01t\x12\x01v"
        error = self._failure(9, "why", details)
        expect_status(error, grpc.StatusCode.FAILED_PRECONDITION)
        received = [value for key, value in error.trailing_metadata() if key == "grpc-status-details-bin"]
        expect(received == [details], f"{received}")

    def status_after_messages(self):
        fail = peer_pb2.Failure(code=8, message="no more")
        responses = self._peer.Feed(Request(payload=b"some", response_count=3, fail=fail), timeout=BOUND_S)
        for _ in range(3):
            next(responses)
        try:
            next(responses)
        except grpc.RpcError as error:
            expect_status(error, grpc.StatusCode.RESOURCE_EXHAUSTED)
            expect(error.details() == "no more", "the message")
        else:
            raise Failed("a fourth response")

    def status_before_end_of_requests(self):
        ended = threading.Event()
        fail = peer_pb2.Failure(code=9, message="enough")
        requests = requests_until(ended, Request(payload=pattern(1000)), Request(fail=fail))
        try:
            error = failure_of(self._peer.Collect, requests)
        finally:
            ended.set()
        expect_status(error, grpc.StatusCode.FAILED_PRECONDITION)
        expect(error.details() == "enough", "the message")

    def missing_method(self):
        expect_status(failure_of(self._peer.Missing, Request()), grpc.StatusCode.UNIMPLEMENTED)

    def missing_service(self):
        absent = peer_pb2_grpc.AbsentStub(self._channel)
        expect_status(failure_of(absent.Call, Request()), grpc.StatusCode.UNIMPLEMENTED)

    # ---- deadlines and cancellation ----

    def deadline_exceeded(self):
        name = "deadline " + self._run_name
        begin = time.monotonic()
        error = failure_of(self._peer.Unary, Request(delay_ms=30_000, call_name=name), timeout=0.3)
        took = time.monotonic() - begin
        expect_status(error, grpc.StatusCode.DEADLINE_EXCEEDED)
        expect(0.29 <= took < 5, f"{took} s are about 0.3")
        expect(self._server_saw_cancellation(name), "the server saw it")

    def deadline_seen(self):
        bounded = self._peer.Unary(Request(), timeout=15)
        # gRPC's core rounds the timeout that it sends up to a few digits.
        expect(5_000 < bounded.deadline_left_ms <= 15_500, f"{bounded.deadline_left_ms} ms are left of 15 s")
        unbounded = self._peer.Unary(Request())
        expect(unbounded.deadline_left_ms == -1, f"{unbounded.deadline_left_ms} is -1")

    def cancel_unary(self):
        name = "unary " + self._run_name
        call = self._peer.Unary.future(Request(delay_ms=30_000, call_name=name), timeout=BOUND_S)
        time.sleep(0.3)
        call.cancel()
        expect(call.code() == grpc.StatusCode.CANCELLED, f"{call.code()} is CANCELLED")
        expect(self._server_saw_cancellation(name), "the server saw it")

    def cancel_server_stream(self):
        name = "feed " + self._run_name
        request = Request(payload=b"endless", response_count=1_000_000, delay_ms=5, call_name=name)
        responses = self._peer.Feed(request, timeout=BOUND_S)
        for _ in range(3):
            next(responses)
        responses.cancel()
        expect(responses.code() == grpc.StatusCode.CANCELLED, f"{responses.code()} is CANCELLED")
        expect(self._server_saw_cancellation(name), "the server saw it")

    def cancel_bidi(self):
        name = "chat " + self._run_name
        ended = threading.Event()
        requests = requests_until(ended, Request(payload=b"hello", response_count=1, call_name=name))
        responses = self._peer.Chat(requests, timeout=BOUND_S)
        next(responses)
        responses.cancel()
        ended.set()
        expect(self._server_saw_cancellation(name), "the server saw it")

    # ---- many, and the shop ----

    def concurrent(self):
        calls = [self._peer.Unary.future(Request(payload=b"%d" % i, delay_ms=i % 7), timeout=BOUND_S)
                 for i in range(200)]
        for i, call in enumerate(calls):
            expect(call.result().payload == b"%d" % i, f"payload {i}")

    def prod(self):
        shop = Prod_pb2_grpc.ProdServiceStub(self._channel)
        stock = shop.GetProdStock(Prod_pb2.ProdRequest(prod_id=4), timeout=BOUND_S).prod_stock
        expect(stock == 80, f"{stock} is 80")


def main():
    target, only = sys.argv[1], sys.argv[2:]
    all_passed = True
    with grpc.insecure_channel(target) as channel:
        cases = Cases(channel)
        for name in [name for name in vars(Cases) if not name.startswith("_")]:
            if only and name not in only:
                continue
            try:
                getattr(cases, name)()
                print(f"ok {name}", flush=True)
            except (Failed, grpc.RpcError) as error:
                all_passed = False
                why = f"{error.code()}: {error.details()}" if isinstance(error, grpc.RpcError) else error
                print(f"FAIL {name}: {why}", flush=True)
    return 0 if all_passed else 1


if __name__ == "__main__":
    sys.exit(main())
