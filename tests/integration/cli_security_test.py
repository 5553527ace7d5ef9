#!/usr/bin/env python3
"""minigrpc with TLS, and as a user who must sign in, beside the real etcdctl.

    cli_security_test.py --minigrpc build/bin/minigrpc                                      with Debian's etcd
    cli_security_test.py --minigrpc build/bin/minigrpc --minigrpcd build/bin/minigrpcd      with minigrpcd in its place
"""
import argparse
import json
import os
import pty
import shutil
import subprocess
import sys
import tempfile
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "support"))
from registry_process import RegistryProcess, free_port  # noqa: E402

OPTIONS = None
TIMEOUT_S = 60
CLEAN = {name: value for name, value in os.environ.items()
         if not name.startswith(("ETCDCTL_", "MINIGRPC_")) and not name.lower().endswith("_proxy")}


def start_registry(directory, *flags, scheme="http"):
    """etcd or minigrpcd, with `flags`, which both know."""
    if OPTIONS.minigrpcd:
        # minigrpcd chooses a free port itself, and announces it.
        return RegistryProcess([OPTIONS.minigrpcd, "--data-dir", os.path.join(directory, "data"),
                                "--listen-client-urls", f"{scheme}://127.0.0.1:0", *flags])
    client, peer = f"{scheme}://127.0.0.1:{free_port()}", f"http://127.0.0.1:{free_port()}"
    return RegistryProcess(["etcd", "--data-dir", os.path.join(directory, "data"), "--listen-client-urls", client,
                            "--advertise-client-urls", client, "--listen-peer-urls", peer,
                            "--initial-advertise-peer-urls", peer, "--initial-cluster", f"default={peer}", *flags],
                           endpoint=client.split("://")[1])


def run(program, *arguments, stdin="", env=None):
    return subprocess.run([program, *arguments], input=stdin, text=True, capture_output=True, timeout=TIMEOUT_S,
                          env={**CLEAN, "ETCDCTL_API": "3", **(env or {})})


