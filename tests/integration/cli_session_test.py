#!/usr/bin/env python3
"""minigrpc's elections, interactive watches, checks, members, copies and completion, beside the real etcdctl.

    cli_session_test.py --minigrpc build/bin/minigrpc                                      with Debian's etcd
    cli_session_test.py --minigrpc build/bin/minigrpc --minigrpcd build/bin/minigrpcd      with minigrpcd in its place
"""
import argparse
import json
import os
import re
import signal
import subprocess
import sys
import time
import unittest

import cli_test
from cli_test import NO_PROXY, TIMEOUT_S, Tool, TwoTools, finish, masked, read_until

OPTIONS = None
FORMATS = (("simple", b"\n"), ("json", b"}\n"), ("fields", b'"Count" : 1\n'))


def eventually(what, condition):
    deadline = time.monotonic() + TIMEOUT_S
    while time.monotonic() < deadline:
        if found := condition():
            return found
        time.sleep(0.02)
    raise AssertionError(f"{what}: not within {TIMEOUT_S} s")


class ElectTest(TwoTools):
    def test_prints_the_same(self):
        for output_format, marker in FORMATS:
            texts = []
            for tool in (self.etcdctl, self.minigrpc):
                leader = tool.start("elect", f"print-{output_format}", "me", "-w", output_format)
                text = read_until(leader, b"me\n" if output_format == "simple" else marker)
                rest, _, status = finish(leader, signal.SIGINT)
                text = re.sub(r'"key":"[^"]*"', '"key":"KEY"', (text + rest).decode())
                texts.append((masked(re.sub(r'(revision":|Revision" : )\d+', r"\1#", text)), status))
            self.assertEqual(texts[1], texts[0])
            self.assertEqual(texts[1][1], 0)

    def test_observers_see_each_leader_and_its_values(self):
        """Ours sees what etcdctl proclaims, and the other way round."""
        for candidate, observer in ((self.etcdctl.program, self.minigrpc.program), (self.minigrpc.program, self.etcdctl.program)):
            registry = self.minigrpc.registry.endpoint
            watching = self.start(observer, registry, "elect", "--listen", "seen")
            first = self.start(candidate, registry, "elect", "seen", "one")
            read_until(first, b"one\n")
            self.assertRegex(read_until(watching, b"one\n").decode(), r"^seen/[0-9a-f]+\none\n$")
            second = self.start(observer, registry, "elect", "seen", "two")
            eventually("two candidates", lambda: len(self.keys("seen")) == 2)
            self.assertEqual(finish(first, signal.SIGINT)[2], 0)
            read_until(second, b"two\n")
            read_until(watching, b"two\n")
            # Another value, by whoever may write the key.
            key = self.keys("seen")[0]
            self.minigrpc.run("put", key, "three", "--ignore-lease")
            read_until(watching, b"three\n")
            self.assertEqual(finish(second, signal.SIGTERM)[2], 0)
            self.assertEqual(finish(watching, signal.SIGINT)[2], 0)
            self.assertEqual(self.keys("seen"), [])

    def start(self, program, endpoint, *arguments):
        process = subprocess.Popen([program, "--endpoints", endpoint, *arguments], stdin=subprocess.DEVNULL,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, env={**NO_PROXY, "ETCDCTL_API": "3"})
        self.minigrpc.started.append(process)
        return process

    def keys(self, name):
        return self.minigrpc.run("get", "--prefix", f"{name}/", "--keys-only").stdout.split()

    def test_a_candidate_that_is_interrupted_withdraws(self):
        leader = self.minigrpc.start("elect", "busy", "a")
        read_until(leader, b"a\n")
        waiting = self.minigrpc.start("elect", "busy", "b")
        eventually("two candidates", lambda: len(self.keys("busy")) == 2)
        _, err, status = finish(waiting, signal.SIGINT)
        self.assertEqual(status, 1)
        self.assertIn("interrupted", err)
        self.assertEqual(len(self.keys("busy")), 1)
        finish(leader, signal.SIGINT)

    def test_fails(self):
        for arguments in (["elect"], ["elect", "x"], ["elect", "x", "y", "z"], ["elect", "-l", "x", "y"],
                          ["elect", "x", "y", "-w", "table"]):
            ours = self.minigrpc.run(*arguments)
            if "table" not in arguments:  # etcdctl notices only once elected
                self.assertEqual(ours.returncode, self.etcdctl.run(*arguments).returncode, ours.stderr)
            self.assertNotEqual(ours.returncode, 0)


