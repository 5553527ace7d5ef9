"""The example as its users run it: providers and a consumer, against a real etcd and against minigrpcd.

usage: prod_test.py --bin DIR [--registry etcd|minigrpcd] [unittest's arguments]
"""
import argparse
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from registry_process import RegistryProcess, free_port  # noqa: E402

BIN = None
REGISTRY = None
TIMEOUT_S = 60


def program(name):
    return os.path.join(BIN, name)


def start_registry():
    return RegistryProcess.minigrpcd(program("minigrpcd")) if REGISTRY == "minigrpcd" else RegistryProcess.etcd()


class Provider:
    def __init__(self, *arguments, port=None):
        self.port = port or free_port()
        self.address = f"127.0.0.1:{self.port}"
        self.log = []
        self._changed = threading.Condition()
        self.process = subprocess.Popen([program("provider"), "--listen", self.address, *arguments],
                                        stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self):
        for line in self.process.stderr:
            with self._changed:
                self.log.append(line)
                self._changed.notify_all()

    def said(self, text, timeout_s=TIMEOUT_S):
        with self._changed:
            return self._changed.wait_for(lambda: any(text in line for line in self.log), timeout_s)

    def end(self, number=signal.SIGKILL):
        if self.process.poll() is None:
            self.process.send_signal(number)
        status = self.process.wait(TIMEOUT_S)
        self._reader.join()
        self.process.stderr.close()
        return status

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if not self.process.stderr.closed:
            self.end()


def consume(*arguments):
    return subprocess.run([program("consumer"), "--id", "4", *arguments], capture_output=True, text=True,
                          timeout=TIMEOUT_S)


def who_answered(log):
    return set(re.findall(r"^(\S+) answered", log, re.MULTILINE))


