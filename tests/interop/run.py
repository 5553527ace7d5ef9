#!/usr/bin/env python3
"""Lets peers call each other: each client runs its cases against each server, minigrpc being one of the two.

  run.py --pair CLIENT SERVER      one pair, which must be there
  run.py all | go | node …         both directions with each of these peers; says what it leaves out, and why; with go
                                   also a reader of channelz

A case that fails, a server that dies, a client that says nothing about a case, and anything that takes too long are
failures, unless known_failures.txt names them; so is a known failure that passes.
"""

import argparse
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import threading

HERE = pathlib.Path(__file__).resolve().parent
CASES = re.findall(r"^  CASE\((\w+)\)", (HERE / "cpp_client.h").read_text(encoding="utf-8"), re.MULTILINE)
PEERS = ["grpcpp", "python", "go", "node"]
CLIENT_TIMEOUT_S = 120
START_TIMEOUT_S = 30
STOP_TIMEOUT_S = 15


class Unavailable(Exception):
    """A peer that this machine cannot run, and why."""


def run_build(command, **options):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=900, **options)
    if done.returncode != 0:
        sys.exit(f"interop: {' '.join(map(str, command))} failed:\n{done.stdout}")


def prepare_go(build):
    """Builds Go's peers; the folder that holds them."""
    if not shutil.which("go"):
        raise Unavailable("go is not installed")
    out = build / "tests" / "interop" / "go"
    generated = HERE / "go" / "generated"
    tools = ["google.golang.org/protobuf/cmd/protoc-gen-go", "google.golang.org/grpc/cmd/protoc-gen-go-grpc"]
    out.mkdir(parents=True, exist_ok=True)
    for tool in tools:
        run_build(["go", "build", "-o", str(out) + "/", tool], cwd=HERE / "go")
    schemas = {"peer.proto": HERE, "Prod.proto": HERE.parents[1] / "examples" / "prod"}
    for name, folder in schemas.items():
        target = generated / name.removesuffix(".proto").lower()
        target.mkdir(parents=True, exist_ok=True)
        package = f"M{name}=interop/generated/{target.name}"
        run_build(["protoc", f"-I{folder}", f"--go_out={target}", f"--go-grpc_out={target}",
                   "--go_opt=paths=source_relative", "--go-grpc_opt=paths=source_relative",
                   f"--go_opt={package}", f"--go-grpc_opt={package}", name],
                  env={**os.environ, "PATH": f"{out}:{os.environ['PATH']}"})
    run_build(["go", "build", "-o", str(out) + "/", "./server", "./client", "./channelz"], cwd=HERE / "go")
    run_build(["go", "test", "-c", "-o", out / "etcdclient", "./etcdclient"], cwd=HERE / "go")
    return out


def prepare_node():
    if not shutil.which("node") or not shutil.which("npm"):
        raise Unavailable("node or npm is not installed")
    run_build(["npm", "ci", "--no-audit", "--no-fund"], cwd=HERE / "node")


def command_of(peer, side, build):
    """How to run one side of a peer; raises Unavailable."""
    programs = build / "tests" / "interop" / "bin"
    if peer == "minigrpc":
        return [programs / f"peer_{side}"]
    if peer == "grpcpp":
        program = programs / f"grpcpp_peer_{side}"
        if not program.exists():
            raise Unavailable("it was not built: grpc++ is not installed")
        return [program]
    if peer == "python":
        return ["/usr/bin/python3", HERE / "python" / f"{side}.py"]
    if peer == "go":
        return [build / "tests" / "interop" / "go" / side]
    return ["node", HERE / "node" / f"{side}.js"]