class InteractiveWatchTest(TwoTools):
    def start(self, tool, *arguments):
        process = subprocess.Popen(tool.command(arguments), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, env={**NO_PROXY, "ETCDCTL_API": "3"})
        tool.started.append(process)
        return process

    def test_lines_begin_watches(self):
        for tool in (self.etcdctl, self.minigrpc):
            for key in ("i/a", "i/b"):
                tool.run("put", key, "1")
        outcomes = []
        for tool in (self.etcdctl, self.minigrpc):
            watching = self.start(tool, "watch", "-i")
            revision = json.loads(tool.run("get", "i/a", "-w", "json").stdout)["kvs"][0]["mod_revision"]
            watching.stdin.write(f"watch i/a --rev {revision}\n".encode())
            watching.stdin.flush()
            text = read_until(watching, b"i/a\n1\n")
            watching.stdin.write(f'nonsense\nwatch --prefix "i/" --prev-kv --rev={revision + 1} -- echo ran\n'.encode())
            watching.stdin.flush()
            text += read_until(watching, b"ran\n")
            _, err, status = finish(watching)  # its input ends
            self.assertIn("watch and progress supported", err) if tool is self.minigrpc else None
            outcomes.append((text, status))
        self.assertEqual(outcomes[1], outcomes[0])
        self.assertEqual(outcomes[1], (b"PUT\ni/a\n1\nPUT\ni/b\n1\nran\n", 3))

    def test_progress(self):
        texts = []
        for tool in (self.etcdctl, self.minigrpc):
            tool.run("put", "progress/a", "1")
            revision = json.loads(tool.run("get", "progress/a", "-w", "json").stdout)["header"]["revision"]
            watching = self.start(tool, "watch", "-i", "-w", "json")
            watching.stdin.write(f"watch progress/a --rev {revision}\n".encode())
            watching.stdin.flush()
            read_until(watching, b"}\n")
            watching.stdin.write(b"progress\n")
            watching.stdin.flush()
            text = read_until(watching, b"}\n").decode()
            finish(watching)
            self.assertTrue(text.startswith(f"progress notify: {revision}\n"), text)
            texts.append(masked(text))
        self.assertEqual(texts[1], texts[0])


class ProtobufTest(TwoTools):
    """Bytes: the same from both, but for ids and terms, which both registries have of their own."""

    def test_prints_the_same_messages(self):
        for tool in (self.etcdctl, self.minigrpc):
            tool.registry = self.etcdctl.registry  # one registry: the same ids
        try:
            for arguments in (["get", "pb/none"], ["put", "pb/a", "x"], ["put", "pb/a", "y", "--prev-kv"], ["get", "pb/a"],
                              ["get", "--prefix", "pb/", "--keys-only"], ["del", "pb/{tool}", "--prev-kv"], ["member", "list"],
                              ["user", "list"], ["role", "list"], ["alarm", "list"], ["auth", "disable"]):
                if arguments[0] == "del":
                    self.etcdctl.run("put", "pb/a", "z")
                    self.etcdctl.run("put", "pb/b", "z")
                theirs, ours = (subprocess.run(tool.command([*(a.replace("{tool}", "ab"[tool is self.minigrpc]) for a in arguments), "-w", "protobuf"]), capture_output=True,
                                               timeout=TIMEOUT_S, env={**NO_PROXY, "ETCDCTL_API": "3"})
                                for tool in (self.etcdctl, self.minigrpc))
                self.assertEqual(ours.returncode, theirs.returncode, (arguments, ours.stderr, theirs.stderr))
                self.assertEqual(len(ours.stdout), len(theirs.stdout), (arguments, ours.stdout, theirs.stdout))
                if arguments[0] in ("get", "member", "user"):
                    self.assertEqual(ours.stdout, theirs.stdout, arguments)
            script = b'\nput pb/t 1\nget pb/t\ndel pb/none\n\n\n'
            theirs, ours = (subprocess.run(tool.command(["txn", "-w", "protobuf"]), capture_output=True, input=script,
                                           timeout=TIMEOUT_S, env={**NO_PROXY, "ETCDCTL_API": "3"})
                            for tool in (self.etcdctl, self.minigrpc))
            self.assertEqual((len(ours.stdout), ours.returncode), (len(theirs.stdout), 0), (ours, theirs))
            first = json.loads(self.etcdctl.run("put", "pb/w", "one", "-w", "json").stdout)["header"]["revision"]
            self.etcdctl.run("del", "pb/w")
            self.etcdctl.run("put", "pb/w", "end")
            seen = []
            for tool in (self.etcdctl, self.minigrpc):
                watching = tool.start("watch", "pb/w", "--rev", str(first), "--prev-kv", "-w", "protobuf")
                text = read_until(watching, b"end")
                seen.append(text + finish(watching, signal.SIGINT)[0])
            self.assertEqual(seen[1], seen[0])
            self.assertEqual(self.minigrpc.run("endpoint", "status", "-w", "protobuf").returncode, 4)
        finally:
            self.minigrpc.registry = self.own

    def setUp(self):
        self.own = self.minigrpc.registry


