#!/usr/bin/env python3
"""minigrpcd under TLS: the real etcdctl and plain HTTPS, clients' certificates as users, and renewal.

    registry_tls_test.py --program build/bin/minigrpcd          or --etcd, to check the expectations
"""
import argparse
import base64
import http.client
import json
import os
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from certificates import Certificates  # noqa: E402
from registry_process import DidNotStart, RegistryProcess, free_port  # noqa: E402

OPTIONS = None
TIMEOUT_S = 30


def b64(text):
    return base64.b64encode(text.encode()).decode()


def start(*arguments):
    if not OPTIONS.etcd:
        return RegistryProcess.minigrpcd(OPTIONS.program,
                                         arguments=["--listen-client-urls", "https://127.0.0.1:0", *arguments])
    data_dir = tempfile.mkdtemp(prefix="etcd-test-")
    client, peer = f"https://127.0.0.1:{free_port()}", f"http://127.0.0.1:{free_port()}"
    registry = RegistryProcess(["etcd", "--data-dir", data_dir, "--listen-client-urls", client, "--advertise-client-urls",
                                client, "--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer,
                                "--initial-cluster", f"default={peer}", *arguments],
                               endpoint=client.removeprefix("https://"))
    registry.temporary = data_dir
    return registry


class TlsCase(unittest.TestCase):
    ARGUMENTS = ()

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.certificates = Certificates(cls.folder.name, "shop.example")
        path = cls.certificates.path
        cls.registry = start("--cert-file", path("server.pem"), "--key-file", path("server.key"),
                             *(path(argument) if argument.endswith(".pem") else argument for argument in cls.ARGUMENTS))
        cls.port = int(cls.registry.endpoint.split(":")[1])

    @classmethod
    def tearDownClass(cls):
        cls.registry.__exit__()
        cls.folder.cleanup()

    def ctl(self, *arguments, certificate=None, status=0, endpoint=None):
        own = ["--cert", self.certificates.path(f"{certificate}.pem"), "--key",
               self.certificates.path(f"{certificate}.key")] if certificate else []
        done = subprocess.run([OPTIONS.etcdctl, "--endpoints", endpoint or f"https://{self.registry.endpoint}", "--cacert",
                               self.certificates.path("ca.pem"), *own, "--dial-timeout", "5s", "--command-timeout", "5s",
                               *arguments],
                              env={**os.environ, "ETCDCTL_API": "3"}, text=True, capture_output=True, timeout=TIMEOUT_S)
        self.assertEqual(done.returncode, status, f"etcdctl {arguments}: {done.stdout}{done.stderr}")
        return done.stdout if status == 0 else done.stderr

    def context(self, certificate=None):
        context = ssl.create_default_context(cafile=self.certificates.path("ca.pem"))
        if certificate:
            context.load_cert_chain(self.certificates.path(f"{certificate}.pem"),
                                    self.certificates.path(f"{certificate}.key"))
        return context

    def https(self, method, path, body=None, certificate=None):
        connection = http.client.HTTPSConnection("127.0.0.1", self.port, timeout=TIMEOUT_S,
                                                 context=self.context(certificate))
        self.addCleanup(connection.close)
        connection.request(method, path, body)
        return connection.getresponse().read().decode()

    def serial_number(self):
        with socket.create_connection(("127.0.0.1", self.port), timeout=TIMEOUT_S) as plain, \
                self.context().wrap_socket(plain, server_hostname="127.0.0.1") as secured:
            return secured.getpeercert()["serialNumber"]


