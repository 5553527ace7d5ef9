#!/usr/bin/env python3
"""gRPC's interoperability cases between minigrpc and other implementations, in both directions.

  run.py --build BUILD minigrpc            minigrpc's two programs
  run.py --build BUILD all | go | …        both directions with each of these peers, in cleartext and under TLS; says what
                                           it leaves out, and why
      --write-table FILE                   writes what came out as a table (docs/conformance.md)

A case fails where its client does not exit with 0. exceptions.txt names the cases that a peer does not have, and why; one
that is named there and passes is a failure, too, so that the list stays true.
"""

import argparse
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from certificates import Certificates  # noqa: E402

HERE = pathlib.Path(__file__).resolve().parent
PEERS = ["minigrpc", "grpcpp", "go", "node"]
TITLES = {"minigrpc": "minigrpc", "grpcpp": "grpc++", "go": "grpc-go", "node": "grpc-js"}
CASE_TIMEOUT_S = 120
START_TIMEOUT_S = 30
TLS_NAME = "shop.example"


class Unavailable(Exception):
    """A peer that this machine cannot run, and why."""


def run_build(command, **options):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=1500, **options)
    if done.returncode != 0:
        sys.exit(f"conformance: {' '.join(map(str, command))} failed:\n{done.stdout}")


class Minigrpc:
    def __init__(self, build):
        self.programs = build / "bin"

    def server(self, port):
        return [self.programs / "interop_server", f"--port={port}"]

    def client(self, port, case):
        return [self.programs / "interop_client", "--server_host=127.0.0.1", f"--server_port={port}", f"--test_case={case}"]


class Go:
    """The two programs of the Go module google.golang.org/grpc/interop."""

    def __init__(self, build):
        if not shutil.which("go"):
            raise Unavailable("go is not installed")
        self.programs = build / "tests" / "conformance" / "go"
        self.programs.mkdir(parents=True, exist_ok=True)
        for name in ["client", "server"]:
            run_build(["go", "build", "-o", self.programs / name, f"google.golang.org/grpc/interop/{name}"], cwd=HERE / "go")

    def server(self, port):
        return [self.programs / "server", f"--port={port}"]

    def client(self, port, case):
        command = [self.programs / "client", "--server_host=127.0.0.1", f"--server_port={port}", f"--test_case={case}"]
        # Its policy that listens to reports of load has to be asked for.
        policy = '--service_config_json={"loadBalancingConfig": [{"test_backend_metrics_load_balancer": {}}]}'
        return command + [policy] if case.startswith("orca_") else command


class Grpcpp(Minigrpc):
    def __init__(self, build):
        super().__init__(build)
        self.programs = build / "tests" / "conformance" / "grpcpp"


class Node:
    def __init__(self, build):
        if not shutil.which("node") or not shutil.which("npm"):
            raise Unavailable("node or npm is not installed")
        self.folder = HERE / "node"
        packages = HERE.parent / "interop" / "node"
        run_build(["npm", "ci", "--no-audit", "--no-fund"], cwd=packages)
        os.environ["NODE_PATH"] = str(packages / "node_modules")

    def server(self, port):
        return ["node", self.folder / "server.js", f"--port={port}"]

    def client(self, port, case):
        return ["node", self.folder / "client.js", "--server_host=127.0.0.1", f"--server_port={port}", f"--test_case={case}"]


def make_peer(name, build):
    return {"minigrpc": Minigrpc, "go": Go, "grpcpp": Grpcpp, "node": Node}[name](build)


def exceptions(client, server):
    """The cases that this pair does not pass, with the reason. Lines of "client server case: reason"."""
    listed = {}
    for line in (HERE / "exceptions.txt").read_text(encoding="utf-8").splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        where, _, reason = line.partition(":")
        a_client, a_server, case = where.split()
        if a_client in (client, "*") and a_server in (server, "*"):
            listed[case] = reason.strip()
    return listed


def listening_ports(pid):
    """The TCP ports on which that process listens: not every peer says which port it was given."""
    inodes = set()
    for descriptor in pathlib.Path(f"/proc/{pid}/fd").iterdir():
        try:
            found = re.fullmatch(r"socket:\[(\d+)\]", os.readlink(descriptor))
        except OSError:
            continue
        if found:
            inodes.add(found[1])
    ports = set()
    for table in ("tcp", "tcp6"):
        for line in pathlib.Path(f"/proc/{pid}/net/{table}").read_text(encoding="ascii").splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and fields[9] in inodes:
                ports.add(int(fields[1].rpartition(":")[2], 16))
    return ports


def server_tls(certificates):
    return ["--use_tls=true", f"--tls_cert_file={certificates.path('server.pem')}",
            f"--tls_key_file={certificates.path('server.key')}"] if certificates else []


def client_tls(certificates):
    return ["--use_tls=true", "--use_test_ca=true", f"--ca_file={certificates.path('ca.pem')}",
            f"--server_host_override={TLS_NAME}"] if certificates else []


