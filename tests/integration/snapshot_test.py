#!/usr/bin/env python3
"""The way to a cluster and back is one file: snapshots between minigrpcd and a real etcd, by minigrpc and etcdctl.

    snapshot_test.py --minigrpcd build/bin/minigrpcd --minigrpc build/bin/minigrpc
"""
import argparse
import base64
import concurrent.futures
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from registry_process import DidNotStart, RegistryProcess, free_port  # noqa: E402

OPTIONS = None
TIMEOUT_S = 60


def run(*command, status=0):
    done = subprocess.run(command, env={**os.environ, "ETCDCTL_API": "3"}, text=True, capture_output=True,
                          timeout=TIMEOUT_S)
    assert done.returncode == status, f"{command}: {done.returncode}, {done.stdout}{done.stderr}"
    return done.stdout if status == 0 else done.stderr


def decoded(text):
    return base64.b64decode(text).decode()


def ctl(endpoint, *arguments, status=0):
    return run(OPTIONS.etcdctl, "--endpoints", endpoint, *arguments, status=status)


def minigrpc(*arguments, status=0):
    return run(OPTIONS.minigrpc, *arguments, status=status)


def contents(endpoint):
    """Every key with its revisions and its lease, and the store's revision."""
    answer = json.loads(ctl(endpoint, "get", "--from-key", "", "-w", "json"))
    return answer["header"]["revision"], answer.get("kvs", [])


def leases(endpoint):
    found = {}
    for line in ctl(endpoint, "lease", "list").split("\n")[1:]:
        if line:
            answer = json.loads(ctl(endpoint, "lease", "timetolive", line, "--keys", "-w", "json"))
            found[line] = (answer["granted-ttl"], sorted(answer["keys"] or []))
    return found


def fill(endpoint):
    """Keys with a past: changed, deleted, made again, with leases, some of it compacted. The revisions of the compaction,
    and before the last deletion."""
    for i in range(6):
        ctl(endpoint, "put", f"shop/{i % 3}", f"value {i}")
    ctl(endpoint, "del", "shop/0")
    ctl(endpoint, "put", "shop/0", "again")
    ctl(endpoint, "put", "large", "x" * 100_000)
    lease = ctl(endpoint, "lease", "grant", "3600").split()[1]
    ctl(endpoint, "lease", "grant", "7200")
    ctl(endpoint, "put", "--lease", lease, "leased", "1")
    compacted = contents(endpoint)[0]
    ctl(endpoint, "compaction", str(compacted))
    ctl(endpoint, "put", "shop/1", "after the compaction")
    ctl(endpoint, "del", "shop/2")
    return compacted, compacted + 1


class SnapshotCase(unittest.TestCase):
    def setUp(self):
        self.directory = tempfile.mkdtemp(prefix="snapshot-test-")
        self.addCleanup(shutil.rmtree, self.directory, ignore_errors=True)

    def path(self, name):
        return os.path.join(self.directory, name)

    def minigrpcd(self, *arguments, data_dir=None):
        registry = RegistryProcess.minigrpcd(OPTIONS.minigrpcd, data_dir=data_dir, arguments=arguments)
        self.addCleanup(registry.__exit__)
        return registry

    def etcd(self):
        registry = RegistryProcess.etcd(OPTIONS.etcd)
        self.addCleanup(registry.__exit__)
        return registry

    def restored_etcd(self, snapshot, names):
        """A cluster of these members, from one file."""
        peers = {name: f"http://127.0.0.1:{free_port()}" for name in names}
        initial = ",".join(f"{name}={url}" for name, url in peers.items())

        def start(name):
            data_dir = tempfile.mkdtemp(dir=self.directory) + "/data"
            run(OPTIONS.etcdctl, "snapshot", "restore", snapshot, "--data-dir", data_dir, "--name", name,
                "--initial-cluster", initial, "--initial-advertise-peer-urls", peers[name])
            client = f"127.0.0.1:{free_port()}"
            member = RegistryProcess(
                [OPTIONS.etcd, "--name", name, "--data-dir", data_dir, "--listen-client-urls", f"http://{client}",
                 "--advertise-client-urls", f"http://{client}", "--listen-peer-urls", peers[name],
                 "--initial-advertise-peer-urls", peers[name], "--initial-cluster", initial], endpoint=client)
            self.addCleanup(member.__exit__)
            return member

        # None is ready before most of them are.
        with concurrent.futures.ThreadPoolExecutor(len(names)) as pool:
            return list(pool.map(start, names))


