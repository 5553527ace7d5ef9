#!/usr/bin/env python3
"""minigrpcd beside etcd: the same client, the same machine, the same disk, both with fsync, in one run.

    bench/registry.py [--binaries build] [--scale 0.01] [--only puts ranges ...]

Each measurement starts both registries one after the other, on new data directories, and asks the same of them; with
--rounds in turn, medians count. Numbers, ratios and what the project set out to reach are written to bench/results/:
registry.txt, registry.json, and registry.png where matplotlib is installed. --scale makes the large ones smaller, for a
try: its numbers say nothing, and are not written.
"""
import argparse
import json
import os
import pathlib
import platform
import statistics
import subprocess
import sys
import tempfile
import time

import arguments

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "tests" / "support"))
from registry_process import RegistryProcess, free_port  # noqa: E402

KINDS = ("etcd", "minigrpcd")
QUOTA = str(8 << 30)


class Server:
    """One registry on a new data directory, which can be started again; a context manager."""

    def __init__(self, kind, options):
        self.kind, self._options = kind, options
        self._directory = tempfile.TemporaryDirectory(prefix="bench-registry-", dir=options.disk)
        self.start_s = self._start()

    def _start(self):
        url, peer = (f"http://127.0.0.1:{free_port()}" for _ in range(2))
        data = os.path.join(self._directory.name, "data")
        common = ["--data-dir", data, "--listen-client-urls", url, "--advertise-client-urls", url,
                  "--quota-backend-bytes", QUOTA]
        if self.kind == "etcd":
            command = [self._options.etcd, *common, "--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer,
                       "--initial-cluster", f"default={peer}"]
        else:
            command = [str(self._options.binaries / "bin" / "minigrpcd"), *common]
        begin = time.monotonic()
        self._registry = RegistryProcess(command, endpoint=url.removeprefix("http://"))
        return time.monotonic() - begin

    def restart(self):
        """Stops it, starts it on the same data; the seconds until it serves."""
        self._registry.stop(120)
        return self._start()

    def load(self, verb, **numbers):
        """Runs bench/registry_load; what it says."""
        with self.loading(verb, **numbers) as process:
            out, err = process.communicate(timeout=3600)
        if process.returncode != 0:
            raise RuntimeError(f"{verb} on {self.kind}: {err}")
        return json.loads(out.splitlines()[-1])

    def loading(self, verb, **numbers):
        program = self._options.binaries / "bench" / "registry_load"
        return subprocess.Popen([program, verb, self._registry.endpoint, *(f"{k}={int(v)}" for k, v in numbers.items())],
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def processor_s(self):
        fields = pathlib.Path(f"/proc/{self._registry.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def resident_mb(self):
        status = pathlib.Path(f"/proc/{self._registry.process.pid}/status").read_text()
        fields = dict(line.split(":", 1) for line in status.splitlines())
        # Pages of a mapped file are the page cache's, which takes them back; both are told.
        return int(fields["VmRSS"].split()[0]) / 1024, int(fields["RssAnon"].split()[0]) / 1024

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._registry.kill()
        self._directory.cleanup()


# ---- what is measured: each returns {name: number} ----

def puts(server, options):
    """200 concurrent writers"""
    done = server.load("puts", writers=200, connections=20, seconds=options.seconds, keys=10_000)
    return {"puts/s": done["per_s"], "puts p99 ms": done["p99_ms"]}


def sequential(server, options):
    """one writer"""
    done = server.load("puts", writers=1, connections=1, seconds=options.seconds, keys=10_000)
    return {"sequential puts/s": done["per_s"]}


def ranges(server, options):
    """linearizable ranges of one key, 200 readers"""
    server.load("fill", **{"from": 0, "to": 10_000})
    done = server.load("ranges", readers=200, connections=20, seconds=options.seconds, keys=10_000)
    return {"ranges/s": done["per_s"], "ranges p99 ms": done["p99_ms"]}


def events(server, options):
    """one event to 1,000 watchers"""
    done = server.load("events", watchers=max(10, 1000 * options.scale), connections=20, events=max(5, 50 * options.scale))
    return {"event first to last ms": done["first_to_last_ms"], "event put to last ms": done["put_to_last_ms"]}


def leases(server, options):
    """100,000 leases kept alive"""
    seconds = max(options.seconds, 60 * options.scale)
    with server.loading("leases", leases=100_000 * options.scale, connections=20, seconds=seconds, ttl=60) as process:
        process.stdout.readline()  # all are granted
        begin = server.processor_s()
        out, err = process.communicate(timeout=3600)
        spent = server.processor_s() - begin
    if process.returncode != 0:
        raise RuntimeError(f"leases on {server.kind}: {err}")
    done = json.loads(out)
    return {"leases processor s per s": spent / done["seconds"], "renewals/s": done["per_s"]}


def million(server, options):
    """1,000,000 keys: cost per put, start, memory"""
    few, many = 10_000, max(20_000, 1_000_000 * options.scale)
    result = {}

    def cost(keys):
        before = server.processor_s()
        done = server.load("puts", writers=50, connections=10, seconds=options.seconds, keys=keys)
        return (server.processor_s() - before) / done["count"] * 1e6, done["per_s"]

    server.load("fill", **{"from": 0, "to": few})
    result["put us at 10,000 keys"], result["puts/s at 10,000 keys"] = cost(few)
    server.load("fill", **{"from": few, "to": many})
    result["put us at 1,000,000 keys"], result["puts/s at 1,000,000 keys"] = cost(many)
    result["put cost growth"] = result["put us at 1,000,000 keys"] / result["put us at 10,000 keys"]
    result["start s"] = server.restart()
    server.load("ranges", readers=10, connections=2, seconds=1, keys=many)
    result["resident MB"], result["anonymous MB"] = server.resident_mb()
    return result


def backup(server, options):
    """a backup while one client writes: the longest put"""
    server.load("fill", **{"from": 0, "to": max(10_000, 300_000 * options.scale)})
    quiet = server.load("puts", writers=1, connections=1, seconds=options.seconds, keys=10_000)
    with server.loading("puts", writers=1, connections=1, seconds=options.seconds * 2, keys=10_000) as writer:
        time.sleep(options.seconds / 4)  # the writer is under way
        copied = server.load("snapshot")
        busy = json.loads(writer.communicate(timeout=600)[0])
    return {"longest put ms, quiet": quiet["max_ms"], "longest put ms, backup": busy["max_ms"],
            "backup MB/s": copied["bytes"] / copied["seconds"] / 1e6}


MEASUREMENTS = {one.__name__: one for one in (puts, sequential, ranges, events, leases, million, backup)}
# What issue 4 asks for: name, whether more is better, the ratio to etcd's; or a bound on the number itself.
RATIOS = {"puts/s": (True, 4), "ranges/s": (True, 20), "sequential puts/s": (True, 1.2),
          "event first to last ms": (False, 1 / 4), "leases processor s per s": (False, 1 / 5), "resident MB": (False, 1 / 2)}
BOUNDS = {"start s": 3, "put cost growth": 1.2, "longest put ms, backup": 20}


def summarize(runs):
    """{name: {kind: median}}"""
    rows = {}
    for run in runs:
        for name, number in run["numbers"].items():
            rows.setdefault(name, {}).setdefault(run["server"], []).append(number)
    return {name: {kind: statistics.median(numbers) for kind, numbers in row.items()} for name, row in rows.items()}


def verdict(name, row):
    """(ratio, what was asked for, whether it is reached), as text."""
    ours, theirs = row.get("minigrpcd"), row.get("etcd")
    ratio = f"{ours / theirs:.2f}" if ours is not None and theirs else "-"
    if name in RATIOS and ours is not None and theirs:
        more, wanted = RATIOS[name]
        reached = ours / theirs >= wanted if more else ours / theirs <= wanted
        return ratio, f"{'at least' if more else 'at most'} {wanted:g} of etcd's", "yes" if reached else "NO"
    if name in BOUNDS and ours is not None:
        return ratio, f"at most {BOUNDS[name]:g}", "yes" if ours <= BOUNDS[name] else "NO"
    return ratio, "", ""


def table(rows, options, etcd_version):
    processor = next((line.partition(":")[2].strip() for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines()
                      if line.startswith("model name")), platform.machine())
    yield f"minigrpcd beside {etcd_version}; medians of {options.rounds} rounds, {options.seconds:g} s each."
    yield f"{processor}, {os.cpu_count()} cores, Linux {'.'.join(platform.release().split('.')[:2])}; client and server share them."
    yield "Both with fsync, on the same disk. Command: ./dev bench --registry"
    yield ""
    yield f"{'':28} {'etcd':>12} {'minigrpcd':>12} {'ratio':>8}  {'asked for':24} reached"
    for name, row in rows.items():
        ratio, wanted, reached = verdict(name, row)
        cells = [f"{row[kind]:12,.2f}" if kind in row else f"{'-':>12}" for kind in KINDS]
        yield f"{name:28} {cells[0]} {cells[1]} {ratio:>8}  {wanted:24} {reached}".rstrip()


def plot(rows, path):
    try:
        import matplotlib
    except ImportError:
        return False
    matplotlib.use("Agg")
    from matplotlib import pyplot

    names = [name for name, row in rows.items() if row.get("etcd") and row.get("minigrpcd")][::-1]
    figure, axis = pyplot.subplots(figsize=(9, 0.35 * len(names) + 1))
    axis.barh(names, [rows[name]["minigrpcd"] / rows[name]["etcd"] for name in names])
    axis.axvline(1, color="black", linewidth=1)
    axis.set_xscale("log")
    axis.set_xlabel("minigrpcd / etcd (rates: more is better; times and sizes: less)")
    figure.tight_layout()
    figure.savefig(path, dpi=120)
    return True


def parse_options():
    parser = argparse.ArgumentParser(prog="./dev bench --registry", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binaries", type=pathlib.Path, default=HERE.parent / "build")
    parser.add_argument("--results", type=pathlib.Path, default=HERE / "results")
    parser.add_argument("--disk", type=pathlib.Path, help="where the data goes; the default is the temporary directory")
    parser.add_argument("--etcd", default="etcd")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--only", nargs="*", default=list(MEASUREMENTS), choices=list(MEASUREMENTS))
    return arguments.parse(parser)


def main():
    options = parse_options()
    etcd_version = subprocess.run([options.etcd, "--version"], capture_output=True, text=True, check=True).stdout
    etcd_version = etcd_version.splitlines()[0].replace("etcd Version:", "etcd").replace("  ", " ")
    runs = []
    for number in range(options.rounds):
        for name in options.only:
            for kind in KINDS if number % 2 == 0 else KINDS[::-1]:
                with Server(kind, options) as server:
                    numbers = MEASUREMENTS[name](server, options)
                runs.append({"round": number, "measurement": name, "server": kind, "numbers": numbers})
                shown = ", ".join(f"{key} {value:,.2f}" for key, value in numbers.items())
                print(f"round {number + 1}, {name}, {kind}: {shown}", flush=True)
    rows = summarize(runs)
    text = "\n".join(table(rows, options, etcd_version)) + "\n"
    print("\n" + text)
    if options.scale < 1:
        print("a try: nothing is written")
        return
    options.results.mkdir(parents=True, exist_ok=True)
    (options.results / "registry.txt").write_text(text)
    (options.results / "registry.json").write_text(json.dumps({"medians": rows, "runs": runs}, indent=1) + "\n")
    plot(rows, options.results / "registry.png")
    print(f"written: {options.results}/registry.txt, registry.json")


if __name__ == "__main__":
    main()