class WithDirectory(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.directory = tempfile.mkdtemp(prefix="cli-security-")
        cls.addClassCleanup(shutil.rmtree, cls.directory, ignore_errors=True)

    @classmethod
    def path(cls, name):
        return os.path.join(cls.directory, name)

    @classmethod
    def openssl(cls, *arguments):
        subprocess.run(["openssl", *arguments], check=True, capture_output=True, cwd=cls.directory, timeout=TIMEOUT_S)

    def ok(self, *arguments, **options):
        """What minigrpc prints."""
        done = run(OPTIONS.minigrpc, *self.way, *arguments, **options)
        self.assertEqual(done.returncode, 0, (arguments, done.stderr))
        return done.stdout

    def fails(self, *arguments, status=1, **options):
        """What minigrpc says on the standard error."""
        done = run(OPTIONS.minigrpc, *self.way, *arguments, **options)
        self.assertEqual(done.returncode, status, (arguments, done.stdout, done.stderr))
        return done.stderr


class TlsTest(WithDirectory):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        ec = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
        cls.openssl("req", "-x509", *ec, "-keyout", "ca.key", "-out", "ca.pem", "-days", "2", "-subj", "/CN=test authority",
                    "-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign")
        with open(cls.path("names"), "w") as names:
            names.write("subjectAltName=IP:127.0.0.1,DNS:registry.example\nextendedKeyUsage=serverAuth,clientAuth\n")
        for name in ("server", "client"):
            cls.openssl("req", *ec, "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", f"/CN={name}")
            cls.openssl("x509", "-req", "-in", f"{name}.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial",
                        "-out", f"{name}.pem", "-days", "2", "-extfile", "names")
        cls.registry = start_registry(cls.directory, "--cert-file", cls.path("server.pem"), "--key-file",
                                      cls.path("server.key"), scheme="https")
        cls.addClassCleanup(cls.registry.__exit__)
        cls.url = f"https://{cls.registry.endpoint}"
        cls.way = ["--endpoints", cls.url, "--cacert", cls.path("ca.pem")]

    def test_every_family_of_verbs_goes_over_tls(self):
        self.ok("put", "t/a", "1")
        theirs = run(OPTIONS.etcdctl, *self.way, "get", "t/a")
        self.assertEqual(self.ok("get", "t/a"), "t/a\n1\n", theirs)
        self.assertEqual(self.ok("get", "t/a"), theirs.stdout)
        self.assertIn("is healthy", self.ok("endpoint", "health"))
        self.assertIn(self.url, self.ok("endpoint", "status", "-w", "json"))
        self.ok("endpoint", "hashkv")
        self.ok("member", "list")
        self.ok("alarm", "list")
        self.assertEqual(self.ok("lock", "l", "echo", "held"), "held\n")
        self.assertIn("saved", self.ok("snapshot", "save", self.path("saved.db")))
        revision = json.loads(self.ok("get", "t/a", "-w", "json"))["header"]["revision"]
        self.ok("compaction", str(revision))

    def test_members_of_the_cluster_are_reached_by_their_own_urls(self):
        announced = json.loads(self.ok("member", "list", "-w", "json"))["members"][0]["clientURLs"]
        self.assertEqual(announced, [self.url])
        self.assertIn(self.url, self.ok("endpoint", "health", "--cluster"))
        self.assertIn("Finished defragmenting", self.ok("defrag", "--cluster"))

    def test_flags_without_a_scheme_ask_for_tls(self):
        self.way = ["--endpoints", self.registry.endpoint]
        self.ok("put", "t/b", "1", "--cacert", self.path("ca.pem"))
        self.ok("put", "t/b", "1", "--insecure-skip-tls-verify")
        self.ok("put", "t/b", "1", env={"ETCDCTL_CACERT": self.path("ca.pem")})
        self.ok("put", "t/b", "1", env={"MINIGRPC_CACERT": self.path("ca.pem"), "ETCDCTL_CACERT": "/nonexistent"})

    def test_who_is_not_trusted_is_not_spoken_to(self):
        self.way = ["--endpoints", self.url]
        self.assertIn("certificate", self.fails("put", "t/c", "1"))
        self.assertIn("/nonexistent", self.fails("put", "t/c", "1", "--cacert", "/nonexistent"))
        self.fails("put", "t/c", "1", "--insecure-transport=false", "--endpoints", self.registry.endpoint)
        self.assertIn("belong together", self.fails("get", "x", "--cert", self.path("client.pem"), status=128))
        self.ok("put", "t/c", "1", "--insecure-skip-tls-verify")

    def test_cleartext_to_a_server_with_tls_says_what_to_do(self):
        self.way = ["--endpoints", f"http://{self.registry.endpoint}"]
        self.assertIn("https://", self.fails("get", "x"))

    def test_clients_are_asked_for_their_certificates(self):
        directory = self.path("strict")
        os.mkdir(directory)
        with start_registry(directory, "--cert-file", self.path("server.pem"), "--key-file", self.path("server.key"),
                            "--client-cert-auth", "--trusted-ca-file", self.path("ca.pem"), scheme="https") as strict:
            self.way = ["--endpoints", f"https://{strict.endpoint}", "--cacert", self.path("ca.pem")]
            certificate = ["--cert", self.path("client.pem"), "--key", self.path("client.key")]
            self.assertEqual(self.ok("put", "a", "1", *certificate), "OK\n")
            self.fails("put", "a", "1")

    def test_calls(self):
        call = ["etcdserverpb.Maintenance/Status", "--timeout", "20s"]
        self.way = []
        self.assertIn("version", self.ok("call", self.url, *call, "--cacert", self.path("ca.pem")))
        self.assertIn("version", self.ok("call", self.registry.endpoint, *call, "--cacert", self.path("ca.pem")))
        self.assertIn("version", self.ok("call", self.url, *call, "--insecure-skip-tls-verify"))
        named = ["--cacert", self.path("ca.pem"), "--servername"]
        self.assertIn("version", self.ok("call", self.url, *call, *named, "registry.example"))
        self.assertIn("certificate", self.fails("call", self.url, *call, *named, "elsewhere.example", status=64 + 14))
        self.assertIn("given by --cacert FILE", self.fails("call", self.url, *call, status=64 + 14))
        self.assertIn("For TLS write https", self.fails("call", self.registry.endpoint, *call, status=64 + 14))
        reflected = run(OPTIONS.minigrpc, "list", self.url, "--cacert", self.path("ca.pem"))
        self.assertTrue("no reflection" in reflected.stderr or "etcdserverpb.KV" in reflected.stdout, reflected)


class UserTest(WithDirectory):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        # Tokens that are soon too old, so that a command meets that.
        cls.openssl("genrsa", "-out", "jwt.key", "2048")
        cls.openssl("rsa", "-in", "jwt.key", "-pubout", "-out", "jwt.pub")
        cls.registry = start_registry(cls.directory, "--auth-token", f"jwt,pub-key={cls.path('jwt.pub')},"
                                      f"priv-key={cls.path('jwt.key')},sign-method=RS256,ttl=2s", "--bcrypt-cost", "4")
        cls.addClassCleanup(cls.registry.__exit__)
        cls.plain = ["--endpoints", cls.registry.endpoint]
        cls.way = [*cls.plain, "--user", "root:secret"]
        for arguments in (["user", "add", "root:secret"], ["user", "grant-role", "root", "root"],
                          ["user", "add", "anna:pass:word"], ["role", "add", "stock"], ["user", "grant-role", "anna", "stock"],
                          ["role", "grant-permission", "stock", "readwrite", "--prefix", "stock/"]):
            run(OPTIONS.minigrpc, *cls.plain, *arguments)  # the role root may have to be made: auth enable does

    def setUp(self):
        self.ok("auth", "enable")
        self.addCleanup(self.ok, "auth", "disable")

    def both(self, *arguments, stdin="", env=None):
        """Runs it with both tools, without self.way: they must print and exit alike."""
        ours, theirs = (run(tool, *self.plain, *arguments, stdin=stdin, env=env)
                        for tool in (OPTIONS.minigrpc, OPTIONS.etcdctl))
        self.assertEqual((ours.stdout, ours.returncode), (theirs.stdout, theirs.returncode),
                         (arguments, ours.stderr, theirs.stderr))
        return ours

    def test_signs_in_and_may_do_what_the_role_says(self):
        self.both("put", "stock/a", "1", "--user", "root:secret")
        self.both("get", "stock/a", "--user", "root", "--password", "secret")
        self.both("get", "stock/a", "--user", "anna:pass:word")
        self.both("get", "elsewhere", "--user", "anna:pass:word")
        self.both("get", "stock/a", env={"ETCDCTL_USER": "anna:pass:word"})
        self.ok("get", "stock/a", env={"MINIGRPC_USER": "anna:pass:word"})

    def test_who_does_not_sign_in_may_do_nothing(self):
        self.assertIn("user name is empty", self.both("get", "stock/a").stderr)
        self.assertIn("invalid user ID or password", self.both("get", "stock/a", "--user", "root:wrong").stderr)
        self.assertIn("invalid user ID or password", self.both("get", "stock/a", "--user", "nobody:x").stderr)
        done = run(OPTIONS.minigrpc, *self.plain, "get", "a", "--user", "root:secret", "--password", "secret")
        self.assertEqual(done.returncode, 128, done.stderr)

    def test_a_password_is_asked_for(self):
        done = run(OPTIONS.minigrpc, *self.plain, "--user", "root", "get", "stock/none", stdin="secret\n")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("Password of root: ", done.stderr)

    def test_a_password_does_not_show_at_a_terminal(self):
        keyboard, terminal = pty.openpty()
        self.addCleanup(os.close, keyboard)
        process = subprocess.Popen([OPTIONS.minigrpc, *self.plain, "--user", "root", "get", "stock/none"], stdin=terminal,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=CLEAN)
        os.close(terminal)
        prompt = b""
        while b": " not in prompt:
            prompt += os.read(process.stderr.fileno(), 100)
        os.write(keyboard, b"secret\n")
        _, err = process.communicate(timeout=TIMEOUT_S)
        self.assertEqual(process.returncode, 0, err)
        os.set_blocking(keyboard, False)
        try:
            shown = os.read(keyboard, 1000)
        except OSError:  # nothing, and the other side is closed
            shown = b""
        self.assertNotIn(b"secret", shown)

    def test_every_family_of_verbs_signs_in(self):
        self.ok("lease", "list")
        self.ok("member", "list")
        self.ok("user", "list")
        self.ok("alarm", "list")
        self.ok("endpoint", "status")
        self.ok("endpoint", "health")
        self.ok("endpoint", "hashkv")
        self.ok("snapshot", "save", self.path("saved.db"))

    def test_a_token_that_is_too_old_is_renewed(self):
        self.assertEqual(self.ok("lock", "stock/lock", "sleep", "3.5"), "")
        self.assertEqual(self.ok("get", "--prefix", "stock/lock"), "")

    def test_a_watch_signs_in(self):
        self.ok("put", "stock/w", "seen")
        revision = json.loads(self.ok("get", "stock/w", "-w", "json"))["kvs"][0]["mod_revision"]
        watching = subprocess.Popen([OPTIONS.minigrpc, *self.plain, "--user", "anna:pass:word", "watch", "stock/w", "--rev",
                                     str(revision)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=CLEAN)
        self.addCleanup(watching.communicate)
        self.addCleanup(watching.kill)
        self.assertEqual([watching.stdout.readline() for _ in range(3)], ["PUT\n", "stock/w\n", "seen\n"])
        denied = run(OPTIONS.minigrpc, *self.plain, "--user", "anna:pass:word", "watch", "elsewhere")
        self.assertEqual(denied.returncode, 5, denied.stderr)
        self.assertIn("permission denied", denied.stderr)

    def test_debug_shows_no_password(self):
        done = run(OPTIONS.minigrpc, *self.way, "--debug", "get", "stock/none")
        self.assertIn("--user=root\n", done.stderr)
        self.assertNotIn("secret", done.stderr)


def main():
    global OPTIONS
    parser = argparse.ArgumentParser()
    parser.add_argument("--minigrpc", required=True)
    parser.add_argument("--minigrpcd", help="instead of etcd")
    parser.add_argument("--etcdctl", default="/usr/bin/etcdctl")
    OPTIONS, rest = parser.parse_known_args()
    unittest.main(argv=[sys.argv[0], *rest])


if __name__ == "__main__":
    main()
