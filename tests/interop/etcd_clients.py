#!/usr/bin/env python3
"""Other ecosystems' clients of etcd, taken through minigrpcd, and with the same expectations through a real etcd.

  etcd_clients.py --build BUILD all | go | node      says what it leaves out, and why

go is etcd's own clientv3 with its concurrency and naming packages, node is npm's etcd3. Each is a test program in the
manner of its language; their cases are told one by one, with how long they took. A case that fails against one registry
and is not named in known_failures.txt, a case that was not run against both, and a program that ends as it should not are
failures; so is a known failure that passes.
"""

import argparse
import os
import pathlib
import re
import shutil
import subprocess
import sys
import threading

import run

sys.path.insert(0, str(run.HERE.parent / "support"))
from registry_process import RegistryProcess  # noqa: E402

PROGRAM_TIMEOUT_S = 300


class Go:
    def __init__(self, build):
        self.program = run.prepare_go(build) / "etcdclient"
        self.bin = build / "bin"

    def command(self, endpoint):
        return [self.program, "-test.v", "-endpoint", endpoint, "-bin", self.bin], {}

    @staticmethod
    def cases(lines):
        """What `go test -v` says: (name, passed, seconds, why) of each case, as they end."""
        why = []
        for line in lines:
            ended = re.match(r"--- (\w+): (\w+) \(([\d.]+)s\)", line)
            if ended:
                yield ended[2], ended[1] == "PASS", float(ended[3]), " ".join(why)
            if ended or line.startswith("=== RUN"):
                why = []
            else:
                why.append(line.strip())


class Node:
    def __init__(self, _):
        run.prepare_node()

    def command(self, endpoint):
        return ["node", "--test-reporter=tap", run.HERE / "node" / "etcd3_test.js"], {"ENDPOINT": endpoint}

    @staticmethod
    def cases(lines):
        """What Node's test runner says in TAP: the result, then how long it took, and the error."""
        name, passed, seconds, why = "", False, 0.0, ""
        for line in lines:
            result = re.match(r"(not )?ok \d+ - (\w+)", line)
            if result:
                name, passed, why = result[2], not result[1], ""
            elif name and line.startswith("  duration_ms: "):
                seconds = float(line.partition(": ")[2]) / 1000
            elif name and line.startswith("  error: "):
                why = line.partition(": ")[2].strip()
            elif name and line.startswith("  ..."):
                yield name, passed, seconds, why
                name = ""


CLIENTS = {"go": Go, "node": Node}
REGISTRIES = ["minigrpcd", "etcd"]


def start(registry, build):
    if registry == "minigrpcd":
        return RegistryProcess.minigrpcd(build / "bin" / "minigrpcd")
    if not shutil.which("etcd"):
        raise run.Unavailable("it is not installed")
    return RegistryProcess.etcd()


def run_program(name, client, registry, build):
    """Runs all cases; {case: whether it is as expected}, printed as they end."""
    known = run.known_failures(name, registry)
    verdicts = {}
    expected_status = 0
    with start(registry, build) as serving:
        print(f"{name}'s client of {registry}", flush=True)
        command, environment = client.command(serving.endpoint)
        process = subprocess.Popen(command, env={**os.environ, **environment}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                   text=True)
        timer = threading.Timer(PROGRAM_TIMEOUT_S, process.kill)
        timer.start()
        output = []
        lines = (output.append(line) or line for line in process.stdout)
        for case, passed, seconds, why in client.cases(lines):
            expected_status = expected_status if passed else 1
            if case in known:
                verdict, why = ("UNEXPECTED", "passes, but known_failures.txt says: " + known[case]) if passed else \
                               ("known", known[case])
            else:
                verdict = "ok" if passed else "FAIL"
            verdicts[case] = verdict in ("ok", "known")
            print(f"  {verdict:10} {case:35} {seconds:6.2f} s" + (f": {why}" if why and verdict != "ok" else ""), flush=True)
        status = process.wait()
        timer.cancel()
        if status != expected_status:
            verdicts["(program)"] = False
            print(f"  FAIL       it ended with status {status}:\n{''.join(output[-20:])}")
        if serving.process.poll() is not None:
            verdicts["(registry)"] = False
            print(f"  FAIL       the registry died with status {serving.process.returncode}:\n{''.join(serving.log[-20:])}")
    return verdicts


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=pathlib.Path, required=True)
    parser.add_argument("peers", nargs="*", default=["all"])
    options = parser.parse_args()
    build = options.build.resolve()
    good = True
    for name in CLIENTS if "all" in options.peers else options.peers:
        results = {}
        try:
            if name not in CLIENTS:
                raise run.Unavailable("there is no client of etcd of it here")
            client = CLIENTS[name](build)
        except run.Unavailable as why:
            print(f"left out: {name}: {why}", flush=True)
            continue
        for registry in REGISTRIES:
            try:
                results[registry] = run_program(name, client, registry, build)
            except run.Unavailable as why:
                print(f"left out: {name}'s client of {registry}: {why}", flush=True)
        ran = set().union(*results.values())
        for registry, verdicts in results.items():
            for case in sorted(ran - set(verdicts)):
                verdicts[case] = False
                print(f"  FAIL       {case} was not run against {registry}")
            passed = list(verdicts.values()).count(True)
            print(f"{name}'s client of {registry}: {passed} of {len(verdicts)} cases are as expected")
            good = good and verdicts and all(verdicts.values())
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