class MemberTest(TwoTools):
    def test_learners_come_and_go(self):
        if OPTIONS.minigrpcd:
            self.skipTest("minigrpcd has one member")
        for port, output_format in (("1", "simple"), ("4", "json")):  # its URLs make a member's id, which is used up
            texts = []
            for tool in (self.etcdctl, self.minigrpc):
                peer = next(iter(json.loads(tool.run("member", "list", "-w", "json").stdout)["members"]))["peerURLs"][0]
                lines = []
                added = tool.run("--command-timeout", "20s", "member", "add", "new", "--learner", f"--peer-urls=http://127.0.0.1:{port},http://127.0.0.1:2", "-w",
                                 output_format)
                members = json.loads(tool.run("member", "list", "-w", "json").stdout)["members"]
                self.assertEqual(len(members), 2, (added, members))
                new = format(next(m["ID"] for m in members if "name" not in m), "x")
                lines += [added]
                lines += [tool.run("member", "update", new, "--peer-urls=http://127.0.0.1:3", "-w", output_format)]
                lines += [tool.run("member", "promote", new, "-w", output_format)]
                lines += [tool.run("member", "remove", new, "-w", output_format)]
                texts.append([(masked(done.stdout.replace(peer, "PEER")), done.returncode) for done in lines])
                # Members stand in the order of their ids, which are random, and sometimes a digit shorter.
                texts[-1] = [(re.sub(" +", " ", text), status) for text, status in texts[-1]]
                texts[-1] = [("".join(sorted(text)), status) for text, status in texts[-1]]
            self.assertEqual(texts[1], texts[0])

    def test_mistakes(self):
        for arguments in ("add", "add x", "add x y", "add x --peer-urls=bad", "remove", "remove zz", "remove 1234", "update 12",
                          "update", "promote", "promote 12", "promote zz", "update zz --peer-urls=http://a:1",
                          "update 12 --peer-urls=http://a:1"):
            if OPTIONS.minigrpcd and arguments in ("remove 1234", "promote 12", "update 12 --peer-urls=http://a:1"):
                continue  # refused, with reasons
            ours, theirs = (tool.run("member", *arguments.split()) for tool in (self.minigrpc, self.etcdctl))
            self.assertEqual((ours.stdout, ours.returncode), (theirs.stdout, theirs.returncode), (arguments, ours.stderr))

    def test_minigrpcd_says_that_it_has_one_member(self):
        if not OPTIONS.minigrpcd:
            self.skipTest("only minigrpcd")
        done = self.minigrpc.run("member", "add", "x", "--peer-urls=http://127.0.0.1:1")
        self.assertEqual(done.returncode, 1)
        self.assertIn("single member", done.stderr)


