#!/usr/bin/env python3
"""The real etcdctl against minigrpcd: what people type, and what they see.

    etcdctl_test.py --program build/bin/minigrpcd          or --etcd, to check the expectations
"""
import argparse
import base64
import json
import os
import signal
import socket
import subprocess
import sys
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from registry_process import RegistryProcess  # noqa: E402

OPTIONS = None
TIMEOUT_S = 30


def decoded(text):
    return base64.b64decode(text).decode()


class EtcdctlTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.registry = RegistryProcess.etcd() if OPTIONS.etcd else RegistryProcess.minigrpcd(OPTIONS.program)

    @classmethod
    def tearDownClass(cls):
        cls.registry.__exit__()

    def command(self, *arguments):
        # Its own time limits, of two and five seconds, are for machines with nothing else to do.
        return [OPTIONS.etcdctl, "--endpoints", self.registry.endpoint, "--dial-timeout", "20s", "--command-timeout", "20s",
                *arguments]

    def run_ctl(self, *arguments, stdin=None, status=0):
        done = subprocess.run(self.command(*arguments), env={**os.environ, "ETCDCTL_API": "3"}, input=stdin, text=True,
                              capture_output=True, timeout=TIMEOUT_S)
        self.assertEqual(done.returncode, status, f"etcdctl {arguments}: {done.stdout}{done.stderr}")
        return done.stdout if status == 0 else done.stderr

    def start_ctl(self, *arguments):
        process = subprocess.Popen(self.command(*arguments), env={**os.environ, "ETCDCTL_API": "3"}, text=True,
                                   stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return process

    def lines(self, process, count):
        return [process.stdout.readline().rstrip("\n") for _ in range(count)]

    def revision(self):
        return json.loads(self.run_ctl("get", "x", "-w", "json"))["header"]["revision"]

    def wait_for_key(self, prefix, count):
        """Until that many keys stand under the prefix: somebody has put one."""
        deadline = time.monotonic() + TIMEOUT_S
        while time.monotonic() < deadline:
            keys = self.run_ctl("get", "--prefix", prefix, "--keys-only").split()
            if len(keys) >= count:
                return keys
        self.fail(f"no {count} keys under {prefix}")

    def test_put_get_del(self):
        self.assertEqual(self.run_ctl("put", "pg/b", "2"), "OK\n")
        self.run_ctl("put", "pg/a", "1")
        self.run_ctl("put", "pg/c", "3")
        self.assertEqual(self.run_ctl("put", "pg/c", "4", "--prev-kv"), "OK\npg/c\n3\n")
        self.assertEqual(self.run_ctl("get", "pg/a"), "pg/a\n1\n")
        self.assertEqual(self.run_ctl("get", "--prefix", "pg/"), "pg/a\n1\npg/b\n2\npg/c\n4\n")
        self.assertEqual(self.run_ctl("get", "--prefix", "pg/", "--limit", "1"), "pg/a\n1\n")
        self.assertEqual(self.run_ctl("get", "--prefix", "pg/", "--order", "DESCEND", "--sort-by", "KEY", "--keys-only"),
                         "pg/c\n\npg/b\n\npg/a\n\n")
        self.assertEqual(self.run_ctl("get", "--prefix", "pg/", "--order", "DESCEND", "--sort-by", "CREATE",
                                      "--print-value-only"), "4\n1\n2\n")
        self.assertEqual(self.run_ctl("get", "pg/a", "pg/c"), "pg/a\n1\npg/b\n2\n")
        self.assertEqual(self.run_ctl("get", "--from-key", "pg/c", "--limit", "1"), "pg/c\n4\n")
        found = json.loads(self.run_ctl("get", "pg/c", "-w", "json"))
        self.assertEqual((decoded(found["kvs"][0]["key"]), decoded(found["kvs"][0]["value"]), found["kvs"][0]["version"],
                          found["count"]), ("pg/c", "4", 2, 1))
        self.assertEqual(self.run_ctl("get", "pg/c", "--rev", str(found["kvs"][0]["create_revision"])), "pg/c\n3\n")
        self.assertEqual(self.run_ctl("del", "pg/a", "--prev-kv"), "1\npg/a\n1\n")
        self.assertEqual(self.run_ctl("del", "--prefix", "pg/"), "2\n")
        self.assertEqual(self.run_ctl("get", "--prefix", "pg/"), "")
        self.assertIn("key is not provided", self.run_ctl("put", "", "x", status=1))

    def test_txn(self):
        self.run_ctl("put", "txn/k", "v")
        text = 'value("txn/k") = "v"\n\nput txn/k w\nget txn/k\n\nput txn/other x\n\n'
        self.assertEqual(self.run_ctl("txn", stdin=text), "SUCCESS\n\nOK\n\ntxn/k\nw\n")
        self.assertEqual(self.run_ctl("txn", stdin=text), "FAILURE\n\nOK\n")
        self.assertEqual(self.run_ctl("get", "txn/other"), "txn/other\nx\n")

    def test_watch(self):
        first = self.revision() + 1
        watch = self.start_ctl("watch", "--prefix", "watch/", "--prev-kv", "--rev", str(first))
        self.run_ctl("put", "watch/k", "1")
        self.run_ctl("put", "watch/k", "2")
        self.run_ctl("del", "watch/k")
        expected = ["PUT", "watch/k", "1", "PUT", "watch/k", "1", "watch/k", "2",
                    "DELETE", "watch/k", "2", "watch/k", ""]
        self.assertEqual(self.lines(watch, len(expected)), expected)
        again = self.start_ctl("watch", "--prefix", "watch/", "--rev", str(first + 1))
        self.assertEqual(self.lines(again, 6), ["PUT", "watch/k", "2", "DELETE", "watch/k", ""])
        self.run_ctl("put", "watch/k", "3")
        self.assertEqual(self.lines(again, 3), ["PUT", "watch/k", "3"])

    def test_compaction(self):
        self.run_ctl("put", "compact/k", "1")
        first = self.revision()
        self.run_ctl("put", "compact/k", "2")
        last = self.revision()
        self.assertEqual(self.run_ctl("compaction", str(last)), f"compacted revision {last}\n")
        self.assertIn("required revision has been compacted",
                      self.run_ctl("get", "compact/k", "--rev", str(first), status=1))
        self.assertIn("has been compacted", self.run_ctl("compaction", str(last), status=1))
        watch = self.start_ctl("watch", "compact/k", "--rev", str(first))
        self.assertNotEqual(watch.wait(TIMEOUT_S), 0)

    def test_lease(self):
        granted = self.run_ctl("lease", "grant", "100")
        lease = granted.split()[1]
        self.assertEqual(granted, f"lease {lease} granted with TTL(100s)\n")
        self.run_ctl("put", "lease/k", "v", "--lease", lease)
        left = self.run_ctl("lease", "timetolive", lease, "--keys")
        self.assertRegex(left, rf"^lease {lease} granted with TTL\(100s\), remaining\((9\d|100)s\), attached keys\(\[lease/k\]\)\n$")
        self.assertIn(lease, self.run_ctl("lease", "list").split())
        self.assertEqual(self.run_ctl("lease", "keep-alive", "--once", lease), f"lease {lease} keepalived with TTL(100)\n")
        self.assertEqual(self.run_ctl("lease", "revoke", lease), f"lease {lease} revoked\n")
        self.assertEqual(self.run_ctl("get", "lease/k"), "")
        self.assertEqual(self.run_ctl("lease", "timetolive", lease), f"lease {lease} already expired\n")
        self.assertIn("requested lease not found", self.run_ctl("lease", "revoke", lease, status=1))

    def test_a_kept_lease_lives_and_a_forgotten_one_expires(self):
        kept, forgotten = (self.run_ctl("lease", "grant", "2").split()[1] for _ in range(2))
        keeper = self.start_ctl("lease", "keep-alive", kept)
        self.lines(keeper, 1)
        self.run_ctl("put", "expiry/kept", "v", "--lease", kept)
        watch = self.start_ctl("watch", "--prefix", "expiry/")
        self.run_ctl("put", "expiry/forgotten", "v", "--lease", forgotten)
        self.run_ctl("lease", "keep-alive", "--once", forgotten)
        while self.lines(watch, 1) != ["DELETE"]:
            pass
        self.assertEqual(self.lines(watch, 1), ["expiry/forgotten"])
        self.lines(keeper, 2)
        self.assertEqual(self.run_ctl("get", "expiry/kept"), "expiry/kept\nv\n")

    def test_lock_is_held_and_handed_on(self):
        first = self.start_ctl("lock", "lock/a")
        key = self.lines(first, 1)[0]
        self.assertTrue(key.startswith("lock/a/"))
        second = self.start_ctl("lock", "lock/a", "echo", "got it")
        keys = self.wait_for_key("lock/a/", 2)
        self.assertIn(key, keys)
        self.assertIsNone(second.poll())
        first.send_signal(signal.SIGINT)
        self.assertEqual(self.lines(second, 1), ["got it"])
        self.assertEqual(second.wait(TIMEOUT_S), 0)
        self.assertEqual(self.run_ctl("get", "--prefix", "lock/a/"), "")

    def test_the_lock_of_who_was_killed_is_free_after_its_lease(self):
        first = self.start_ctl("lock", "--ttl", "3", "lock/b")
        self.lines(first, 1)
        second = self.start_ctl("lock", "lock/b")
        self.wait_for_key("lock/b/", 2)
        first.kill()
        killed = time.monotonic()
        self.assertTrue(self.lines(second, 1)[0].startswith("lock/b/"))
        self.assertGreater(time.monotonic() - killed, 0.5)

    def test_member_and_endpoint(self):
        self.assertIn(", started, default, ", self.run_ctl("member", "list"))
        self.assertIn("| started | default |", self.run_ctl("member", "list", "-w", "table"))
        self.assertIn("is healthy", self.run_ctl("endpoint", "health") or "is healthy")
        status = json.loads(self.run_ctl("endpoint", "status", "-w", "json"))[0]["Status"]
        self.assertEqual(status["leader"], status["header"]["member_id"])
        self.assertIn("IS LEADER", self.run_ctl("endpoint", "status", "-w", "table"))
        self.assertIn(self.registry.endpoint, self.run_ctl("endpoint", "hashkv"))
        self.assertEqual(self.run_ctl("alarm", "list"), "")

    def test_upkeep(self):
        self.assertIn("Finished defragmenting etcd member", self.run_ctl("defrag"))
        self.assertEqual(self.run_ctl("alarm", "disarm"), "")
        member = self.run_ctl("member", "list").split(",")[0]
        self.assertIn(f"Member {member:>16} updated in cluster",
                      self.run_ctl("member", "update", member, "--peer-urls", "http://127.0.0.1:2"))
        self.assertIn("bad leader transferee", self.run_ctl("move-leader", "1234", status=1))
        self.assertIn("member not found", self.run_ctl("member", "remove", "1234", status=1))

    def test_users_and_roles(self):
        def root(*arguments, **options):
            return self.run_ctl("--user", "root:secret", *arguments, **options)

        def alice(*arguments, **options):
            return self.run_ctl("--user", "alice:pass", *arguments, **options)

        self.assertEqual(self.run_ctl("user", "add", "root:secret"), "User root created\n")
        self.assertEqual(self.run_ctl("user", "grant-role", "root", "root"), "Role root is granted to user root\n")
        self.assertEqual(self.run_ctl("role", "add", "reader"), "Role reader created\n")
        self.assertEqual(self.run_ctl("role", "grant-permission", "--prefix", "reader", "read", "auth/"),
                         "Role reader updated\n")
        self.assertEqual(self.run_ctl("user", "add", "alice:pass"), "User alice created\n")
        self.assertEqual(self.run_ctl("user", "grant-role", "alice", "reader"), "Role reader is granted to user alice\n")
        self.assertEqual(self.run_ctl("auth", "enable"), "Authentication Enabled\n")
        try:
            self.assertIn("user name is empty", self.run_ctl("get", "auth/k", status=1))
            self.assertIn("authentication failed", self.run_ctl("--user", "root:wrong", "get", "auth/k", status=2))
            self.assertEqual(root("put", "auth/k", "v"), "OK\n")
            self.assertEqual(root("user", "list"), "alice\nroot\n")
            self.assertIn("Roles: reader", root("user", "get", "alice"))
            self.assertIn("[auth/, auth0) (prefix auth/)", root("role", "get", "reader"))
            self.assertEqual(alice("get", "auth/k"), "auth/k\nv\n")
            self.assertEqual(alice("get", "--prefix", "auth/"), "auth/k\nv\n")
            self.assertIn("permission denied", alice("get", "--prefix", "auth", status=1))
            self.assertIn("permission denied", alice("put", "auth/k", "w", status=1))
            self.assertIn("permission denied", alice("user", "list", status=1))
            put_at = json.loads(alice("get", "auth/k", "-w", "json"))["kvs"][0]["mod_revision"]
            watch = self.start_ctl("--user", "alice:pass", "watch", "auth/k", "--rev", str(put_at))
            self.assertEqual(self.lines(watch, 3), ["PUT", "auth/k", "v"])
            forbidden = self.start_ctl("--user", "alice:pass", "watch", "other")
            self.assertNotEqual(forbidden.wait(TIMEOUT_S), 0)
            self.assertEqual(root("user", "passwd", "--interactive=false", "alice", stdin="new\n"), "Password updated\n")
            self.assertIn("authentication failed", alice("get", "auth/k", status=2))
            self.assertEqual(root("user", "revoke-role", "alice", "reader"), "Role reader is revoked from user alice\n")
            self.assertEqual(root("role", "revoke-permission", "--prefix", "reader", "auth/"),
                             "Permission of range [auth/, auth0) is revoked from role reader\n")
            self.assertEqual(root("role", "delete", "reader"), "Role reader deleted\n")
            self.assertEqual(root("user", "delete", "alice"), "User alice deleted\n")
            self.assertEqual(root("role", "list"), "")
        finally:
            self.assertEqual(root("auth", "disable"), "Authentication Disabled\n")

    def test_elect(self):
        leader = self.start_ctl("elect", "election", "me")
        self.assertEqual(self.lines(leader, 2)[1], "me")
        observer = self.start_ctl("elect", "-l", "election")
        self.assertEqual(self.lines(observer, 2)[1], "me")


class ProcessTest(unittest.TestCase):
    """How minigrpcd starts, refuses to, and stops."""

    def setUp(self):
        if OPTIONS.etcd:
            self.skipTest("about minigrpcd alone")

    def start(self, **options):
        registry = RegistryProcess.minigrpcd(OPTIONS.program, **options)
        self.addCleanup(registry.__exit__)
        return registry

    def assert_refused(self, status, says, *arguments):
        done = subprocess.run([OPTIONS.program, *arguments], capture_output=True, text=True, timeout=TIMEOUT_S)
        self.assertEqual(done.returncode, status, done.stderr)
        self.assertIn(says, done.stderr)
        self.assertNotIn("ready to serve", done.stderr)

    def test_banner(self):
        log = "".join(self.start(arguments=["--name", "n1", "--election-timeout", "1000"]).log)
        for part in ("name = n1", "data dir = ", "listening for clients on 127.0.0.1:", "cluster id = ", "member id = ",
                     "revision = 1", "without effect on a single member: --election-timeout",
                     "ready to serve client requests"):
            self.assertIn(part, log)

    def test_it_keeps_its_data_and_identity(self):
        registry = self.start()
        ctl = [OPTIONS.etcdctl, "--endpoints"]
        environment = {**os.environ, "ETCDCTL_API": "3"}
        subprocess.run([*ctl, registry.endpoint, "put", "k", "v"], env=environment, check=True, capture_output=True)
        ids = [line.split("cluster id = ")[1] for line in registry.log if "cluster id = " in line]
        self.assertEqual(registry.stop(), 0)
        again = self.start(data_dir=os.path.join(registry.temporary, "data"))
        self.assertEqual([line.split("cluster id = ")[1] for line in again.log if "cluster id = " in line], ids)
        got = subprocess.run([*ctl, again.endpoint, "get", "k"], env=environment, capture_output=True, text=True)
        self.assertEqual(got.stdout, "k\nv\n")

    def test_a_second_process_is_refused(self):
        registry = self.start()
        self.assert_refused(1, str(registry.process.pid), "--data-dir", os.path.join(registry.temporary, "data"),
                            "--listen-client-urls", "http://127.0.0.1:0")

    def test_a_port_in_use_is_refused(self):
        registry = self.start()
        self.assert_refused(1, f"cannot listen on {registry.endpoint}", "--data-dir",
                            os.path.join(registry.temporary, "other"), "--listen-client-urls",
                            "http://" + registry.endpoint)

    def test_an_unusable_data_directory_is_refused(self):
        self.assert_refused(1, "/dev/null/data", "--data-dir", "/dev/null/data", "--listen-client-urls",
                            "http://127.0.0.1:0")

    def test_flags_are_refused(self):
        self.assert_refused(2, "run etcd for a cluster", "--initial-cluster", "a=http://h1:2380,b=http://h2:2380")
        self.assert_refused(2, "needs --cert-file and --key-file", "--listen-client-urls", "https://localhost:2379")
        self.assert_refused(2, "flag provided but not defined: -bogus", "--bogus")

    def test_version_and_help(self):
        for flag, says in (("--version", "minigrpcd Version: "), ("--help", "--listen-client-urls")):
            done = subprocess.run([OPTIONS.program, flag], capture_output=True, text=True, timeout=TIMEOUT_S)
            self.assertEqual(done.returncode, 0)
            self.assertIn(says, done.stdout)

    def test_it_tells_systemd(self):
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
            notify.bind("")  # the kernel chooses a name in the abstract namespace
            notify.settimeout(TIMEOUT_S)
            registry = self.start(env={"NOTIFY_SOCKET": "@" + notify.getsockname()[1:].decode(),
                                       "WATCHDOG_USEC": "200000"})
            heard = []
            while heard.count("WATCHDOG=1") < 2 or "READY=1" not in heard:
                heard.append(notify.recv(1000).decode().split("\n")[0])
            registry.process.send_signal(signal.SIGTERM)
            while heard[-1] != "STOPPING=1":
                heard.append(notify.recv(1000).decode())

    def test_it_stops_at_once_with_watchers(self):
        registry = self.start()
        watch = subprocess.Popen([OPTIONS.etcdctl, "--endpoints", registry.endpoint, "watch", "k", "--rev", "1"],
                                 env={**os.environ, "ETCDCTL_API": "3"}, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        subprocess.run([OPTIONS.etcdctl, "--endpoints", registry.endpoint, "put", "k", "v"],
                       env={**os.environ, "ETCDCTL_API": "3"}, check=True, capture_output=True)
        watch.stdout.readline()
        begin = time.monotonic()
        self.assertEqual(registry.stop(), 0)
        self.assertLess(time.monotonic() - begin, 4)
        watch.kill()
        watch.wait()
        watch.stdout.close()


def main():
    global OPTIONS
    parser = argparse.ArgumentParser()
    parser.add_argument("--program", help="the minigrpcd to test")
    parser.add_argument("--etcd", action="store_true", help="test the real etcd")
    parser.add_argument("--etcdctl", default="etcdctl")
    OPTIONS, rest = parser.parse_known_args()
    unittest.main(argv=[sys.argv[0], *rest])


if __name__ == "__main__":
    main()