class SnapshotTest(SnapshotCase):
    def assert_goes_on(self, endpoint, before, leases_before, past):
        compacted, before_deletion = past
        self.assertEqual(contents(endpoint), before)
        self.assertEqual(leases(endpoint), leases_before)
        self.assertIn("required revision has been compacted",
                      ctl(endpoint, "get", "shop/1", "--rev", str(compacted - 1), status=1))
        # What was deleted after the compaction is still there before.
        self.assertEqual(ctl(endpoint, "get", "shop/2", "--rev", str(before_deletion)), "shop/2\nvalue 5\n")
        ctl(endpoint, "put", "new", "1")
        self.assertEqual(contents(endpoint)[0], before[0] + 1)

    def test_both_command_lines_save_and_tell_the_same(self):
        registry = self.minigrpcd()
        fill(registry.endpoint)
        theirs, ours = self.path("theirs.db"), self.path("ours.db")
        self.assertEqual(ctl(registry.endpoint, "snapshot", "save", theirs), f"Snapshot saved at {theirs}\n")
        self.assertEqual(minigrpc("--endpoints", registry.endpoint, "snapshot", "save", ours),
                         f"Snapshot saved at {ours}\n")
        with open(theirs, "rb") as a, open(ours, "rb") as b:
            self.assertEqual(a.read(), b.read())
        for form in ("simple", "table", "json", "fields"):
            self.assertEqual(minigrpc("snapshot", "status", theirs, "-w", form),
                             run(OPTIONS.etcdctl, "snapshot", "status", theirs, "-w", form))
        self.assertEqual(json.loads(minigrpc("snapshot", "status", ours, "-w", "json"))["revision"],
                         contents(registry.endpoint)[0])
        self.assertEqual(sorted(os.listdir(self.directory)), ["ours.db", "theirs.db"])

    def test_status_of_a_real_etcds_snapshot(self):
        registry = self.etcd()
        fill(registry.endpoint)
        ctl(registry.endpoint, "snapshot", "save", self.path("s.db"))
        for form in ("simple", "table", "json", "fields"):
            self.assertEqual(minigrpc("snapshot", "status", self.path("s.db"), "-w", form),
                             run(OPTIONS.etcdctl, "snapshot", "status", self.path("s.db"), "-w", form))

    def test_a_cluster_starts_from_it_and_goes_on_and_back_again(self):
        registry = self.minigrpcd()
        past = fill(registry.endpoint)
        before, leases_before = contents(registry.endpoint), leases(registry.endpoint)
        ctl(registry.endpoint, "snapshot", "save", self.path("out.db"))
        members = self.restored_etcd(self.path("out.db"), ["a", "b", "c"])
        self.assert_goes_on(members[0].endpoint, before, leases_before, past)
        for member in members[1:]:
            self.assertEqual(contents(member.endpoint), contents(members[0].endpoint))

        moved, moved_leases = contents(members[1].endpoint), leases(members[1].endpoint)
        ctl(members[1].endpoint, "snapshot", "save", self.path("back.db"))
        back = self.minigrpcd("--restore", self.path("back.db"))
        self.assert_goes_on(back.endpoint, moved, moved_leases, past)
        # Compaction works on what was restored, and a watch from before hears of it.
        ctl(back.endpoint, "compaction", str(contents(back.endpoint)[0]))
        self.assertIn("required revision has been compacted",
                      ctl(back.endpoint, "get", "shop/1", "--rev", str(moved[0]), status=1))

    def test_a_large_snapshot(self):
        registry = self.minigrpcd()
        value = "v" * 700
        for start in range(0, 3000, 100):
            text = "\n" + "".join(f"put many/{i:06} {value}\n" for i in range(start, start + 100)) + "\n\n"
            subprocess.run([OPTIONS.etcdctl, "--endpoints", registry.endpoint, "txn"], input=text, text=True, check=True,
                           env={**os.environ, "ETCDCTL_API": "3"}, stdout=subprocess.DEVNULL, timeout=TIMEOUT_S)
        ctl(registry.endpoint, "snapshot", "save", self.path("s.db"))
        self.assertGreater(os.path.getsize(self.path("s.db")), 2_000_000)
        # status checks every page, as bbolt does.
        self.assertEqual(json.loads(run(OPTIONS.etcdctl, "snapshot", "status", self.path("s.db"), "-w",
                                        "json"))["revision"], contents(registry.endpoint)[0])
        member, = self.restored_etcd(self.path("s.db"), ["m"])
        self.assertEqual(contents(member.endpoint), contents(registry.endpoint))

    def test_a_file_copied_from_a_data_directory(self):
        registry = self.etcd()
        past = fill(registry.endpoint)
        before, leases_before = contents(registry.endpoint), leases(registry.endpoint)
        registry.stop()
        shutil.copy(os.path.join(registry.temporary, "member/snap/db"), self.path("db"))
        with self.assertRaisesRegex(DidNotStart, "snapshot missing hash but --skip-hash-check=false"):
            self.minigrpcd("--restore", self.path("db"))
        back = self.minigrpcd("--restore", self.path("db"), "--skip-hash-check")
        self.assert_goes_on(back.endpoint, before, leases_before, past)

    def test_a_bumped_revision(self):
        registry = self.minigrpcd()
        fill(registry.endpoint)
        revision, keys = contents(registry.endpoint)
        minigrpc("--endpoints", registry.endpoint, "snapshot", "save", self.path("s.db"))
        said = minigrpc("snapshot", "restore", self.path("s.db"), "--data-dir", self.path("data"), "--bump-revision",
                        "5000", "--mark-compacted")
        self.assertIn(f"at revision {revision + 5000}\n", said)
        restored = self.minigrpcd(data_dir=self.path("data"))
        self.assertEqual(contents(restored.endpoint), (revision + 5000, keys))
        self.assertIn("required revision has been compacted",
                      ctl(restored.endpoint, "get", "shop/1", "--rev", str(revision), status=1))
        # The revision does not run backwards on the way to etcd either.
        ctl(restored.endpoint, "snapshot", "save", self.path("bumped.db"))
        member, = self.restored_etcd(self.path("bumped.db"), ["m"])
        self.assertEqual(contents(member.endpoint), (revision + 5000, keys))

    def test_hot_copies(self):
        data_dir = self.path("data")
        registry = self.minigrpcd("--snapshot-count", "10", data_dir=data_dir)
        copies = os.path.join(data_dir, "snapshots")
        seen = []
        while len(seen) < 7:
            for i in range(10):
                ctl(registry.endpoint, "put", f"k{i}", str(len(seen)))
            deadline = time.monotonic() + TIMEOUT_S
            while (found := sorted(os.listdir(copies)) if os.path.isdir(copies) else [])[-1:] == seen[-1:]:
                self.assertLess(time.monotonic(), deadline, f"no new copy after {found}")
                time.sleep(0.1)
            seen += found[-1:]
        deadline = time.monotonic() + TIMEOUT_S
        while len(found := [name for name in sorted(os.listdir(copies)) if name.endswith(".db")]) != 5:
            self.assertLess(time.monotonic(), deadline, f"there are {found}")
        newest = os.path.join(copies, found[-1])
        revision = int(found[-1].removesuffix(".db"))
        expected = json.loads(ctl(registry.endpoint, "get", "--from-key", "", "--rev", str(revision), "-w", "json"))
        restored = self.minigrpcd("--restore", newest)
        self.assertEqual(contents(restored.endpoint), (revision, expected["kvs"]))

    def test_what_cannot_be_restored_says_why(self):
        registry = self.minigrpcd()
        fill(registry.endpoint)
        minigrpc("--endpoints", registry.endpoint, "snapshot", "save", self.path("s.db"))
        with open(self.path("s.db"), "rb") as file:
            whole = file.read()
        damaged = bytearray(whole)
        damaged[len(whole) // 2] ^= 255
        for name, content, why in (("cut.db", whole[:5000], "snapshot missing hash"),
                                   ("damaged.db", damaged, "expected sha256"),
                                   ("text.db", b"hello" * 100, "snapshot missing hash")):
            with open(self.path(name), "wb") as file:
                file.write(content)
            self.assertIn(why, minigrpc("snapshot", "restore", self.path(name), "--data-dir", self.path("d"), status=1))
            self.assertFalse(os.path.exists(self.path("d")))
        self.assertIn("not a bbolt database", minigrpc("snapshot", "status", self.path("text.db"), status=1))
        self.assertIn("No such file", minigrpc("snapshot", "restore", self.path("none.db"), status=1))
        with self.assertRaisesRegex(DidNotStart, "has data"):
            taken = self.path("taken")
            minigrpc("snapshot", "restore", self.path("s.db"), "--data-dir", taken)
            self.minigrpcd("--restore", self.path("s.db"), data_dir=taken)
        nobody = f"127.0.0.1:{free_port()}"
        self.assertIn("Error:", minigrpc("--endpoints", nobody, "snapshot", "save", self.path("no.db"), status=5))
        self.assertFalse(os.path.exists(self.path("no.db")) or os.path.exists(self.path("no.db.part")))


class Load:
    """Puts without a pause, until it is stopped."""

    def __init__(self, endpoint):
        self.stopping = threading.Event()
        self.count = 0
        self.thread = threading.Thread(target=self.run, args=(endpoint,))
        self.thread.start()

    def run(self, endpoint):
        while not self.stopping.is_set():
            puts = "".join(f"put load/{self.count % 50}/{i} {self.count}\n" for i in range(20))
            subprocess.run([OPTIONS.etcdctl, "--endpoints", endpoint, "txn"], input=f"\n{puts}\n\n", text=True, check=True,
                           env={**os.environ, "ETCDCTL_API": "3"}, stdout=subprocess.DEVNULL, timeout=TIMEOUT_S)
            self.count += 1

    def wait_for(self, count):
        deadline = time.monotonic() + TIMEOUT_S
        while self.count < count:
            assert time.monotonic() < deadline and self.thread.is_alive(), "the load stands still"
            time.sleep(0.02)

    def stop(self):
        self.stopping.set()
        self.thread.join()


class OutgrowingOneMachineTest(SnapshotCase):
    """A shop that moves from minigrpcd to a cluster of three and back, by one file and a changed address each time."""

    def provider(self, registry, port):
        process = subprocess.Popen([os.path.join(OPTIONS.bin, "provider"), "--listen", f"127.0.0.1:{port}", "--registry",
                                    registry], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return process

    def consumer(self, registry, count):
        process = subprocess.Popen([os.path.join(OPTIONS.bin, "consumer"), "--registry", registry, "--count", str(count),
                                    "--interval", "10ms"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        self.addCleanup(process.stdout.close)
        return process

    def at(self, endpoint, revision):
        answer = json.loads(ctl(endpoint, "get", "--from-key", "", "--rev", str(revision), "-w", "json"))
        return answer.get("kvs", [])

    def move(self, source, start_target, name, provider, port):
        """Saves from `source` under load, starts what comes after it, moves the provider and a consumer there."""
        busy = self.consumer(source, 200)
        load = Load(source.split(",")[0])
        try:
            load.wait_for(10)
            ctl(source.split(",")[0], "snapshot", "save", self.path(name))
            load.wait_for(load.count + 10)
        finally:
            load.stop()
        revision = json.loads(minigrpc("snapshot", "status", self.path(name), "-w", "json"))["revision"]
        expected = self.at(source.split(",")[0], revision)
        self.assertGreater(len(expected), 200)
        target = start_target(self.path(name))
        first = target.split(",")[0]
        # The provider's key came with its lease, which nobody renews here yet.
        self.assertEqual(self.at(first, revision), expected)
        # All calls until here were answered, with the last one by who is about to move.
        self.assertEqual((busy.stdout.read(), busy.wait(TIMEOUT_S)), ("80\n", 0))
        provider.send_signal(signal.SIGTERM)
        self.assertEqual(provider.wait(TIMEOUT_S), 0)
        moved = self.provider(target, port)
        asking = self.consumer(target, 50)
        self.assertEqual((asking.stdout.read(), asking.wait(TIMEOUT_S)), ("80\n", 0))
        after = contents(first)
        self.assertGreater(after[0], revision)
        unchanged = [kv for kv in expected if decoded(kv["key"]).startswith("load/")]
        self.assertEqual([kv for kv in after[1] if decoded(kv["key"]).startswith("load/")], unchanged)
        return target, moved

    def test_to_a_cluster_and_back(self):
        home = self.minigrpcd().endpoint
        port = free_port()
        provider = self.provider(home, port)
        cluster, provider = self.move(
            home, lambda file: ",".join(member.endpoint for member in self.restored_etcd(file, ["a", "b", "c"])), "out.db",
            provider, port)
        home, provider = self.move(cluster, lambda file: self.minigrpcd("--restore", file).endpoint, "back.db", provider, port)
        provider.send_signal(signal.SIGTERM)
        self.assertEqual(provider.wait(TIMEOUT_S), 0)


def main():
    global OPTIONS
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minigrpcd", required=True)
    parser.add_argument("--minigrpc", required=True)
    parser.add_argument("--bin", default="build/bin")
    parser.add_argument("--etcdctl", default="etcdctl")
    parser.add_argument("--etcd", default="etcd")
    OPTIONS, rest = parser.parse_known_args()
    unittest.main(argv=sys.argv[:1] + rest)


if __name__ == "__main__":
    main()
