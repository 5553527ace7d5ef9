#!/usr/bin/env python3
"""minigrpc bench against Python's grpcio, which can stall.

    cli_bench_test.py --minigrpc build/bin/minigrpc
"""
import argparse
import json
import os
import pty
import signal
import subprocess
import sys
import time
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
OPTIONS = None
TIMEOUT_S = 60
CLEAN = {name: value for name, value in os.environ.items()
         if not name.startswith(("ETCDCTL_", "MINIGRPC_")) and not name.lower().endswith("_proxy")}
INTEROP = os.path.join(HERE, "..", "interop")


class BenchTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = subprocess.Popen([sys.executable, "-B", os.path.join(INTEROP, "python", "server.py")],
                                      stdout=subprocess.PIPE, text=True, env=CLEAN)
        cls.address = "127.0.0.1:" + cls.server.stdout.readline().split()[1]

    @classmethod
    def tearDownClass(cls):
        cls.server.kill()
        cls.server.wait()
        cls.server.stdout.close()

    def command(self, method, *arguments):
        return [OPTIONS.minigrpc, "bench", self.address, f"Peer/{method}", "--proto", os.path.join(INTEROP, "peer.proto"),
                "--dial-timeout", "20s", *arguments]

    def run_bench(self, method, *arguments, status=0, stdin=""):
        done = subprocess.run(self.command(method, *arguments), input=stdin, capture_output=True, text=True,
                              timeout=TIMEOUT_S, env=CLEAN)
        self.assertEqual(done.returncode, status, (arguments, done.stdout, done.stderr))
        return done

    def bench(self, method, *arguments, **options):
        return json.loads(self.run_bench(method, *arguments, "-o", "json", **options).stdout)

    def test_makes_so_many_calls(self):
        told = self.bench("Unary", '{"payload":"YWJj"}', "--requests", "101", "--connections", "2", "--threads", "2",
                          "--streams", "3")
        self.assertEqual((told["calls"], told["failed"], told["statuses"]), (101, 0, {"OK": 101}))
        self.assertEqual((told["messages_sent"], told["messages_received"]), (101, 101))
        self.assertEqual(sum(row["count"] for row in told["histogram"]), 101)
        latency = told["latency_ms"]
        ladder = [latency[name] for name in ("min", "p50", "p75", "p90", "p95", "p99", "p99.9", "p99.99", "max")]
        self.assertEqual(ladder, sorted(ladder))
        self.assertGreater(ladder[0], 0)

    def test_takes_so_long(self):
        start = time.monotonic()
        told = self.bench("Unary", "--duration", "1s", "--warmup", "200ms", "--streams", "2")
        self.assertGreaterEqual(time.monotonic() - start, 1.2)
        self.assertGreaterEqual(told["took_s"], 1)
        self.assertGreater(told["calls"], 10)

    def test_all_kinds_of_calls(self):
        told = self.bench("Feed", '{"response_count":5}', "--requests", "10")
        self.assertEqual((told["kind"], told["messages_sent"], told["messages_received"]), ("server streaming", 10, 50))
        told = self.bench("Collect", "{}{}", "--requests", "10")
        self.assertEqual((told["kind"], told["messages_sent"], told["messages_received"]), ("client streaming", 20, 10))
        for how in ([], ["--ping-pong"]):
            told = self.bench("Chat", '{"response_count":1}', "--messages", "7", "--requests", "10", *how)
            self.assertEqual((told["kind"], told["messages_sent"], told["messages_received"]), ("bidirectional", 70, 70))

    def test_templates_make_each_request_its_own(self):
        """The server fails each call with its own number; grpcio makes UNKNOWN of 0."""
        told = self.bench("Unary", '{"fail":{"code":{{n}}, "message":"m{{n}}-{{string 3}}"}}', "--requests", "4", "--streams", "1",
                          status=1)
        self.assertEqual(told["statuses"], {"CANCELLED": 1, "UNKNOWN": 2, "INVALID_ARGUMENT": 1})
        self.assertRegex(told["failures"]["INVALID_ARGUMENT"], r"^m3-[a-z]{3}$")

    def test_documents_take_turns(self):
        told = self.bench("Unary", '{"fail":{"code":5}}{}{}', "--requests", "9", status=1)
        self.assertEqual(told["statuses"], {"OK": 6, "NOT_FOUND": 3})

    def test_a_rate_is_kept(self):
        told = self.bench("Unary", "--rate", "100", "--duration", "2s", "--warmup", "0", "--streams", "10")
        self.assertLess(abs(told["calls_per_s"] - 100), 15)

    def test_a_stall_shows_in_an_open_loop(self):
        """Every call takes 100 ms, and 2 callers make 20 a second where 40 are due: those wait longer and longer."""
        stalled = ['{"delay_ms":100}', "--streams", "2", "--duration", "2s", "--warmup", "0"]
        closed = self.bench("Unary", *stalled)
        opened = self.bench("Unary", *stalled, "--rate", "40")
        self.assertLess(closed["latency_ms"]["p50"], 400)
        self.assertGreater(opened["latency_ms"]["max"], 700)
        self.assertGreater(opened["never_begun"], 10)
        self.assertEqual(closed["never_begun"], 0)

    def test_ctrl_c_shows_the_result_so_far(self):
        process = subprocess.Popen(self.command("Unary", '{"delay_ms":20}', "-o", "json", "--duration", "1h", "--warmup", "0"),
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=CLEAN)
        time.sleep(1)
        start = time.monotonic()
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=TIMEOUT_S)
        self.assertLess(time.monotonic() - start, 5)
        self.assertEqual(process.returncode, 0, err)
        told = json.loads(out)
        self.assertTrue(told["interrupted"])
        self.assertGreater(told["calls"], 0)
        self.assertEqual(told["failed"], 0)

    def test_calls_that_run_out_of_time_count(self):
        told = self.bench("Unary", '{"delay_ms":5000}', "--timeout", "100ms", "--requests", "3", status=1)
        self.assertEqual(told["statuses"], {"DEADLINE_EXCEEDED": 3})
        self.assertGreaterEqual(told["latency_ms"]["min"], 90)

    def test_text(self):
        text = self.run_bench("Unary", "--requests", "50").stdout
        self.assertIn("minigrpc.interop.Peer/Unary (unary)", text)
        self.assertRegex(text, r"\n  p99 +[0-9.]+ ms\n")
        self.assertRegex(text, r"\n  OK  50\n")
        self.assertNotIn("\033", text)

    def test_progress_shows_at_a_terminal_only(self):
        terminal_end, process_end = pty.openpty()
        self.addCleanup(os.close, terminal_end)
        process = subprocess.Popen(self.command("Unary", "--duration", "2s", "--warmup", "0", "-o", "json"),
                                   stdout=subprocess.PIPE, stderr=process_end, env=CLEAN)
        os.close(process_end)
        out, _ = process.communicate(timeout=TIMEOUT_S)
        shown = os.read(terminal_end, 65536).decode()
        self.assertRegex(shown, r"calls/s +p50 [0-9.]+ ms")
        self.assertGreater(json.loads(out)["calls"], 0)
        self.assertEqual(self.run_bench("Unary", "--duration", "2s", "--warmup", "0").stderr, "")

    def test_mistakes(self):
        for arguments, message in ((["--connections", "0"], "at least 1"), (["--threads", "2"], "belongs to one thread"),
                                   (["{"], "JSON"), (['{"x":1}'], "JSON does not fit"), (["{{what}}"], "is no place"),
                                   (["-o", "xml"], "text or json"), (["--rate", "-1"], "negative")):
            done = self.run_bench("Unary", *arguments, status=128)
            self.assertIn(message, done.stderr)
        done = subprocess.run([OPTIONS.minigrpc, "bench", "127.0.0.1:1", "grpc.health.v1.Health/Check", "--dial-timeout", "500ms"],
                              capture_output=True, text=True, timeout=TIMEOUT_S, env=CLEAN)
        self.assertEqual(done.returncode, 2, done.stderr)
        self.assertIn("--dial-timeout", done.stderr)

    def test_nobody_at_the_target(self):
        # Of the target that was named, not of the registry that was not.
        for arguments in (["bench", "127.0.0.1:1", "Shop/Sell"], ["list", "127.0.0.1:1"], ["channelz", "127.0.0.1:1"]):
            done = subprocess.run([OPTIONS.minigrpc, *arguments], capture_output=True, text=True, timeout=TIMEOUT_S, env=CLEAN)
            self.assertEqual(done.returncode, 1, done)
            self.assertIn("127.0.0.1:1: Connection refused\nNobody answers there.", done.stderr)
            self.assertNotIn("2379", done.stderr)


def main():
    global OPTIONS
    parser = argparse.ArgumentParser()
    parser.add_argument("--minigrpc", required=True)
    OPTIONS, rest = parser.parse_known_args()
    unittest.main(argv=[sys.argv[0], *rest])


if __name__ == "__main__":
    main()