class Prod(unittest.TestCase):
    def assert_80(self, done):
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(done.stdout, "80\n")

    def assert_all_answer(self, registry, wanted):
        """Asks until it is exactly those who answer."""
        end = time.monotonic() + TIMEOUT_S
        while True:
            done = consume("--registry", registry, "--count", "20", "--interval", "5ms")
            self.assert_80(done)
            if who_answered(done.stderr) == wanted:
                return
            self.assertLess(time.monotonic(), end, done.stderr)

    def test_the_consumer_finds_its_provider(self):
        with start_registry() as registry, Provider("--registry", registry.endpoint) as provider:
            self.assertTrue(provider.said("registered ProdService/" + provider.address), provider.log)
            done = consume("--registry", registry.endpoint)
            self.assert_80(done)
            self.assertEqual(who_answered(done.stderr), {provider.address})
            self.assertEqual(provider.end(signal.SIGTERM), 0, provider.log)

    def test_it_goes_on_when_one_of_two_is_killed(self):
        with start_registry() as registry, Provider("--registry", registry.endpoint) as first, \
                Provider("--registry", registry.endpoint) as second:
            self.assertTrue(first.said("registered") and second.said("registered"))
            self.assert_all_answer(registry.endpoint, {first.address, second.address})
            consumer = subprocess.Popen([program("consumer"), "--registry", registry.endpoint, "--id", "4", "--count",
                                         "100", "--interval", "10ms"], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                        text=True)
            log = [consumer.stderr.readline() for _ in range(10)]
            second.end(signal.SIGKILL)
            rest, errors = consumer.communicate(timeout=TIMEOUT_S)
            self.assertEqual(consumer.returncode, 0, errors)
            self.assertEqual(rest, "80\n")
            self.assertEqual(who_answered("".join(log)), {first.address, second.address})
            self.assertEqual(len(re.findall(" answered ", "".join(log) + errors)), 100)
            with Provider("--registry", registry.endpoint, port=second.port) as again:
                self.assertTrue(again.said("registered"), "at once, though its old lease still lives")
                self.assert_all_answer(registry.endpoint, {first.address, second.address})

    def test_nothing_fails_when_one_of_two_leaves(self):
        with start_registry() as registry, Provider("--registry", registry.endpoint) as first, \
                Provider("--registry", registry.endpoint) as second:
            self.assertTrue(first.said("registered") and second.said("registered"))
            consumer = subprocess.Popen([program("consumer"), "--registry", registry.endpoint, "--id", "4", "--count",
                                         "1500", "--interval", "1ms"], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                        text=True)
            log = [consumer.stderr.readline() for _ in range(50)]
            self.assertEqual(second.end(signal.SIGTERM), 0)
            _, errors = consumer.communicate(timeout=TIMEOUT_S)
            self.assertEqual(consumer.returncode, 0, errors)
            self.assertIn(second.address, "".join(log))
            self.assertNotIn("asking again", "".join(log) + errors)

    def test_a_provider_waits_for_its_registry(self):
        registry = start_registry()
        endpoint, command = registry.endpoint, registry.command
        registry.kill()
        with Provider("--registry", endpoint) as provider:
            self.assertTrue(provider.said("does not answer"), provider.log)
            self.assert_80(consume("--target", provider.address))
            if REGISTRY == "minigrpcd":
                command = [word.replace("127.0.0.1:0", endpoint) for word in command]
            with RegistryProcess(command, endpoint=endpoint) as again:
                again.temporary = registry.temporary
                self.assertTrue(provider.said("registered"), provider.log)
                self.assert_80(consume("--registry", endpoint))

    def test_a_provider_leaves_though_its_registry_is_dead(self):
        with start_registry() as registry, Provider("--registry", registry.endpoint) as provider:
            self.assertTrue(provider.said("registered"))
            registry.kill()
            begin = time.monotonic()
            self.assertEqual(provider.end(signal.SIGINT), 0)
            self.assertLess(time.monotonic() - begin, 20)

    def test_the_registry_is_optional(self):
        with Provider("--registry", "none") as provider:
            self.assertTrue(provider.said("serving"))
            self.assert_80(consume("--target", provider.address))
            self.assertEqual(provider.end(signal.SIGTERM), 0)

    def test_bad_flags_are_refused(self):
        for name, arguments, says in [("provider", ["--nonsense"], "there is no --nonsense"),
                                      ("provider", ["--listen"], "--listen wants a value"),
                                      ("provider", ["--listen", "nowhere"], "--listen wants HOST:PORT"),
                                      ("consumer", ["--id", "x"], "--id wants a number, not 'x'"),
                                      ("consumer", ["--interval=5"], "--interval wants a duration"),
                                      ("consumer", ["--count", "0"], "--count wants at least 1")]:
            done = subprocess.run([program(name), *arguments], capture_output=True, text=True, timeout=TIMEOUT_S)
            self.assertEqual(done.returncode, 2, done.stderr)
            self.assertIn(says, done.stderr)
        for name in ["provider", "consumer"]:
            done = subprocess.run([program(name), "--help"], capture_output=True, text=True, timeout=TIMEOUT_S)
            self.assertEqual(done.returncode, 0)
            self.assertIn("--registry", done.stdout)

    def test_a_consumer_that_finds_nobody_says_so(self):
        with start_registry() as registry:
            done = consume("--registry", registry.endpoint)
            self.assertEqual(done.returncode, 1)
            self.assertIn("no instance of ProdService is registered", done.stderr)
            self.assertEqual(done.stdout, "")

    def test_a_port_in_use_is_said(self):
        with Provider("--registry", "none") as provider:
            self.assertTrue(provider.said("serving"))
            done = subprocess.run([program("provider"), "--registry", "none", "--listen", provider.address],
                                  capture_output=True, text=True, timeout=TIMEOUT_S)
            self.assertEqual(done.returncode, 1)
            self.assertIn(str(provider.port), done.stderr)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--bin", required=True)
    parser.add_argument("--registry", choices=["etcd", "minigrpcd"], default="etcd")
    known, rest = parser.parse_known_args()
    BIN, REGISTRY = known.bin, known.registry
    unittest.main(argv=[sys.argv[0], *rest], verbosity=2)