class Server:
    """A peer's server as a child process; a context manager."""

    def __init__(self, peer, certificates=None):
        self.process = subprocess.Popen(peer.server(0) + server_tls(certificates), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        end = time.monotonic() + START_TIMEOUT_S
        ports = set()
        while not ports:
            if self.process.poll() is not None or time.monotonic() > end:
                self.__exit__()
                raise RuntimeError("the server did not start")
            time.sleep(0.02)
            ports = listening_ports(self.process.pid)
        self.port = ports.pop()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


def run_case(command):
    """Why the case failed, or nothing."""
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=CASE_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        return f"still ran after {CASE_TIMEOUT_S} s"
    if done.returncode == 0:
        return ""
    lines = done.stdout.strip().splitlines()
    return lines[-1] if lines else f"status {done.returncode}"


def run_pair(pair, peers, cases, certificates):
    """{case: verdict}, printed as it goes; a verdict is "pass", "FAIL" or "-"."""
    client, server, tls = pair
    certificates = certificates if tls else None
    print(f"{TITLES[client]} calls {TITLES[server]}" + (" under TLS" if tls else ""), flush=True)
    listed = exceptions(client, server)
    verdicts = {}
    with Server(peers[server], certificates) as serving:
        for case in cases:
            why = run_case(peers[client].client(serving.port, case) + client_tls(certificates))
            if case in listed:
                verdicts[case] = "-" if why else "FAIL"
                why = listed[case] if why else "passes, but exceptions.txt says: " + listed[case]
            else:
                verdicts[case] = "FAIL" if why else "pass"
            print(f"  {verdicts[case]:5} {case}" + (f": {why}" if why else ""), flush=True)
        if serving.process.poll() is not None:
            print(f"  FAIL  the server died with status {serving.process.returncode}")
            verdicts["(server)"] = "FAIL"
    return verdicts


def title(pair):
    client, server, tls = pair
    return f"{TITLES[client]} → {TITLES[server]}" + (", TLS" if tls else "")


def write_table(path, cases, results):
    """The matrix and the exceptions, as a page."""
    pairs = list(results)
    lines = ["# Conformance", "",
             "gRPC's own interoperability cases (`doc/interop-test-descriptions.md` in gRPC's repository) between minigrpc and",
             "other implementations: every case that needs no cloud account, in both directions. This page is written by",
             "`./dev interop --write-table`; do not edit it.", "",
             "The columns read *client → server*. ✓ passes; – is an exception, listed below; ✗ fails.", "",
             "| case | " + " | ".join(map(title, pairs)) + " |",
             "|---|" + ":-:|" * len(pairs)]
    signs = {"pass": "✓", "-": "–", "FAIL": "✗"}
    for case in cases:
        lines.append(f"| {case} | " + " | ".join(signs[results[pair][case]] for pair in pairs) + " |")
    lines += ["", "## Exceptions", ""]
    reasons = {}
    for pair in pairs:
        for case, reason in exceptions(*pair[:2]).items():
            reasons.setdefault((pair, reason), []).append(case)
    for (pair, reason), names in reasons.items():
        lines.append(f"- {title(pair)}, {', '.join(names)}: {reason}.")
    if not reasons:
        lines.append("None.")
    extra = HERE / "remarks.md"
    if extra.exists():
        lines += ["", extra.read_text(encoding="utf-8").rstrip()]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    print(f"wrote {path}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=pathlib.Path, required=True)
    parser.add_argument("--write-table", type=pathlib.Path, metavar="FILE")
    parser.add_argument("peers", nargs="*", default=["all"])
    options = parser.parse_args()
    build = options.build.resolve()
    names = PEERS if "all" in options.peers else options.peers
    for name in set(names) - set(PEERS):
        print(f"left out: {name}: there are no programs for it")
    peers = {"minigrpc": Minigrpc(build)}
    for name in names:
        if name not in PEERS:
            continue
        try:
            peers[name] = make_peer(name, build)
        except Unavailable as why:
            print(f"left out: {name}: {why}", flush=True)
    program = peers["minigrpc"].programs / "interop_client"
    cases = subprocess.run([program, "--test_case=list"], check=True, stdout=subprocess.PIPE, text=True).stdout.split()
    pairs = []
    for name in names:
        if name in peers:
            for tls in [False, True]:
                pairs += [("minigrpc", name, tls)] + ([(name, "minigrpc", tls)] if name != "minigrpc" else [])
    with tempfile.TemporaryDirectory() as folder:
        certificates = Certificates(folder, TLS_NAME)
        results = {pair: run_pair(pair, peers, cases, certificates) for pair in pairs}
    if options.write_table:
        write_table(options.write_table, cases, results)
    failed = [f"{title(pair)}: {case}" for pair, verdicts in results.items() for case, v in verdicts.items() if v == "FAIL"]
    listed = sum(list(verdicts.values()).count("-") for verdicts in results.values())
    passed = sum(len(verdicts) for verdicts in results.values()) - len(failed) - listed
    print(f"{passed} passed, {len(failed)} failed, {listed} listed exceptions")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
