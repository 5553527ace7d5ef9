#!/usr/bin/env python3
"""minigrpc beside the real etcdctl: the same commands to two fresh registries must print the same and exit alike.

    cli_test.py --minigrpc build/bin/minigrpc                                      with Debian's etcd
    cli_test.py --minigrpc build/bin/minigrpc --minigrpcd build/bin/minigrpcd      with minigrpcd in its place

Revisions are compared; what differs between any two registries (ids, terms, addresses, times) is masked.
"""
import argparse
import base64
import json
import os
import re
import signal
import subprocess
import sys
import time
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "support"))
from registry_process import RegistryProcess, free_port  # noqa: E402

OPTIONS = None
TIMEOUT_S = 60
FORMATS = ("simple", "json", "fields")  # and protobuf, which cannot be masked: see cli_session_test.py
NO_PROXY = {name: value for name, value in os.environ.items()
            if not name.startswith(("ETCDCTL_", "MINIGRPC_")) and not name.lower().endswith("_proxy")}

MASKS = [
    (r'("?(?:cluster_id|member_id|raft_term|leader|raftIndex|raftTerm|raftAppliedIndex|dbSize|dbSizeInUse|hash)"?:)\d+',
     r"\1#"),
    (r'("(?:ClusterID|MemberID|RaftTerm|Leader|RaftIndex|RaftAppliedIndex|DBSize|Hash)" : )\d+', r"\1#"),
    (r"\b\d{17,20}\b", "BIG"),                 # ids of leases and members in decimal
    (r"\b[0-9a-f]{14,16}\b", "HEX"),           # and in hexadecimal
    (r"127\.0\.0\.1:\d+", "ADDRESS"),
    (r"(took = |\"took\":\"|\"Took\" : )[0-9.]+(?:m|µ)?s", r"\1TIME"),
    (r"(ADDRESS, HEX, [0-9.]+, )[0-9.]+ .?B, (\w+), (\w+), \d+, \d+, \d+", r"\1SIZE, \2, \3"),
    (r"(ADDRESS, )\d{5,}", r"\1#"),
    (r"(remaining\(|\"ttl\":|\"TTL\" : )(?:5\d|60)(?!\d)", r"\1LEFT"),
]


def masked(text):
    for pattern, replacement in MASKS:
        text = re.sub(pattern, replacement, text)
    return text


def start_registry():
    return RegistryProcess.minigrpcd(OPTIONS.minigrpcd) if OPTIONS.minigrpcd else RegistryProcess.etcd()


class Tool:
    """One of the two command lines, with a registry of its own."""

    def __init__(self, program):
        self.program = program
        self.registry = start_registry()
        self.lease = ""  # the last one granted
        self.started = []

    def command(self, arguments):
        return [self.program, "--endpoints", self.registry.endpoint, *(a.replace("{lease}", self.lease) for a in arguments)]

    def environment(self, env):
        return {**NO_PROXY, "ETCDCTL_API": "3", **(env or {})}

    def run(self, *arguments, stdin="", env=None):
        done = subprocess.run(self.command(arguments), input=stdin.replace("{lease}", self.lease), text=True,
                              capture_output=True, timeout=TIMEOUT_S, env=self.environment(env))
        if granted := re.match(r"lease ([0-9a-f]{16}) granted", done.stdout):
            self.lease = granted.group(1)
        return done

    def start(self, *arguments, env=None):
        process = subprocess.Popen(self.command(arguments), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, env=self.environment(env))
        self.started.append(process)
        return process

    def stop(self):
        """Ends the registry, and what a test that failed left running."""
        for process in self.started:
            if process.poll() is None:
                process.kill()
                process.communicate()
        self.registry.__exit__()


def read_until(process, marker):
    """What the process prints, up to and with `marker`."""
    text = b""
    while marker not in text:
        byte = os.read(process.stdout.fileno(), 65536)
        if not byte:
            raise AssertionError(f"it ended without {marker}: {text} {process.stderr.read()}")
        text += byte
    return text


def finish(process, number=None):
    """Ends it by that signal, if any; what else it printed, and its exit status."""
    if number is not None:
        process.send_signal(number)
    out, err = process.communicate(timeout=TIMEOUT_S)
    return out, err.decode(), process.returncode


