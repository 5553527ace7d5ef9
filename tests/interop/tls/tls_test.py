"""TLS and mutual TLS between minigrpc and grpcio, both ways, with certificates that openssl makes for the run.

usage: tls_test.py TLS_PEER [unittest's arguments]
"""

import os
import subprocess
import sys
import tempfile
import unittest
from concurrent import futures

import grpc

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "support"))
from certificates import Certificates  # noqa: E402

PEER = sys.argv.pop(1)
NAME = "shop.example"


class EchoHandler(grpc.GenericRpcHandler):
    def service(self, details):
        if details.method != "/test.Echo/Unary":
            return None
        return grpc.unary_unary_rpc_method_handler(
            lambda request, context: b"python " + request + b" " + b",".join(context.auth_context().get("x509_common_name", [])))


class TlsTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.certificates = Certificates(cls.folder.name, NAME)

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def serve_minigrpc(self, client_ca):
        path = self.certificates.path
        peer = subprocess.Popen([PEER, "serve", path("server.pem"), path("server.key"), client_ca],
                                stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.addCleanup(peer.wait, 20)
        self.addCleanup(peer.stdout.close)
        self.addCleanup(peer.stdin.close)
        return peer.stdout.readline().strip()

    def call_from_python(self, port, with_certificate):
        get = self.certificates.bytes
        own = (get("client.key"), get("client.pem")) if with_certificate else (None, None)
        credentials = grpc.ssl_channel_credentials(get("ca.pem"), *own)
        with grpc.secure_channel(f"127.0.0.1:{port}", credentials, [("grpc.ssl_target_name_override", NAME)]) as channel:
            return channel.unary_unary("/test.Echo/Unary")(b"hello", timeout=20)

    def serve_python(self, require_client_auth):
        get = self.certificates.bytes
        server = grpc.server(futures.ThreadPoolExecutor(2))
        server.add_generic_rpc_handlers([EchoHandler()])
        credentials = grpc.ssl_server_credentials([(get("server.key"), get("server.pem"))], get("ca.pem"),
                                                  require_client_auth)
        port = server.add_secure_port("127.0.0.1:0", credentials)
        server.start()
        self.addCleanup(lambda: server.stop(None).wait())
        return port

    def call_from_minigrpc(self, port, with_certificate, name=NAME):
        path = self.certificates.path
        own = [path("client.pem"), path("client.key")] if with_certificate else ["-", "-"]
        done = subprocess.run([PEER, "call", str(port), name, path("ca.pem"), *own], capture_output=True, text=True,
                              timeout=60)
        return done.stdout.strip()

    def test_python_calls_minigrpc(self):
        self.assertEqual(self.call_from_python(self.serve_minigrpc("-"), with_certificate=False), b"echo hello")

    def test_python_calls_minigrpc_with_a_certificate(self):
        port = self.serve_minigrpc(self.certificates.path("ca.pem"))
        self.assertEqual(self.call_from_python(port, with_certificate=True), b"echo hello")
        with self.assertRaises(grpc.RpcError) as refused:
            self.call_from_python(port, with_certificate=False)
        self.assertEqual(refused.exception.code(), grpc.StatusCode.UNAVAILABLE)

    def test_minigrpc_calls_python(self):
        port = self.serve_python(require_client_auth=False)
        self.assertEqual(self.call_from_minigrpc(port, with_certificate=False), "python hello")
        self.assertIn("it is not for 'other.example'",
                      self.call_from_minigrpc(port, with_certificate=False, name="other.example"))

    def test_minigrpc_calls_python_with_a_certificate(self):
        port = self.serve_python(require_client_auth=True)
        self.assertEqual(self.call_from_minigrpc(port, with_certificate=True), "python hello client")
        self.assertIn("UNAVAILABLE", self.call_from_minigrpc(port, with_certificate=False))

    def test_a_cleartext_server_of_python_is_named(self):
        server = grpc.server(futures.ThreadPoolExecutor(1))
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        self.addCleanup(lambda: server.stop(None).wait())
        self.assertIn("is the server speaking TLS?", self.call_from_minigrpc(port, with_certificate=False))


if __name__ == "__main__":
    unittest.main()
