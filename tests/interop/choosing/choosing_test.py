"""Retries, pushback and hedging between minigrpc and grpcio, both ways.

usage: choosing_test.py CHOOSING_PEER [unittest's arguments]
"""

import json
import subprocess
import sys
import threading
import unittest
from concurrent import futures

import grpc

PEER = sys.argv.pop(1)
RETRY = {"maxAttempts": 4, "initialBackoff": "0.01s", "maxBackoff": "0.1s", "backoffMultiplier": 2,
         "retryableStatusCodes": ["UNAVAILABLE"]}


def config(policy, value):
    return json.dumps({"methodConfig": [{"name": [{"service": "test.Echo"}], policy: value}]})


class Scripted(grpc.GenericRpcHandler):
    """Handles the first calls by the script's functions, one each; answers the others."""

    def __init__(self, script, name="python"):
        self.script = list(script)
        self.name = name
        self.previous = []
        self.lock = threading.Lock()

    def service(self, details):
        return grpc.unary_unary_rpc_method_handler(self.handle) if details.method == "/test.Echo/Unary" else None

    def handle(self, request, context):
        with self.lock:
            self.previous.append(dict(context.invocation_metadata()).get("grpc-previous-rpc-attempts", "-"))
            step = self.script.pop(0) if self.script else None
        if step is not None:
            step(context)
        return self.name.encode()


def unavailable(context):
    context.abort(grpc.StatusCode.UNAVAILABLE, "not now")


def forbid(context):
    context.set_trailing_metadata([("grpc-retry-pushback-ms", "-1")])
    context.abort(grpc.StatusCode.UNAVAILABLE, "never")


class ChoosingTest(unittest.TestCase):
    def serve_python(self, handler):
        server = grpc.server(futures.ThreadPoolExecutor(8))
        server.add_generic_rpc_handlers([handler])
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        self.addCleanup(lambda: server.stop(None).wait())
        return port

    def call_from_minigrpc(self, service_config, *ports):
        done = subprocess.run([PEER, "call", service_config, *map(str, ports)], capture_output=True, text=True,
                              timeout=60, check=True)
        return done.stdout.splitlines()

    def call_from_python(self, request):
        peer = subprocess.Popen([PEER, "serve"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.addCleanup(peer.wait, 20)
        self.addCleanup(peer.stdout.close)
        self.addCleanup(peer.stdin.close)
        port = peer.stdout.readline().strip()
        options = [("grpc.service_config", config("retryPolicy", RETRY)), ("grpc.enable_retries", 1)]
        with grpc.insecure_channel(f"127.0.0.1:{port}", options) as channel:
            try:
                return channel.unary_unary("/test.Echo/Unary")(request, timeout=20).decode()
            except grpc.RpcError as error:
                return f"{error.code().name}: {error.details()}"

    def test_minigrpc_retries(self):
        handler = Scripted([unavailable, unavailable])
        self.assertEqual(self.call_from_minigrpc(config("retryPolicy", RETRY), self.serve_python(handler)), ["3 python"])
        self.assertEqual(handler.previous, ["-", "1", "2"])

    def test_minigrpc_heeds_pushback(self):
        handler = Scripted([forbid])
        self.assertEqual(self.call_from_minigrpc(config("retryPolicy", RETRY), self.serve_python(handler)),
                         ["1 UNAVAILABLE: never"])

    def test_minigrpc_hedges(self):
        over = threading.Event()

        def hang(context):
            context.add_callback(over.set)
            over.wait(20)

        hedging = config("hedgingPolicy", {"maxAttempts": 2, "hedgingDelay": "0.05s"})
        handler = Scripted([hang])
        self.assertEqual(self.call_from_minigrpc(hedging, self.serve_python(handler)), ["2 python"])
        self.assertTrue(over.wait(20), "the attempt that was overtaken goes on")

    def test_minigrpc_takes_turns(self):
        ports = [self.serve_python(Scripted([], name)) for name in ("a", "b")]
        answers = self.call_from_minigrpc('{"loadBalancingConfig": [{"round_robin": {}}]}', *ports)
        self.assertLessEqual(set(answers), {"1 a", "1 b"})
        self.assertEqual(len(set(answers)), 2)

    def test_python_retries(self):
        self.assertEqual(self.call_from_python(b"fail 2"), "after 2")

    def test_python_heeds_pushback(self):
        self.assertEqual(self.call_from_python(b"forbid"), "UNAVAILABLE: forbidden after 0")


if __name__ == "__main__":
    unittest.main()