class CopyTest(TwoTools):
    """make-mirror and migrate between two registries: from minigrpc's to etcdctl's."""

    def setUp(self):
        self.source, self.destination = Tool(OPTIONS.minigrpc), Tool(OPTIONS.minigrpc)
        self.addCleanup(self.destination.stop)
        self.addCleanup(self.source.stop)
        self.to = self.destination.registry.endpoint

    def contents(self, tool, prefix=""):
        return tool.run("get", "--prefix", prefix).stdout

    def wait_for(self, tool, expected, prefix=""):
        eventually(expected, lambda: self.contents(tool, prefix) == expected)

    def test_mirror_copies_and_follows(self):
        for arguments, moved in (([], "m/"), (["--dest-prefix", "copy/"], "copy/"), (["--no-dest-prefix"], "")):
            with self.subTest(arguments=arguments):
                self.destination.run("del", "--prefix", "")
                self.source.run("del", "--prefix", "")
                self.source.run("put", "m/a", "1")
                self.source.run("put", "m/b", "2")
                self.source.run("put", "other", "stays")
                mirror = self.source.start("make-mirror", "--prefix", "m/", *arguments, self.to)
                self.wait_for(self.destination, f"{moved}a\n1\n{moved}b\n2\n")
                self.source.run("txn", stdin="\nput m/c 3\nput m/a 11\ndel m/b\n\n\n")
                self.wait_for(self.destination, f"{moved}a\n11\n{moved}c\n3\n")
                out, err, status = finish(mirror, signal.SIGINT)
                self.assertEqual((out, status), (b"5\n", 0), err)

    def test_mirror_begins_with_a_revision(self):
        self.source.run("put", "m/a", "1")
        revision = json.loads(self.source.run("put", "m/b", "2", "-w", "json").stdout)["header"]["revision"]
        mirror = self.source.start("make-mirror", "--rev", str(revision), self.to)
        self.wait_for(self.destination, "m/b\n2\n")
        finish(mirror, signal.SIGINT)
        self.source.run("compaction", str(revision))
        self.source.run("put", "m/b", "3")
        done = self.source.run("make-mirror", "--rev", "1", self.to)
        self.assertEqual(done.returncode, 1)
        self.assertIn("compacted", done.stderr)

    def test_mirror_copies_more_than_a_page_and_large_values(self):
        for i in range(6):
            self.source.run("put", f"large/{i}", "x" * 100_000)
        script = "\n" + "".join(f"put k/{{0}}/{i} {i}\n" for i in range(120)) + "\n\n"
        for page in range(10):
            self.source.run("txn", stdin=script.replace("{0}", str(page)))
        done = self.source.run("migrate", "--to", self.to)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertRegex(done.stdout, r"^copied 1206 keys as of revision \d+\n$")
        self.assertEqual(self.contents(self.destination), self.contents(self.source))

    def test_migrate_takes_leases_along(self):
        self.source.run("lease", "grant", "60")
        self.source.run("put", "leased", "v", "--lease={lease}")
        self.source.run("put", "free", "v")
        done = self.destination.run("migrate", "--from", self.source.registry.endpoint, "--to", self.to)
        self.assertEqual(done.returncode, 0, done.stderr)
        lease = self.source.lease
        self.assertIn(f"lease {lease} granted with TTL(60s)", self.destination.run("lease", "timetolive", lease, "--keys").stdout)
        self.assertIn("[leased]", self.destination.run("lease", "timetolive", lease, "--keys").stdout)
        self.destination.run("lease", "revoke", lease)
        self.assertEqual(self.contents(self.destination), "free\nv\n")

    def test_migrate_keeps_the_leases_alive_that_live(self):
        self.source.run("lease", "grant", "3")
        self.source.run("put", "leased", "v", "--lease={lease}")
        keeping = self.source.start("lease", "keep-alive", self.source.lease)
        read_until(keeping, b"TTL(3)\n")
        moving = self.source.start("migrate", "--to", self.to, "--follow")
        read_until(moving, b"copied 1 keys")
        self.source.run("lease", "grant", "60")
        self.source.run("put", "later", "w", "--lease={lease}")
        self.wait_for(self.destination, "later\nw\nleased\nv\n")
        # Longer than the first lease would live by itself.
        end = time.monotonic() + 7
        while time.monotonic() < end:
            self.assertEqual(self.contents(self.destination), "later\nw\nleased\nv\n")
            time.sleep(0.5)
        finish(keeping, signal.SIGKILL)
        self.wait_for(self.destination, "later\nw\n")
        out, err, status = finish(moving, signal.SIGINT)
        self.assertEqual(status, 0, err)
        self.assertIn(b"followed up to revision", out)

    def test_migrate_mixes_with_nothing(self):
        self.source.run("put", "a", "1")
        self.destination.run("put", "there", "2")
        done = self.source.run("migrate", "--to", self.to)
        self.assertEqual(done.returncode, 1)
        self.assertIn("--force", done.stderr)
        self.assertEqual(self.source.run("migrate", "--to", self.to, "--force").returncode, 0)
        self.assertEqual(self.contents(self.destination), "a\n1\nthere\n2\n")

    def test_mistakes(self):
        for arguments, message in ((["make-mirror"], "takes one destination"), (["migrate"], "--to"),
                                   (["make-mirror", self.to, "--dest-prefix", "a", "--no-dest-prefix"], "choose one"),
                                   (["make-mirror", self.to, "--dest-cert", "x"], "belong together"),
                                   (["make-mirror", self.to, "--max-txn-ops", "0"], "at least 1")):
            done = self.source.run(*arguments)
            self.assertEqual(done.returncode, 128, done.stderr)
            self.assertIn(message, done.stderr)