class TwoTools(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.etcdctl = Tool(OPTIONS.etcdctl)
        cls.minigrpc = Tool(OPTIONS.minigrpc)

    @classmethod
    def tearDownClass(cls):
        for tool in (cls.etcdctl, cls.minigrpc):
            tool.stop()


    def same(self, *arguments, stdin="", env=None):
        """Runs it with both; minigrpc's output."""
        theirs = self.etcdctl.run(*arguments, stdin=stdin, env=env)
        ours = self.minigrpc.run(*arguments, stdin=stdin, env=env)
        context = f"{arguments} {stdin!r}\netcdctl says {theirs.stderr}\nminigrpc says {ours.stderr}"
        self.assertEqual(masked(ours.stdout), masked(theirs.stdout), context)
        self.assertEqual(ours.returncode, theirs.returncode, context)
        return ours.stdout

    def same_in_all_formats(self, *arguments, stdin="", formats=FORMATS):
        for output_format in formats:
            self.same(*arguments, "-w", output_format, stdin=stdin)


class SideBySide(TwoTools):
    def test_put(self):
        self.same("put", "p/a", "1")
        self.same("put", "p/a", "2", "--prev-kv")
        self.same_in_all_formats("put", "p/a", "hello <world> & é")
        self.same_in_all_formats("put", "--prev-kv", "p/a", "multi\nline \"quoted\" \\ \t\x01")
        self.same("put", "p/in", stdin="from standard input\n")
        self.same("put", "p/a", "--ignore-value")
        self.same("put", "p/a", "x", "--ignore-lease")
        self.same("put", "--", "p/dash", "-12")
        self.same("put", "p/dash", "--", "-13")
        self.same_in_all_formats("get", "--prefix", "p/")

    def test_put_that_fails(self):
        for arguments in (["put"], ["put", "a"], ["put", "a", "b", "--lease=zz"], ["put", "a", "b", "--lease=123"],
                          ["put", "a", "b", "--ignore-value"], ["put", "", "x"], ["put", "f/none", "--ignore-value"],
                          ["put", "a", "b", "--lease=123", "--ignore-lease"], ["put", "a", "b", "-w", "bogus"],
                          ["put", "a", "b", "--bogus"], ["bogus"], ["gett", "a"]):
            ours = self.minigrpc.run(*arguments)
            theirs = self.etcdctl.run(*arguments)
            self.assertEqual(ours.returncode, theirs.returncode, (arguments, ours.stderr, theirs.stderr))
            self.assertTrue(ours.stderr.startswith("Error: "), ours.stderr)

    def test_get(self):
        for key, value in (("g/b", "2"), ("g/a", "1"), ("g/c", "3"), ("g/a", "4"), ("g0", "outside")):
            self.same("put", key, value)
        revision = json.loads(self.same("get", "g/a", "-w", "json"))["kvs"][0]["mod_revision"]
        self.same_in_all_formats("get", "g/a")
        self.same_in_all_formats("get", "g/none")
        self.same_in_all_formats("get", "g/a", "g/c")
        self.same_in_all_formats("get", "--prefix", "g/")
        self.same_in_all_formats("get", "g/b", "--from-key", "--limit=2")
        self.same_in_all_formats("get", "--prefix", "g/", "--keys-only")
        self.same("get", "--prefix", "g/", "--print-value-only")
        self.same("get", "--prefix", "g/", "--hex")
        self.same("get", "--prefix", "g/", "--hex", "-w", "json")
        self.same_in_all_formats("get", "g/a", "--rev", str(revision - 1))
        self.same("get", "g/a", "--rev", "100000")
        self.same("get", "g/a", "--consistency=s")
        for target in ("create", "KEY", "Modify", "VALUE", "VERSION"):
            for order in ("ASCEND", "descend"):
                self.same("get", "--prefix", "g/", "--sort-by", target, "--order", order)
            self.same("get", "--prefix", "g/", "--sort-by", target, "--limit=1", "-w", "json")

    def test_get_that_fails(self):
        for arguments in (["get"], ["get", "a", "--prefix", "--from-key"], ["get", "a", "b", "--prefix"],
                          ["get", "a", "--consistency=x"], ["get", "a", "--order=x"], ["get", "a", "--sort-by=x"],
                          ["get", "a", "--print-value-only", "-w", "json"], ["get", "a", "-w", "table"]):
            self.same(*arguments)

    def test_count_only(self):
        """etcdctl 3.4 has no such flag."""
        for i in range(3):
            self.minigrpc.run("put", f"count/{i}", "x")
            self.etcdctl.run("put", f"count/{i}", "x")
        self.assertEqual(self.minigrpc.run("get", "--prefix", "count/", "--count-only").stdout, "3\n")

    def test_get_within_revisions(self):
        """etcdctl 3.4 has no such flags."""
        revisions = [json.loads(self.same("put", key, "x", "-w", "json"))["header"]["revision"]
                     for key in ("within/a", "within/b", "within/c", "within/a")]
        for flag, revision, expected in (("--min-create-rev", revisions[1], "bc"), ("--max-create-rev", revisions[1], "ab"),
                                         ("--min-mod-rev", revisions[2], "ac"), ("--max-mod-rev", revisions[2], "bc")):
            keys = self.minigrpc.run("get", "--prefix", "within/", "--keys-only", flag, str(revision)).stdout.split()
            self.assertEqual(keys, [f"within/{key}" for key in expected], flag)

    def test_del(self):
        for _ in FORMATS:
            for key in ("d/a", "d/b", "d/c"):
                self.same("put", key, "x")
            self.same("del", "d/none")
        self.same_in_all_formats("del", "d/a")
        self.same("put", "d/a", "y")
        self.same("del", "d/a", "d/c", "--prev-kv")
        for output_format in FORMATS:
            self.same("put", "d/a", "y")
            self.same("put", "d/b", "y")
            self.same("del", "d/", "--prefix", "--prev-kv", "-w", output_format)
        for arguments in (["del"], ["del", "a", "b", "--prefix"], ["del", "a", "--prefix", "--from-key"]):
            self.same(*arguments)

    def test_txn(self):
        self.same("put", "t/a", "b")
        script = 'value("t/a") = "b"\nmod("t/a") > "0"\n\nput t/a "b"\nget t/a\nget t/ --prefix\ndel t/zz\n\nput no no\n\n'
        self.same_in_all_formats("txn", stdin=script)
        self.same("txn", "-i", stdin=script)
        self.same_in_all_formats("txn", stdin='value("t/a") = "zz"\n\nget t/a\n\nget t/a\ndel t/a --prev-kv\n\n')
        self.same("put", "t/a", "b")
        self.same("txn", stdin='create("t/none") = "0"\nver("t/a") != "0"\n\nput "t/x y" "say \\"hi\\""\nget "t/x y"\n\n\n')
        self.same("txn", stdin="\n\n\n")
        self.same("lease", "grant", "60")
        self.same("txn", stdin='\n\nput t/l --lease={lease} v\nget t/l\n\n')
        for broken in ("bogus\n\n", 'mod("t/a") > "x"\n\n\n\n', 'value("t/a") = "b"\n\nwatch t/a\n\n\n', "", "\n\n",
                       "\n\nget\n\n\n", "\n\nget a --bogus\n\n\n", "\n\nput a 1\nput a 2\n\n\n"):
            ours, theirs = (tool.run("txn", stdin=broken) for tool in (self.minigrpc, self.etcdctl))
            self.assertEqual(ours.returncode, theirs.returncode, (broken, ours.stderr, theirs.stderr))
        self.same("txn", "argument")

    def test_users_and_roles(self):
        for arguments in (["role", "add", "stock"], ["role", "add", "stock"], ["role", "add"],
                          ["role", "grant-permission", "stock", "readwrite", "k1"],
                          ["role", "grant-permission", "stock", "read", "a", "b"],
                          ["role", "grant-permission", "stock", "write", "--prefix", "p/"],
                          ["role", "grant-permission", "stock", "READ", "--from-key", "z"],
                          ["role", "grant-permission", "stock", "bad", "k"], ["role", "grant-permission", "stock", "read"],
                          ["role", "grant-permission", "none", "read", "k"],
                          ["role", "grant-permission", "stock", "read", "k", "l", "--prefix"],
                          ["role", "get"], ["role", "get", "none"], ["role", "delete", "none"],
                          ["user", "add", "anna:secret"], ["user", "add", "anna:secret"], ["user", "add"],
                          ["user", "add", "robot", "--no-password"], ["user", "add", "otto", "--new-user-password", "x"],
                          ["user", "grant-role", "anna", "stock"], ["user", "grant-role", "anna", "none"],
                          ["user", "get", "anna"], ["user", "get", "anna", "--detail"], ["user", "get", "none"],
                          ["user", "delete", "otto"], ["user", "delete", "otto"], ["user", "grant-role", "anna"]):
            self.same(*arguments)
        self.same_in_all_formats("role", "get", "stock")
        self.same_in_all_formats("role", "list", formats=("simple", "json"))
        self.same_in_all_formats("user", "list", formats=("simple", "json"))
        self.same_in_all_formats("user", "get", "anna", formats=("simple", "json"))
        self.same("user", "add", "eve", "--interactive=false", stdin="secret\n")
        self.same("user", "passwd", "eve", "--interactive=false", stdin="other\n")
        for arguments in (["role", "revoke-permission", "stock", "k1"], ["role", "revoke-permission", "stock", "a", "b"],
                          ["role", "revoke-permission", "stock", "p/", "--prefix"],
                          ["role", "revoke-permission", "stock", "--from-key", "z"],
                          ["role", "revoke-permission", "stock", "none"], ["role", "get", "stock"],
                          ["user", "revoke-role", "anna", "stock"], ["role", "delete", "stock"],
                          ["auth", "enable"], ["auth", "disable"]):
            self.same(*arguments)

    def test_maintenance(self):
        self.same_in_all_formats("alarm", "list", formats=("simple", "json"))
        self.same("alarm", "disarm")
        self.same("alarm", "list", "argument")
        if "does not implement" not in self.minigrpc.run("defrag").stderr:
            self.same("defrag")
            self.same("defrag", "--cluster")
            self.same("move-leader", "1")
        self.same("move-leader")

    def test_lease(self):
        self.same_in_all_formats("lease", "grant", "60")
        self.same("lease", "grant", "60")
        self.same("put", "--lease={lease}", "l/a", "1")
        self.same("put", "l/a", "2", "--lease", "{lease}")
        self.same_in_all_formats("get", "l/a")
        self.same_in_all_formats("lease", "timetolive", "{lease}")
        self.same_in_all_formats("lease", "timetolive", "{lease}", "--keys")
        self.same_in_all_formats("lease", "timetolive", "1234")
        self.same_in_all_formats("lease", "keep-alive", "--once", "{lease}")
        self.same("lease", "keep-alive", "--once", "1234")
        self.same("lease", "keep-alive", "1234")
        self.same("put", "l/a", "3", "--ignore-lease")
        self.same_in_all_formats("get", "l/a")
        self.same("lease", "revoke", "{lease}")
        self.same("get", "l/a")
        self.same("lease", "revoke", "{lease}")
        for output_format in ("json", "fields"):
            self.same("lease", "grant", "60")
            self.same("lease", "revoke", "{lease}", "-w", output_format)
        for arguments in (["lease", "grant"], ["lease", "grant", "x"], ["lease", "revoke"], ["lease", "revoke", "zz"],
                          ["lease", "timetolive"], ["lease", "timetolive", "zz"], ["lease", "keep-alive"],
                          ["lease", "keep-alive", "zz"], ["lease", "grant", "60", "-w", "table"]):
            self.same(*arguments)

    def test_lease_list(self):
        """The order is the server's: compared as a set."""
        self.same("lease", "grant", "60")
        leases = self.minigrpc.run("lease", "list").stdout.split("\n")
        self.assertIn(self.minigrpc.lease, leases)
        self.assertRegex(leases[0], r"^found \d+ leases$")
        listed = json.loads(self.minigrpc.run("lease", "list", "-w", "json").stdout)["leases"]
        self.assertEqual(len(listed), int(leases[0].split()[1]))
        self.assertIn({"id": int(self.minigrpc.lease, 16)}, listed)

    def test_lease_keep_alive_until_it_is_revoked_or_interrupted(self):
        outcomes = []
        for tool in (self.etcdctl, self.minigrpc):
            tool.run("lease", "grant", "3")
            keeping = tool.start("lease", "keep-alive", tool.lease)
            # The second answer comes a third of the TTL later.
            text = read_until(keeping, b"TTL(3)\n")
            while text.count(b"\n") < 2:
                text += read_until(keeping, b"TTL(3)\n")
            tool.run("lease", "revoke", tool.lease)
            rest, _, status = finish(keeping)
            outcomes.append((masked((text + rest).decode()).split("\n")[-2], status))
            tool.run("lease", "grant", "60")
            keeping = tool.start("lease", "keep-alive", tool.lease)
            read_until(keeping, b"TTL(60)\n")
            outcomes.append(finish(keeping, signal.SIGINT)[2] in (-signal.SIGINT, 130))
        self.assertEqual(outcomes[2:], outcomes[:2])
        self.assertEqual(outcomes[0], ("lease HEX expired or revoked.", 0))
        self.assertTrue(outcomes[1])

    def watch_both(self, *arguments, marker, env=None):
        """What both print until `marker`; they are ended by SIGINT."""
        texts = []
        for tool in (self.etcdctl, self.minigrpc):
            watching = tool.start("watch", *arguments, env=env)
            text = read_until(watching, marker)
            rest, _, status = finish(watching, signal.SIGINT)
            self.assertIn(status, (-signal.SIGINT, 130))
            texts.append(masked((text + rest).decode()))
        self.assertEqual(texts[1], texts[0], arguments)
        return texts[1]

    def test_watch_from_an_old_revision(self):
        first = json.loads(self.same("put", "w/a", "1", "-w", "json"))["header"]["revision"]
        self.same("put", "w/a", "2")
        self.same("put", "w/b", "3")
        self.same("del", "w/a")
        self.same("put", "w/a", "end")
        self.same("put", "w/~", "end")
        from_first = ["--rev", str(first)]
        encoded = base64.b64encode(b"end")
        for output_format, marker in (("simple", b"end\n"), ("json", encoded), ("fields", b'"end"\n"Lease" : 0\n')):
            self.watch_both("w/a", *from_first, "-w", output_format, marker=marker)
            self.watch_both("w/a", *from_first, "--prev-kv", "-w", output_format, marker=marker)
        self.watch_both("w/", "--prefix", *from_first, marker=b"w/~\nend\n")
        self.watch_both("w/a", "w/c", *from_first, marker=b"end\n")
        self.watch_both("w/a", *from_first, "--hex", marker=b"\\x65\\x6e\\x64\n")
        self.watch_both(*from_first, env={"ETCDCTL_WATCH_KEY": "w/a"}, marker=b"end\n")

    def test_watch_runs_a_command(self):
        first = json.loads(self.same("put", "wx", "1 \"x\"", "-w", "json"))["header"]["revision"]
        self.same("del", "wx")
        show = "echo $ETCD_WATCH_REVISION $ETCD_WATCH_EVENT_TYPE $ETCD_WATCH_KEY $ETCD_WATCH_VALUE"
        text = self.watch_both("wx", "--rev", str(first), "--", "sh", "-c", show, marker=b'"DELETE" "wx"')
        self.assertIn('"PUT" "wx" "1 \\"x\\""', text)
        for tool in (self.etcdctl, self.minigrpc):
            failing = tool.start("watch", "wx", "--rev", str(first), "--", "sh", "-c", "exit 3")
            self.assertEqual(finish(failing)[2], 1)

    def test_watch_sees_what_happens_from_now_on(self):
        watching = self.minigrpc.start("watch", "now/", "--prefix")
        deadline = time.monotonic() + TIMEOUT_S
        # Nothing says when the watch is there, so keys are put until one is seen.
        os.set_blocking(watching.stdout.fileno(), False)
        text = None
        while not text and time.monotonic() < deadline:
            self.same("put", "now/a", "1")
            text = watching.stdout.read()
        self.assertTrue((text or b"").startswith(b"PUT\nnow/a\n1\n"), text)
        os.set_blocking(watching.stdout.fileno(), True)
        finish(watching, signal.SIGINT)

    def test_watch_that_fails(self):
        for arguments in (["watch"], ["watch", "w", "w2", "--prefix"]):
            self.same(*arguments)
        # etcdctl notices only when something happens.
        self.assertEqual(self.minigrpc.run("watch", "w", "-w", "table").returncode, 4)
        first = json.loads(self.same("put", "wc", "1", "-w", "json"))["header"]["revision"]
        last = json.loads(self.same("put", "wc", "2", "-w", "json"))["header"]["revision"]
        self.same("compaction", str(last))
        self.same("compaction", str(last))
        self.same("watch", "wc", "--rev", str(first))
        ours, theirs = (tool.run("watch", "wc", "--rev", str(first), "-w", "json") for tool in (self.minigrpc, self.etcdctl))
        self.assertEqual(ours.returncode, theirs.returncode)
        # etcd leaves the revision out of this one answer's header; our client fills it in.
        told = [json.loads(done.stdout) for done in (ours, theirs)]
        for answer in told:
            self.assertGreater(answer.pop("Header")["cluster_id"], 0)
        self.assertEqual(told[0], told[1])
        for arguments in (["compaction"], ["compaction", "x"], ["compaction", "100000"]):
            self.same(*arguments)

    def test_members_and_endpoints(self):
        self.same_in_all_formats("member", "list", formats=("simple", "json", "fields"))
        self.same_in_all_formats("endpoint", "status", formats=("simple", "json", "fields"))
        self.same_in_all_formats("endpoint", "health", formats=("json", "fields"))
        # etcdctl 3.4 says so on the standard error, later ones on the standard output, as we do.
        ours, theirs = (tool.run("endpoint", "health") for tool in (self.minigrpc, self.etcdctl))
        self.assertEqual((masked(ours.stdout), ours.returncode), (masked(theirs.stdout + theirs.stderr), theirs.returncode))
        if not OPTIONS.minigrpcd:
            self.same_in_all_formats("endpoint", "hashkv", formats=("simple", "json", "fields"))
        if OPTIONS.minigrpcd:
            # etcdctl calls http://HOST:PORT with that as :authority, which our HTTP/2 refuses as malformed.
            self.assertEqual(self.minigrpc.run("endpoint", "status", "--cluster").returncode, 0)
        else:
            self.same("endpoint", "status", "--cluster")
        for what in ("member list", "endpoint status", "endpoint health"):
            for tool in (self.etcdctl, self.minigrpc):
                table = tool.run(*what.split(), "-w", "table").stdout.split("\n")
                self.assertEqual(len(table), 6, table)
        heading = [tool.run("endpoint", "status", "-w", "table").stdout.split("\n")[1].split() for tool in
                   (self.etcdctl, self.minigrpc)]
        self.assertEqual(heading[0], heading[1])

    def test_endpoints_that_are_down(self):
        dead = f"127.0.0.1:{free_port()}"
        for arguments, stdout in ((["endpoint", "status"], ""), (["endpoint", "hashkv"], ""), (["get", "a"], "")):
            ours = subprocess.run([OPTIONS.minigrpc, "--endpoints", dead, *arguments], capture_output=True, text=True,
                                  timeout=TIMEOUT_S, env=NO_PROXY)
            self.assertEqual((ours.returncode, ours.stdout), (1, stdout), ours.stderr)
        self.assertIn(f"Is minigrpcd or etcd running at {dead}? Start one with: minigrpcd", ours.stderr)
        both = f"{dead},{self.minigrpc.registry.endpoint}"
        health = subprocess.run([OPTIONS.minigrpc, "endpoint", "health"], capture_output=True, text=True,
                                timeout=TIMEOUT_S, env={**NO_PROXY, "MINIGRPC_ENDPOINTS": both, "ETCDCTL_ENDPOINTS": "x:1"})
        self.assertEqual(health.returncode, 1)
        self.assertIn(f"{self.minigrpc.registry.endpoint} is healthy", health.stdout)
        self.assertIn(f"{dead} is unhealthy", health.stdout)
        # A command goes on to the endpoint that lives.
        deleted = subprocess.run([OPTIONS.minigrpc, "del", "nothing"], capture_output=True, text=True, timeout=TIMEOUT_S,
                                 env={**NO_PROXY, "ETCDCTL_ENDPOINTS": both})
        self.assertEqual((deleted.returncode, deleted.stdout), (0, "0\n"), deleted.stderr)

    def test_help(self):
        for arguments in ([], ["--help"], ["help"], ["get", "-h"], ["lease", "--help"], ["help", "call"]):
            done = self.minigrpc.run(*arguments)
            self.assertEqual(done.returncode, 0)
            self.assertNotIn("\033", done.stdout)
        everything = self.minigrpc.run("--help").stdout
        for verb in ("put", "get", "del", "watch", "txn", "lock", "lease keep-alive", "services", "call", "endpoint status"):
            self.assertRegex(everything, rf"\n  {verb} ")
            self.assertIn("\nExamples\n", self.minigrpc.run(*verb.split(), "--help").stdout)


class LockTest(TwoTools):
    def key_of(self, holder):
        text = read_until(holder, b"\n\n").decode()
        return text.split("\n")[0]

    def keys(self, name):
        return self.minigrpc.run("get", "--prefix", f"{name}/", "--keys-only").stdout.split()

    def leases(self):
        return set(self.minigrpc.run("lease", "list").stdout.split("\n")[1:-1])

    def test_prints_the_same(self):
        for output_format, marker in (("simple", b"\n\n"), ("json", b"}\n"), ("fields", b'"Count" : 1\n')):
            texts = []
            for tool in (self.etcdctl, self.minigrpc):
                holder = tool.start("lock", "print", "-w", output_format)
                text = read_until(holder, marker)
                rest, _, status = finish(holder, signal.SIGINT)
                # The key ends with the lease, of which JSON shows the base64.
                text = re.sub(r'"key":"[^"]*"', '"key":"KEY"', (text + rest).decode())
                text = re.sub(r'(revision":|Revision" : )\d+', r"\1#", text)
                texts.append((masked(text), status))
            self.assertEqual(texts[1], texts[0])
            self.assertEqual(texts[1][1], 0)

    def test_interrupted_holder_leaves_nothing_behind(self):
        before = self.leases()
        for number in (signal.SIGINT, signal.SIGTERM):
            holder = self.minigrpc.start("lock", "clean")
            key = self.key_of(holder)
            self.assertEqual(self.keys("clean"), [key])
            self.assertEqual(finish(holder, number)[2], 0)
            self.assertEqual(self.keys("clean"), [])
            self.assertEqual(self.leases(), before)

    def test_waits_for_etcdctl_and_etcdctl_for_us(self):
        theirs = Tool.start(self.on_our_registry(self.etcdctl), "lock", "turns")
        self.key_of(theirs)
        ours = self.minigrpc.start("lock", "turns")
        self.wait_for_keys("turns", 2)
        third = Tool.start(self.on_our_registry(self.etcdctl), "lock", "turns")
        self.wait_for_keys("turns", 3)
        finish(theirs, signal.SIGINT)
        self.key_of(ours)
        self.assertEqual(finish(ours, signal.SIGINT)[2], 0)
        self.key_of(third)
        finish(third, signal.SIGINT)
        self.assertEqual(self.keys("turns"), [])

    def on_our_registry(self, tool):
        copy = Tool.__new__(Tool)
        copy.program, copy.registry, copy.lease, copy.started = tool.program, self.minigrpc.registry, "", tool.started
        return copy

    def wait_for_keys(self, name, count):
        deadline = time.monotonic() + TIMEOUT_S
        while len(self.keys(name)) < count:
            self.assertLess(time.monotonic(), deadline, f"no {count} keys under {name}")

    def test_interrupted_waiter_leaves_the_queue(self):
        before = self.leases()
        holder = self.minigrpc.start("lock", "queue")
        key = self.key_of(holder)
        waiter = self.minigrpc.start("lock", "queue")
        self.wait_for_keys("queue", 2)
        self.assertEqual(finish(waiter, signal.SIGINT)[2], 1)
        self.assertEqual(self.keys("queue"), [key])
        finish(holder, signal.SIGINT)
        self.assertEqual(self.leases(), before)

    def test_lock_of_a_killed_holder_is_free_after_its_ttl(self):
        holder = self.minigrpc.start("lock", "dead", "--ttl", "2")
        self.key_of(holder)
        finish(holder, signal.SIGKILL)
        start = time.monotonic()
        self.assertEqual(self.minigrpc.run("lock", "dead", "true").returncode, 0)
        self.assertLess(time.monotonic() - start, 30)

    def test_command_runs_under_the_lock(self):
        done = self.minigrpc.run("lock", "run", "--", "sh", "-c", "echo $ETCD_LOCK_KEY $ETCD_LOCK_REV; exit 7")
        self.assertRegex(done.stdout, r"^run/[0-9a-f]+ \d+\n$")
        self.assertEqual(done.returncode, 7)
        self.assertEqual(self.minigrpc.run("lock", "run", "echo", "hi").stdout, "hi\n")
        self.assertEqual(self.minigrpc.run("lock", "run", "/nonexistent").returncode, 1)
        self.assertEqual(self.minigrpc.run("lock", "run", "--", "sh", "-c", "kill -9 $$").returncode, 128 + 9)
        self.assertEqual(self.keys("run"), [])

    def test_signal_ends_the_command_and_then_the_lock(self):
        holder = self.minigrpc.start("lock", "signal", "--", "sh", "-c", "echo held; exec sleep 60")
        read_until(holder, b"held\n")
        self.assertEqual(len(self.keys("signal")), 1)
        self.assertEqual(finish(holder, signal.SIGTERM)[2], 128 + 15)
        self.assertEqual(self.keys("signal"), [])

    def test_fails(self):
        for arguments in (["lock"], ["lock", "x", "-w", "table"], ["lock", "x", "--ttl=y"]):
            ours = self.minigrpc.run(*arguments)
            self.assertEqual(ours.returncode, self.etcdctl.run(*arguments).returncode, ours.stderr)


class ServicesTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.tool = Tool(OPTIONS.minigrpc)
        cls.tool.run("lease", "grant", "60")
        for key, value in (
                ("ProdService/10.0.0.1:5051", '{"Op":0,"Addr":"10.0.0.1:5051","Metadata":{"weight":3,"zone":"eu"}}'),
                ("ProdService/10.0.0.2:5051", '{"Op":0,"Addr":"10.0.0.2:5051","Metadata":null}'),
                ("ProdService/v2/10.0.0.3:5051", '{"Op":0,"Addr":"10.0.0.3:5051","Metadata":null}'),
                ("user.rpc/7587870", "10.0.0.4:8080"),
                ("/microservices/shop/x1", '{"id":"x1","name":"shop","version":"1.2","metadata":{"weight":"5"},'
                                           '"endpoints":["grpc://10.0.0.5:9000"]}'),
                ("kitex/registry-etcd/cart/10.0.0.6:8888", '{"network":"tcp","address":"10.0.0.6:8888","weight":10,"tags":null}'),
                ("lock/13b0a202d71bb0c0", "")):
            cls.tool.run("put", key, value, "--lease={lease}")
        cls.tool.run("put", "config/database", "10.0.0.9:5432")

    @classmethod
    def tearDownClass(cls):
        cls.tool.stop()

    def listed(self, *arguments):
        done = self.tool.run("services", *arguments, "-w", "json")
        self.assertEqual(done.returncode, 0, done.stderr)
        return [(e["service"], e["address"], e["format"], e["weight"]) for e in json.loads(done.stdout)]

    def test_all(self):
        self.assertEqual(self.listed(), [
            ("ProdService", "10.0.0.1:5051", "etcd", 3), ("ProdService", "10.0.0.2:5051", "etcd", 1),
            ("ProdService/v2", "10.0.0.3:5051", "etcd", 1), ("cart", "10.0.0.6:8888", "kitex", 10),
            ("shop", "10.0.0.5:9000", "kratos", 5), ("user.rpc", "10.0.0.4:8080", "go-zero", 1)])

    def test_one(self):
        self.assertEqual([e[1] for e in self.listed("ProdService")], ["10.0.0.1:5051", "10.0.0.2:5051"])
        self.assertEqual([e[1] for e in self.listed("shop")], ["10.0.0.5:9000"])
        entry = json.loads(self.tool.run("services", "ProdService", "-w", "json").stdout)[0]
        self.assertEqual(entry["lease"], self.tool.lease)
        self.assertEqual(entry["zone"], "eu")
        self.assertIn(entry["lease_left_s"], range(1, 61))

    def test_as_a_table(self):
        lines = self.tool.run("services").stdout.split("\n")
        self.assertEqual(lines[0].split(), ["SERVICE", "ADDRESS", "STATE", "WEIGHT", "LEASE", "LEFT", "FORMAT", "METADATA"])
        self.assertRegex(lines[1], r"^ProdService +10\.0\.0\.1:5051 +serving +3 +\d+s +etcd +zone=eu$")
        self.assertEqual(len(lines), 8)
        self.assertTrue(self.tool.run("services", "-w", "table").stdout.startswith("+--"))

    def test_nobody(self):
        done = self.tool.run("services", "Nobody")
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        self.assertIn("no instance of Nobody is registered", done.stderr)


class CallTest(unittest.TestCase):
    """Calls to Python's grpcio."""

    @classmethod
    def setUpClass(cls):
        interop = os.path.join(HERE, "..", "interop")
        cls.proto = os.path.join(interop, "peer.proto")
        cls.prod = os.path.join(HERE, "..", "..", "examples", "prod", "Prod.proto")
        cls.server = subprocess.Popen([sys.executable, "-B", os.path.join(interop, "python", "server.py")],
                                      stdout=subprocess.PIPE, text=True, env=NO_PROXY)
        cls.address = "127.0.0.1:" + cls.server.stdout.readline().split()[1]
        cls.tool = Tool(OPTIONS.minigrpc)

    @classmethod
    def tearDownClass(cls):
        cls.server.kill()
        cls.server.wait()
        cls.server.stdout.close()
        cls.tool.stop()

    def call(self, method, *arguments, stdin="", status=0, target=None):
        done = self.tool.run("call", target or self.address, f"Peer/{method}", "--proto", self.proto, "--timeout", "20s",
                             *arguments, stdin=stdin)
        self.assertEqual(done.returncode, status, (method, arguments, done.stdout, done.stderr))
        return [json.loads(line) for line in done.stdout.splitlines()] if status == 0 else done.stderr

    def test_unary(self):
        payload = base64.b64encode(b"hello").decode()
        response = self.call("Unary", json.dumps({"payload": payload}))[0]
        self.assertEqual((response["payload"], response["receivedCount"]), (payload, 1))
        self.assertIn(int(response["deadlineLeftMs"]), range(1, 20001))
        self.assertEqual(len(self.call("Unary")), 1)
        self.assertEqual(len(self.call("Unary", "-d", "@-", stdin='{"payload":""}')), 1)
        big = self.call("Unary", '{"response_size": 3000000}')[0]
        self.assertEqual(len(base64.b64decode(big["payload"])), 3000000)

    def test_server_streaming(self):
        self.assertEqual(len(self.call("Feed", '{"response_count": 3}')), 3)

    def test_client_streaming(self):
        self.assertEqual(self.call("Collect", "-d", "@", stdin='{"payload":"YQ=="}{"payload":"YWI="}\n{}')[0]["receivedCount"], 3)
        self.assertEqual(self.call("Collect", '{"payload":"YQ=="} {}')[0]["receivedSize"], "1")
        self.assertNotIn("receivedCount", self.call("Collect")[0])

    def test_bidirectional_answers_before_the_input_ends(self):
        process = subprocess.Popen(self.tool.command(["call", self.address, "minigrpc.interop.Peer/Chat", "-", "--proto",
                                                      self.proto]), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                   text=True, env=NO_PROXY)
        for count in (1, 2, 3):
            process.stdin.write('{"response_count":1}')
            process.stdin.flush()
            self.assertEqual(json.loads(process.stdout.readline())["receivedCount"], count)
        out, _ = process.communicate(timeout=TIMEOUT_S)
        self.assertEqual((out, process.returncode), ("", 0))

    def test_a_call_that_ends_does_not_wait_for_its_input(self):
        process = subprocess.Popen(self.tool.command(["call", self.address, "Peer/Chat", "-", "--proto", self.proto]),
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                   env=NO_PROXY)
        process.stdin.write('{"fail":{"code":5,"message":"enough"}}')
        process.stdin.flush()
        self.assertEqual(process.wait(TIMEOUT_S), 64 + 5)
        self.assertIn("Message: enough", process.stderr.read())
        for stream in (process.stdin, process.stdout, process.stderr):
            stream.close()

    def test_failures_look_like_grpcurls(self):
        stderr = self.call("Unary", '{"fail":{"code":5,"message":"no product 7"}}', status=64 + 5)
        self.assertEqual(stderr, "ERROR:\n  Code: NotFound\n  Message: no product 7\n")
        self.assertIn("Code: Unimplemented", self.call("Missing", status=64 + 12))
        self.assertIn("Code: DeadlineExceeded", self.call("Unary", '{"delay_ms":20000}', "--timeout", "100ms", status=64 + 4))
        stderr = self.call("Unary", target=f"127.0.0.1:{free_port()}", status=64 + 14)
        self.assertIn("Code: Unavailable", stderr)

    def test_details_are_shown(self):
        # google.rpc.Status{code: 5, message: "x", details: [Any of a CallName{name: "why"}]}
        url = b"type.googleapis.com/minigrpc.interop.CallName"
        any_bytes = b"\x0a" + bytes([len(url)]) + url + b"\x12\x05\x0a\x03why"
        details = base64.b64encode(b"\x08\x05\x12\x01x\x1a" + bytes([len(any_bytes)]) + any_bytes).decode()
        stderr = self.call("Unary", json.dumps({"fail": {"code": 5, "message": "x", "details": details}}), status=69)
        self.assertIn('  Details:\n  1)\tminigrpc.interop.CallName {"name":"why"}\n', stderr)

    def test_metadata(self):
        done = self.tool.run("call", self.address, "Peer/Unary", "--proto", self.proto, "-v", "-H", "X-Echo-A: one, two",
                             "-H", "x-trail-b-bin: //4=")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("header x-echo-a: one, two\n", done.stderr)
        self.assertIn("trailer x-trail-b-bin: //4=\n", done.stderr)

    def test_mistakes_are_explained(self):
        for arguments, message in (
                (["call", self.address], "call takes a target"),
                (["call", self.address, "Peer/Unary"], "pass --proto FILE"),
                (["call", self.address, "Peer/Nothing", "--proto", self.proto], "there are: Unary, Feed"),
                (["call", self.address, "Peer/Unary", "--proto", "nowhere.proto"], "nowhere.proto"),
                (["call", self.address, "Peer/Unary", "{", "--proto", self.proto], "JSON"),
                (["call", self.address, "Peer/Unary", '{"x":1}', "--proto", self.proto], "JSON does not fit"),
                (["call", self.address, "Peer/Unary", "{}{}", "--proto", self.proto], "takes one message"),
                (["call", self.address, "Peer/Chat", '{"x":1}', "--proto", self.proto], "JSON does not fit"),
                (["call", self.address, "Peer/Unary", "--proto", self.proto, "-H", "bad"], "name: value")):
            done = self.tool.run(*arguments)
            self.assertEqual(done.returncode, 128, (arguments, done.stderr))
            self.assertIn(message, done.stderr)

    def test_by_the_name_of_the_service(self):
        self.tool.run("put", f"ProdService/{self.address}", json.dumps({"Op": 0, "Addr": self.address, "Metadata": None}))
        for target in ("ProdService", f"etcd://{self.tool.registry.endpoint}/ProdService"):
            done = self.tool.run("call", target, "ProdService/GetProdStock", '{"prod_id": 4}', "--proto", self.prod,
                                 "--timeout", "20s")
            self.assertEqual((done.stdout, done.returncode), ('{"prodStock":80}\n', 0), done.stderr)

    def test_etcds_own_services_need_no_schema(self):
        done = self.tool.run("call", self.tool.registry.endpoint, "etcdserverpb.Maintenance/Status")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("version", json.loads(done.stdout))


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
