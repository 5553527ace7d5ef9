#!/usr/bin/env python3
"""Compares servers of GetProdStock: requests per second, and processor time per call.

Each server runs alone, pinned to one core, with h2load on another; several rounds in turn, so that a machine that
speeds up or slows down does so for all. Before and after, a real gRPC client checks that the answer is right, and the
bytes that h2load received are those of right answers. The medians, their ratios and every single run are written to
bench/results/: unary.txt, unary.json, and unary.png where matplotlib is installed.
"""

import argparse
import json
import os
import pathlib
import platform
import re
import signal
import statistics
import subprocess
import sys
import tempfile

import grpc

HERE = pathlib.Path(__file__).resolve().parent
METHOD = "/ProdService/GetProdStock"
REQUEST = b"\x08\x04"  # ProdRequest{prod_id: 4}
RESPONSE = b"\x18\x50"  # ProdResponse{prod_stock: 80}
PREFIX_SIZE = 5  # gRPC's compressed flag and length
SERVERS = {
    "bare_nghttp2": "a bare epoll loop over nghttp2, with protobuf, no runtime at all",
    "minigrpc_unary": "minigrpc, one event loop",
    "grpcpp_callback": "grpc++ 1.51, callback service",
    "grpcpp_sync": "grpc++ 1.51, synchronous service",
}


class Server:
    """A server of ours as a child process on one core; a context manager."""

    def __init__(self, program, cpu):
        self.process = subprocess.Popen(
            ["taskset", "-c", str(cpu), str(program), "0"], stdout=subprocess.PIPE, text=True
        )
        line = self.process.stdout.readline()
        found = re.fullmatch(r"listening (\d+)\n", line)
        if not found:
            self.__exit__()
            raise RuntimeError(f"{program} did not start; it said {line!r}")
        self.port = int(found[1])

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def processor_seconds(self):
        """User and system time of all of the server's threads, so far."""
        fields = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def check(self):
        """Raises unless the answer is 80."""
        with grpc.insecure_channel(f"127.0.0.1:{self.port}") as channel:
            answer = channel.unary_unary(METHOD)(REQUEST, timeout=10)
        if answer != RESPONSE:
            raise RuntimeError(f"wrong answer: {answer!r}")


def h2load(port, count, cpu, body):
    """Sends `count` calls over 10 connections of 100 streams each; requests per second."""
    command = ["taskset", "-c", str(cpu), "h2load", "-c", "10", "-m", "100", "-t", "1", "-n", str(count), "-d", body]
    command += ["-H", "te: trailers", "-H", "content-type: application/grpc", f"http://127.0.0.1:{port}{METHOD}"]
    output = subprocess.run(command, check=True, capture_output=True, text=True, timeout=300).stdout
    requests = re.search(r"requests: .* (\d+) done, (\d+) succeeded", output)
    if not requests or int(requests[2]) != count:
        raise RuntimeError(f"not every call was answered:\n{output}")
    traffic = re.search(r"\((\d+)\) data$", output, re.MULTILINE)
    expected = count * (PREFIX_SIZE + len(RESPONSE))
    if not traffic or int(traffic[1]) != expected:
        raise RuntimeError(f"not every answer was right, {expected} bytes of them were expected:\n{output}")
    return float(re.search(r"finished in [\d.]+m?s, ([\d.]+) req/s", output)[1])


def measure(name, options, body):
    """One round of one server."""
    with Server(options.binaries / name, options.server_cpu) as server:
        server.check()
        rate = h2load(server.port, 20_000, options.client_cpu, body)  # warms up, and says how many fill the time
        count = max(20_000, round(rate * options.seconds / 1000) * 1000)
        before = server.processor_seconds()
        rate = h2load(server.port, count, options.client_cpu, body)
        spent = server.processor_seconds() - before
        server.check()
    run = {"server": name, "calls": count, "requests_per_s": round(rate), "us_per_call": spent / count * 1e6}
    print(f"  {name:16} {run['requests_per_s']:9,} requests/s   {run['us_per_call']:6.2f} us/call", flush=True)
    return run


