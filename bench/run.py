#!/usr/bin/env python3
"""Measures minigrpc beside a bare nghttp2 loop and grpc++, in one run, part by part.

Each part writes NAME.txt, NAME.json and, where matplotlib is installed, NAME.png to bench/results/; summary.txt puts
what the project demands beside what was measured. Programs are pinned, one core each, and check every answer.

parts:
  unary      servers of a unary method: calls per second, processor time per call
  client     clients of one: the same
  latency    one call at a time, beside a bare ping-pong of as many bytes, on TCP and on a Unix socket
  streams    streams of small and of large messages, both ways: messages per second
  memory     what the server keeps for an idle connection, and for an idle stream
  flatness   processor time per call, from 1 to 1,000 streams and connections
  build      how long a clean build takes, and how large a provider is
"""

import argparse
import os
import pathlib
import shlex
import signal
import subprocess
import sys

import arguments
from suite import build, client, flatness, latency, memory, streams, unary
from suite.report import Others, versions, write, write_summary
from suite.stacks import prepare_foreign

HERE = pathlib.Path(__file__).resolve().parent
PARTS = {"unary": unary.measure, "client": client.measure, "latency": latency.measure, "streams": streams.measure,
         "memory": memory.measure, "flatness": flatness.measure, "build": build.measure}


def parse_options():
    parser = argparse.ArgumentParser(prog="./dev bench", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"{', '.join(PARTS)}; all of them by default")
    parser.add_argument("--binaries", type=pathlib.Path, default=HERE.parent / "build" / "bench")
    parser.add_argument("--results", type=pathlib.Path, default=HERE / "results")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2.0, help="how long one run of one program takes, about")
    parser.add_argument("--with-go", action="store_true", help="grpc-go too, in unary, client and memory")
    parser.add_argument("--with-rust", action="store_true", help="tonic too, in the same")
    parser.add_argument("--server-cpu", type=int, default=0)
    parser.add_argument("--client-cpu", type=int, default=1)
    options = arguments.parse(parser, {"parts": PARTS})
    options.binaries = options.binaries.resolve()
    return options


def measure(part, options):
    with Others() as others:
        result = PARTS[part](options)
    command = shlex.join(["./dev", "bench", *sys.argv[1:]])
    text, written = write(result, options.results, command, others.percent)
    print(f"\n{text}\nwritten to {options.results}: {', '.join(written)}", flush=True)


def main():
    # So that servers end, too, when this is told to.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    options = parse_options()
    if (os.cpu_count() or 1) < 2:
        sys.exit("bench: needs two cores, one for the server and one for the client")
    versions()  # before results make the tree a changed one
    options.foreign = prepare_foreign(options)
    failed = []
    for part in options.parts or PARTS:
        print(f"\n== {part}", flush=True)
        try:
            measure(part, options)
        except (RuntimeError, OSError, subprocess.SubprocessError) as failure:
            print(f"bench: {part} failed: {failure}", file=sys.stderr, flush=True)
            failed.append(part)
    print("\n" + write_summary(options.results, PARTS))
    if failed:
        sys.exit(f"bench: failed, and not written: {', '.join(failed)}")


if __name__ == "__main__":
    main()