class Server:
    """A peer's server as a child process; a context manager."""

    def __init__(self, command):
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        # A server that says nothing is ended, so that readline() returns.
        timer = threading.Timer(START_TIMEOUT_S, self.process.kill)
        timer.start()
        line = self.process.stdout.readline()
        timer.cancel()
        found = re.fullmatch(r"listening (\d+)\n", line)
        if not found:
            self.process.kill()
            self.process.wait()
            raise RuntimeError(f"the server did not start; it said {line!r}")
        self.port = int(found[1])

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def stop(self):
        """Why it did not end as it should on SIGTERM, or nothing."""
        if self.process.poll() is not None:
            return f"the server died with status {self.process.returncode}"
        self.process.send_signal(signal.SIGTERM)
        try:
            status = self.process.wait(timeout=STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            return f"the server still runs {STOP_TIMEOUT_S} s after SIGTERM"
        return f"the server ended with status {status}" if status != 0 else ""


def known_failures(client, server):
    """The cases that are expected to fail, with their reasons. Lines of "client server case: reason"."""
    known = {}
    for line in (HERE / "known_failures.txt").read_text(encoding="utf-8").splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        where, _, reason = line.partition(":")
        a_client, a_server, case = where.split()
        if a_client in (client, "*") and a_server in (server, "*"):
            known[case] = reason.strip()
    return known


def run_client(command, target):
    """What the client said of each case ("" for ok), and why it did not end as it should, or nothing."""
    process = subprocess.Popen([*command, target], stdout=subprocess.PIPE, text=True)
    try:
        output, _ = process.communicate(timeout=CLIENT_TIMEOUT_S)
        trouble = "" if process.returncode in (0, 1) else f"the client ended with status {process.returncode}"
    except subprocess.TimeoutExpired:
        process.kill()
        output, _ = process.communicate()
        trouble = f"the client still ran after {CLIENT_TIMEOUT_S} s"
    said = {}
    for line in output.splitlines():
        found = re.fullmatch(r"(ok|FAIL) (\w+)(?:: (.*))?", line)
        if found:
            said[found[2]] = "" if found[1] == "ok" else found[3] or "failed"
        else:
            print(f"    {line}")
    return said, trouble


def run_pair(client, server, build):
    """Whether the client's cases pass against the server, printed case by case."""
    print(f"{client} calls {server}", flush=True)
    with Server(command_of(server, "server", build)) as serving:
        said, trouble = run_client(command_of(client, "client", build), f"127.0.0.1:{serving.port}")
        troubles = [trouble, serving.stop()]
    known = known_failures(client, server)
    passed = True
    for case in CASES:
        why = said.get(case, "the client did not run it")
        if case in known:
            verdict = "known" if why else "UNEXPECTED"
            why = known[case] if why else f"passes, but known_failures.txt says: {known[case]}"
        else:
            verdict = "FAIL" if why else "ok"
        passed = passed and verdict in ("ok", "known")
        print(f"  {verdict:10} {case}" + (f": {why}" if why else ""))
    for trouble in filter(None, troubles):
        passed = False
        print(f"  FAIL       {trouble}")
    return passed


def run_channelz(build):
    """Whether grpc-go's stubs of channelz read minigrpc's."""
    print("Go reads minigrpc's channelz", flush=True)
    with Server([build / "bin" / "interop_server", "--port=0"]) as serving:
        reader = [build / "tests" / "interop" / "go" / "channelz", f"127.0.0.1:{serving.port}"]
        done = subprocess.run(reader, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              timeout=CLIENT_TIMEOUT_S, check=False)
        troubles = ["" if done.returncode == 0 else done.stdout, serving.stop()]
    for trouble in filter(None, troubles):
        print(f"  FAIL       {trouble}")
    return not any(troubles)


def prepared_peers(names, build):
    for name in names:
        try:
            if name == "go":
                prepare_go(build)
            elif name == "node":
                prepare_node()
            command_of(name, "server", build)
            yield name
        except Unavailable as why:
            print(f"left out: {name}: {why}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=pathlib.Path, required=True)
    parser.add_argument("--pair", nargs=2, metavar=("CLIENT", "SERVER"))
    parser.add_argument("peers", nargs="*", choices=["all", *PEERS], default="all")
    options = parser.parse_args()
    build = options.build.resolve()
    if options.pair:
        return 0 if run_pair(*options.pair, build) else 1
    names = PEERS if "all" in options.peers else options.peers
    results = {}
    for name in prepared_peers(names, build):
        for pair in ((name, "minigrpc"), ("minigrpc", name)):
            results[pair] = run_pair(*pair, build)
        if name == "go":
            results[("go by channelz", "minigrpc")] = run_channelz(build)
    print()
    for (client, server), passed in results.items():
        print(f"{'passed' if passed else 'FAILED'}  {client} calls {server}")
    return 0 if results and all(results.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