class ServerTlsTest(TlsCase):
    def test_etcdctl(self):
        self.assertEqual(self.ctl("put", "tls/a", "1"), "OK\n")
        self.assertEqual(self.ctl("get", "tls/a"), "tls/a\n1\n")
        self.assertIn(f"https://{self.registry.endpoint}", self.ctl("member", "list"))

    def test_cleartext_is_refused(self):
        self.ctl("get", "x", endpoint=f"http://{self.registry.endpoint}", status=1)
        with socket.create_connection(("127.0.0.1", self.port), timeout=TIMEOUT_S) as plain:
            plain.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
            answer = plain.recv(4096)
            self.assertFalse(answer and answer[0] in (0, ord("H")) and b"HTTP/1.1 2" in answer)

    def test_the_json_gateway(self):
        self.https("POST", "/v3/kv/put", json.dumps({"key": b64("tls/g"), "value": b64("1")}))
        answer = json.loads(self.https("POST", "/v3/kv/range", json.dumps({"key": b64("tls/g")})))
        self.assertEqual(answer["kvs"][0]["value"], b64("1"))
        self.assertIn("true", self.https("GET", "/health"))

    def test_a_renewed_certificate_needs_no_restart(self):
        before = self.serial_number()
        watch = http.client.HTTPSConnection("127.0.0.1", self.port, timeout=TIMEOUT_S, context=self.context())
        self.addCleanup(watch.close)
        watch.request("POST", "/v3/watch", json.dumps({"create_request": {"key": b64("tls/renewed")}}))
        events = watch.getresponse()
        self.assertIn(b"created", events.readline())
        self.certificates.issue("server", "subjectAltName=DNS:shop.example,IP:127.0.0.1")
        deadline = time.monotonic() + TIMEOUT_S
        while self.serial_number() == before:
            self.assertLess(time.monotonic(), deadline)
        # The connection that there was goes on.
        self.ctl("put", "tls/renewed", "1")
        self.assertIn(b64("tls/renewed").encode(), events.readline())


class ClientCertificateTest(TlsCase):
    ARGUMENTS = ("--client-cert-auth", "--trusted-ca-file", "ca.pem")

    def test_who_has_none_is_refused(self):
        self.ctl("get", "x", status=1)
        self.assertEqual(self.ctl("get", "x", certificate="client"), "")
        with self.assertRaises((ssl.SSLError, OSError)):
            self.https("GET", "/health")
        self.assertIn("true", self.https("GET", "/health", certificate="client"))

    def test_the_common_name_is_the_user(self):
        self.certificates.issue("root", "subjectAltName=DNS:root.example")
        for arguments in (("role", "add", "root"), ("user", "add", "root:secret"), ("user", "grant-role", "root", "root"),
                          ("role", "add", "shop"), ("user", "add", "client:secret"), ("user", "grant-role", "client", "shop"),
                          ("role", "grant-permission", "shop", "--prefix=true", "readwrite", "shop/")):
            self.ctl(*arguments, certificate="client")
        self.ctl("auth", "enable", certificate="client")
        try:
            self.assertEqual(self.ctl("put", "shop/1", "x", certificate="client"), "OK\n")
            self.assertIn("permission denied", self.ctl("put", "other/1", "x", certificate="client", status=1))
            self.assertEqual(self.ctl("put", "other/1", "x", certificate="root"), "OK\n")
            # A password counts more than the certificate.
            self.assertEqual(self.ctl("--user", "root:secret", "get", "other/1", certificate="client"), "other/1\nx\n")
            # The gateway's callers are not who its connection is.
            refused = self.https("POST", "/v3/kv/range", json.dumps({"key": b64("shop/1")}), certificate="client")
            self.assertNotIn("kvs", refused)
        finally:
            self.ctl("--user", "root:secret", "auth", "disable", certificate="client")


class BadFilesTest(unittest.TestCase):
    def test_what_is_wrong_is_named(self):
        if OPTIONS.etcd:
            self.skipTest("etcd starts, and refuses each client")
        with tempfile.TemporaryDirectory() as folder:
            certificates = Certificates(folder, "shop.example")
            shutil.copy(certificates.path("client.key"), certificates.path("wrong.key"))
            for certificate, key, says in (("none.pem", "server.key", "none.pem"), ("server.pem", "wrong.key", "key")):
                with self.assertRaisesRegex(DidNotStart, says):
                    start("--cert-file", certificates.path(certificate), "--key-file", certificates.path(key))


def main():
    global OPTIONS
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", default="build/bin/minigrpcd")
    parser.add_argument("--etcdctl", default="etcdctl")
    parser.add_argument("--etcd", action="store_true")
    OPTIONS, rest = parser.parse_known_args()
    unittest.main(argv=sys.argv[:1] + rest)


if __name__ == "__main__":
    main()
