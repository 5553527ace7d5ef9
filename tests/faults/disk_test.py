#!/usr/bin/env python3
"""What minigrpcd does on a disk that is full, read-only or damaged: it says so, keeps what it acknowledged, and serves
nothing that is wrong.

    disk_test.py --program build/bin/minigrpcd --schemas proto
"""
import argparse
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import unittest

import grpc

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from etcd_api import EtcdApi  # noqa: E402
from registry_process import DidNotStart, RegistryProcess  # noqa: E402

OPTIONS = argparse.Namespace()
NOBODY = 65534
PAGE_SIZE = os.sysconf("SC_PAGE_SIZE")


class Disk(unittest.TestCase):
    def setUp(self):
        self.directory = tempfile.mkdtemp(prefix="disk-test-")
        self.addCleanup(shutil.rmtree, self.directory, ignore_errors=True)
        self.data = os.path.join(self.directory, "data")
        self.api = OPTIONS.api

    def start(self, wrapper=()):
        """minigrpcd on our data, as a child of `wrapper`."""
        return RegistryProcess([*wrapper, OPTIONS.program, "--data-dir", self.data, "--listen-client-urls",
                                "http://127.0.0.1:0"])

    def connect(self, registry):
        return self.api.connect(registry.endpoint, (("grpc.use_local_subchannel_pool", 1),))

    def put(self, channel, key, value):
        return channel.kv.Put(self.api.message("etcdserverpb.PutRequest", key=key, value=value), timeout=30)

    def get(self, channel, key):
        return channel.kv.Range(self.api.message("etcdserverpb.RangeRequest", key=key), timeout=30).kvs

    def test_a_full_disk_refuses_writes_and_goes_on_when_there_is_room(self):
        # A file that may not grow: what a full disk is to the process, without root.
        limit = f"ulimit -S -f {3 * 1024}; exec \"$@\""
        acknowledged = {}
        with self.start(["bash", "-c", limit, "bash"]) as registry, self.connect(registry) as channel:
            refusal = None
            for number in range(200):
                key, value = b"k%d" % number, os.urandom(20_000)
                try:
                    self.put(channel, key, value)
                except grpc.RpcError as error:
                    refusal = error
                    break
                acknowledged[key] = value
            self.assertIsNotNone(refusal, "200 writes of 20 kB went into 3 MiB")
            self.assertEqual(refusal.code(), grpc.StatusCode.RESOURCE_EXHAUSTED, refusal.details())
            self.assertRegex(refusal.details(), "room|File too large|No space")
            self.assertGreater(len(acknowledged), 20)
            # Reads go on; and when there is room, so do writes, of the same process.
            for key, value in acknowledged.items():
                self.assertEqual(self.get(channel, key)[0].value, value)
            _, hard = resource.prlimit(registry.process.pid, resource.RLIMIT_FSIZE)
            resource.prlimit(registry.process.pid, resource.RLIMIT_FSIZE, (hard, hard))
            self.put(channel, b"again", b"1")
            acknowledged[b"again"] = b"1"
            registry.kill()
        with self.start() as registry, self.connect(registry) as channel:
            for key, value in acknowledged.items():
                self.assertEqual(self.get(channel, key)[0].value, value)
            self.put(channel, b"more", os.urandom(1_000_000))

    def refused_as_nobody(self, program):
        """Root may write everywhere, so somebody else tries."""
        command = [program, "--data-dir", self.data, "--listen-client-urls", "http://127.0.0.1:0"]
        if os.geteuid() == 0:
            command = ["setpriv", f"--reuid={NOBODY}", "--clear-groups", *command]
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

    def test_a_read_only_directory_is_refused_with_advice(self):
        with self.start() as registry, self.connect(registry) as channel:
            self.put(channel, b"k", b"v")
        os.chmod(self.directory, 0o755)
        program = shutil.copy(OPTIONS.program, self.directory)
        os.chmod(program, 0o755)
        for path in (self.data, *(os.path.join(self.data, name) for name in os.listdir(self.data))):
            os.chmod(path, 0o555 if os.path.isdir(path) else 0o444)
        done = self.refused_as_nobody(program)
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertIn("give this user write permission", done.stderr)

    def fill(self):
        """{key: value}: enough for branch pages."""
        values = {}
        with self.start() as registry, self.connect(registry) as channel:
            calls = []
            for number in range(2000):
                key, value = b"k%04d" % number, random.randbytes(random.choice((20, 200, 3000)))
                values[key] = value
                calls.append(channel.kv.Put.future(self.api.message("etcdserverpb.PutRequest", key=key, value=value)))
            for call in calls:
                call.result(timeout=60)
            registry.stop()
        return values

    def test_damaged_pages_are_never_served(self):
        values = self.fill()
        file = os.path.join(self.data, "data.mdb")
        with open(file, "rb") as stream:
            sound = stream.read()
        outcomes = {"refused": 0, "told": 0, "unharmed": 0, "died": 0}
        for _ in range(OPTIONS.damages):
            page = random.randrange(2, len(sound) // PAGE_SIZE)
            damaged = bytearray(sound)
            begin = page * PAGE_SIZE + random.choice((0, 512, 1024, 3584))
            damaged[begin:begin + 512] = random.choice((bytes(512), random.randbytes(512)))
            with open(file, "wb") as out:
                out.write(damaged)
            try:
                registry = self.start()
            except DidNotStart as refused:
                outcomes["refused"] += 1
                self.assertIn("damaged", str(refused))
                continue
            with registry, self.connect(registry) as channel:
                outcomes[self.read_all(registry, channel, values)] += 1
        print("damaged pages:", outcomes)
        self.assertGreater(outcomes["told"] + outcomes["refused"] + outcomes["died"], 0, "no damage hit anything")

    def test_a_page_that_cannot_be_read_ends_the_process_with_advice(self):
        values = self.fill()
        with self.start() as registry, self.connect(registry) as channel:
            # As a disk that fails: the kernel has no page to give.
            with open(os.path.join(self.data, "data.mdb"), "r+b") as file:
                file.truncate(4 * PAGE_SIZE)
            self.assertEqual(self.read_all(registry, channel, values), "died")
            registry.process.wait(timeout=30)
            self.assertEqual(registry.process.returncode, -signal.SIGBUS)

    def read_all(self, registry, channel, values):
        """What became of it; fails over a value that is not the one that was put."""
        told = False
        calls = {key: channel.kv.Range.future(self.api.message("etcdserverpb.RangeRequest", key=key), timeout=30)
                 for key in values}
        for key, call in calls.items():
            try:
                found = call.result().kvs
            except grpc.RpcError as error:
                if error.code() == grpc.StatusCode.UNAVAILABLE:
                    registry.process.wait(timeout=30)
                    registry.kill()
                    self.assertIn("the database cannot be read", "".join(registry.log))
                    self.assertIn(registry.process.returncode, (-signal.SIGBUS, -signal.SIGSEGV))
                    return "died"
                self.assertEqual(error.code(), grpc.StatusCode.DATA_LOSS, error.details())
                told = True
                continue
            self.assertEqual([one.value for one in found], [values[key]], f"{key} is served wrong")
        return "told" if told else "unharmed"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--program", required=True)
    parser.add_argument("--schemas", required=True)
    parser.add_argument("--damages", type=int, default=12, help="how many pages are damaged, one after the other")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    parser.add_argument("tests", nargs="*")
    options = parser.parse_args(namespace=OPTIONS)
    options.program = os.path.abspath(options.program)
    options.api = EtcdApi(options.schemas)
    print(f"seed {options.seed}", flush=True)
    random.seed(options.seed)
    unittest.main(argv=[sys.argv[0], *options.tests], verbosity=2)


if __name__ == "__main__":
    main()