def processor_name():
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def summarize(runs, names):
    """Medians for each server, and what they are beside the bare loop and grpc++'s callback service."""
    rows = {}
    for name in names:
        mine = [run for run in runs if run["server"] == name]
        rows[name] = {
            "requests_per_s": round(statistics.median(run["requests_per_s"] for run in mine)),
            "us_per_call": round(statistics.median(run["us_per_call"] for run in mine), 2),
        }
    for row in rows.values():
        if "bare_nghttp2" in rows:
            row["time_of_bare"] = round(row["us_per_call"] / rows["bare_nghttp2"]["us_per_call"], 2)
        if "grpcpp_callback" in rows:
            row["rate_of_grpcpp"] = round(row["requests_per_s"] / rows["grpcpp_callback"]["requests_per_s"], 2)
    return rows


def table(rows, options):
    yield f"Unary GetProdStock, h2load -c 10 -m 100; medians of {options.rounds} rounds of {options.seconds:g} s."
    yield f"{processor_name()}, {os.cpu_count()} cores, Linux {'.'.join(platform.release().split('.')[:2])}."
    yield "Each server is pinned to one core, h2load to another. Command: ./dev bench"
    yield ""
    yield f"{'':64} {'':>10} {'processor time':>16} {'time beside':>13} {'rate beside':>13}"
    yield f"{'server':64} {'requests/s':>10} {'us per call':>16} {'the bare loop':>13} {'callback':>13}"
    for name, row in rows.items():
        beside = [f"{row[key]:.2f}" if key in row else "-" for key in ("time_of_bare", "rate_of_grpcpp")]
        yield (f"{SERVERS[name]:64} {row['requests_per_s']:>10,} {row['us_per_call']:>16.2f} "
               f"{beside[0]:>13} {beside[1]:>13}")


def plot(rows, path):
    try:
        import matplotlib
    except ImportError:
        return False
    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, (rates, times) = pyplot.subplots(1, 2, figsize=(11, 3))
    names = list(rows)[::-1]
    rates.barh(names, [rows[name]["requests_per_s"] for name in names])
    rates.set_xlabel("requests/s")
    times.barh(names, [rows[name]["us_per_call"] for name in names])
    times.set_xlabel("processor time per call, us")
    times.set_yticklabels([])
    figure.tight_layout()
    figure.savefig(path, dpi=120)
    return True


def parse_options():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binaries", type=pathlib.Path, default=HERE.parent / "build" / "bench")
    parser.add_argument("--results", type=pathlib.Path, default=HERE / "results")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3.0, help="how long one run of one server takes, about")
    parser.add_argument("--server-cpu", type=int, default=0)
    parser.add_argument("--client-cpu", type=int, default=1)
    parser.add_argument("--servers", nargs="*", default=list(SERVERS), choices=list(SERVERS))
    return parser.parse_args()


def main():
    options = parse_options()
    if (os.cpu_count() or 1) < 2:
        sys.exit("bench: needs two cores, one for the server and one for h2load")
    names = [name for name in options.servers if (options.binaries / name).exists()]
    for name in options.servers:
        if name not in names:
            print(f"left out, not built: {name}")
    if not names:
        sys.exit(f"bench: no server in {options.binaries}; ./dev bench builds them")
    runs = []
    with tempfile.NamedTemporaryFile(suffix=".bin") as body:
        body.write(b"\0" + len(REQUEST).to_bytes(4, "big") + REQUEST)
        body.flush()
        for number in range(options.rounds):
            print(f"round {number + 1} of {options.rounds}")
            runs += [measure(name, options, body.name) for name in names]
    rows = summarize(runs, names)
    text = "\n".join(table(rows, options)) + "\n"
    print("\n" + text)
    options.results.mkdir(parents=True, exist_ok=True)
    (options.results / "unary.txt").write_text(text)
    raw = {"processor": processor_name(), "cores": os.cpu_count(), "medians": rows, "runs": runs}
    (options.results / "unary.json").write_text(json.dumps(raw, indent=1) + "\n")
    drawn = plot(rows, options.results / "unary.png")
    print(f"written: {options.results}/unary.txt, unary.json" + (", unary.png" if drawn else ""))


if __name__ == "__main__":
    main()