class CheckTest(TwoTools):
    def test_perf(self):
        done = self.minigrpc.run("check", "perf", "--duration", "1s", "--auto-compact", "--auto-defrag")
        self.assertRegex(done.stdout, r"(PASS: Throughput is|FAIL: Throughput too low:) \d+ writes/s\n")
        self.assertRegex(done.stdout, r"Slowest request took (too long: )?\d+\.\d{6}s\n")
        self.assertRegex(done.stdout, r"Stddev (is|too high:) \d+\.\d{6}s\n")
        self.assertIn(done.returncode, (0, 1))
        self.assertTrue(done.stdout.endswith("PASS\n" if done.returncode == 0 else "FAIL\n"), done.stdout)
        self.assertEqual(self.minigrpc.run("get", "--prefix", "/etcdctl-check-perf/").stdout, "")

    def test_perf_keeps_what_was_there(self):
        self.minigrpc.run("put", "mine/a", "1")
        done = self.minigrpc.run("check", "perf", "--prefix", "mine/")
        self.assertEqual(done.returncode, 3, done.stderr)
        self.assertEqual(self.minigrpc.run("get", "mine/a").stdout, "mine/a\n1\n")

    def test_perf_that_is_interrupted_deletes_its_keys(self):
        checking = self.minigrpc.start("check", "perf")
        eventually("keys", lambda: self.minigrpc.run("get", "--prefix", "/etcdctl-check-perf/", "--keys-only").stdout)
        _, err, status = finish(checking, signal.SIGINT)
        self.assertEqual(status, 5, err)
        self.assertEqual(self.minigrpc.run("get", "--prefix", "/etcdctl-check-perf/").stdout, "")

    def test_datascale(self):
        done = self.minigrpc.run("check", "datascale")
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertRegex(done.stdout, r"^Start data scale check for work load \[10000 key-value pairs, 1024 bytes per key-value, "
                                      r"50 concurrent clients\]\.\nPASS: Approximate system memory used : -?\d+\.\d\d MB\.\n$")

    def test_mistakes(self):
        for what in ("perf", "datascale"):
            self.assertEqual(self.minigrpc.run("check", what, "--load", "zz").returncode,
                             self.etcdctl.run("check", what, "--load", "zz").returncode)


class CompletionTest(unittest.TestCase):
    def complete(self, *words):
        """What bash offers for the last of the words."""
        script = subprocess.run([OPTIONS.minigrpc, "completion", "bash"], capture_output=True, text=True, check=True, env=NO_PROXY)
        quoted = " ".join(f"'{word}'" for word in ("minigrpc", *words))
        asked = f"{script.stdout}\nCOMP_WORDS=({quoted}); COMP_CWORD={len(words)}; _minigrpc; echo \"${{COMPREPLY[@]}}\""
        done = subprocess.run(["bash", "-c", asked], capture_output=True, text=True, timeout=TIMEOUT_S)
        self.assertEqual((done.stderr, done.returncode), ("", 0))
        return done.stdout.split()

    def test_bash(self):
        self.assertIn("watch", self.complete(""))
        self.assertEqual(self.complete("lea"), ["lease"])
        self.assertEqual(sorted(self.complete("lease", "")), ["grant", "keep-alive", "list", "revoke", "timetolive"])
        self.assertEqual(self.complete("--endpoints", "x", "lease", "ti"), ["timetolive"])
        self.assertEqual(self.complete("get", "--keys"), ["--keys-only"])
        self.assertEqual(self.complete("lease", "keep-alive", "--onc"), ["--once"])
        self.assertIn("--command-timeout", self.complete("get", "--"))
        self.assertEqual(self.complete("get", "x"), [])

    def test_others_are_there(self):
        for shell in ("zsh", "fish"):
            done = subprocess.run([OPTIONS.minigrpc, "completion", shell], capture_output=True, text=True, env=NO_PROXY)
            self.assertEqual(done.returncode, 0)
            self.assertIn("keep-alive", done.stdout)


def main():
    global OPTIONS
    parser = argparse.ArgumentParser()
    parser.add_argument("--minigrpc", required=True)
    parser.add_argument("--minigrpcd", help="instead of etcd")
    parser.add_argument("--etcdctl", default="/usr/bin/etcdctl")
    OPTIONS, rest = parser.parse_known_args()
    cli_test.OPTIONS = OPTIONS
    unittest.main(argv=[sys.argv[0], *rest])


if __name__ == "__main__":
    main()
