#!/usr/bin/env python3
"""minigrpcd beside etcd: the same client, the same machine, the same disk, both with fsync, in one run.

    ./dev bench --registry [--with-go] [--scale 0.01] [--only puts ranges ...]

Each measurement starts the registries one after the other, on new data directories, and asks the same of them; with
--rounds in turn, medians count. Numbers, ratios and what the project set out to reach are written to bench/results/:
registry.txt, registry.json, and registry.png where matplotlib is installed. --with-go adds the newest etcd among Go's
modules (bench/etcd) to Debian's, where go is installed; then what is asked for is asked of both. --scale makes the large
ones smaller, for a try: its numbers say nothing, and are not written.
"""
import argparse
import json
import os
import pathlib
import platform
import shlex
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

import arguments

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "tests" / "support"))
from registry_process import RegistryProcess, free_port  # noqa: E402

OURS = "minigrpcd"
QUOTA = str(8 << 30)


class Server:
    """One registry on a new data directory, which can be started again; a context manager."""

    def __init__(self, kind, program, options):
        self.kind, self._program, self._options = kind, program, options
        self._directory = tempfile.TemporaryDirectory(prefix="bench-registry-", dir=options.disk)
        self.start_s = self._start()

    def _start(self):
        url, peer = (f"http://127.0.0.1:{free_port()}" for _ in range(2))
        data = os.path.join(self._directory.name, "data")
        command = [self._program, "--data-dir", data, "--listen-client-urls", url, "--advertise-client-urls", url,
                   "--quota-backend-bytes", QUOTA]
        if self.kind != OURS:
            command += ["--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer, "--initial-cluster",
                        f"default={peer}"]
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
    """(ratios to each other registry, what was asked for, whether it is reached), as text."""
    ours = row.get(OURS)
    ratios = {kind: ours / theirs for kind, theirs in row.items() if kind != OURS and ours is not None and theirs}
    if name in RATIOS and ratios:
        more, wanted = RATIOS[name]
        reached = all(ratio >= wanted if more else ratio <= wanted for ratio in ratios.values())
        return ratios, f"{'at least' if more else 'at most'} {wanted:g} of etcd's", "yes" if reached else "NO"
    if name in BOUNDS and ours is not None:
        return ratios, f"at most {BOUNDS[name]:g}", "yes" if ours <= BOUNDS[name] else "NO"
    return ratios, "", ""


def table(rows, options, kinds):
    processor = next((line.partition(":")[2].strip() for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines()
                      if line.startswith("model name")), platform.machine())
    others = [kind for kind in kinds if kind != OURS]
    yield f"minigrpcd beside {' and '.join(others)}; medians of {options.rounds} rounds, {options.seconds:g} s each."
    yield f"{processor}, {os.cpu_count()} cores, Linux {'.'.join(platform.release().split('.')[:2])}; client and server share them."
    yield "All with fsync, on the same disk. Command: " + shlex.join(["./dev", "bench", "--registry", *sys.argv[1:]])
    yield ""
    yield " ".join([f"{'':28}", *(f"{kind:>14}" for kind in kinds), *(f"{'to ' + kind:>14}" for kind in others),
                    f" {'asked for':24} reached"])
    for name, row in rows.items():
        ratios, wanted, reached = verdict(name, row)
        cells = [f"{row[kind]:14,.2f}" if kind in row else f"{'-':>14}" for kind in kinds]
        cells += [f"{ratios[kind]:14.2f}" if kind in ratios else f"{'-':>14}" for kind in others]
        yield f"{name:28} {' '.join(cells)}  {wanted:24} {reached}".rstrip()


def plot(rows, path):
    try:
        import matplotlib
    except ImportError:
        return False
    matplotlib.use("Agg")
    from matplotlib import pyplot

    ratios = {name: verdict(name, row)[0] for name, row in rows.items()}
    names = [name for name in ratios if ratios[name]][::-1]
    others = list(dict.fromkeys(kind for name in names for kind in ratios[name]))
    figure, axis = pyplot.subplots(figsize=(9, 0.35 * len(names) + 1))
    height = 0.8 / max(1, len(others))
    for number, kind in enumerate(others):
        places = [place + 0.4 - height * (number + 0.5) for place in range(len(names))]
        axis.barh(places, [ratios[name].get(kind, 1) for name in names], height=height, left=0, label=f"beside {kind}")
    axis.set_yticks(range(len(names)), names)
    axis.axvline(1, color="black", linewidth=1)
    axis.set_xscale("log")
    axis.set_xlabel("minigrpcd's over etcd's (rates: more is better; times and sizes: less)")
    axis.legend()
    figure.tight_layout()
    figure.savefig(path, dpi=120)
    return True


def parse_options():
    parser = argparse.ArgumentParser(prog="./dev bench --registry", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binaries", type=pathlib.Path, default=HERE.parent / "build")
    parser.add_argument("--results", type=pathlib.Path, default=HERE / "results")
    parser.add_argument("--disk", type=pathlib.Path, help="where the data goes; the default is the temporary directory")
    parser.add_argument("--etcd", default="etcd")
    parser.add_argument("--with-go", action="store_true", help="the newest etcd among Go's modules, too")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--only", nargs="*", default=list(MEASUREMENTS), choices=list(MEASUREMENTS))
    return arguments.parse(parser)


def etcd_name(program):
    out = subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout
    return out.splitlines()[0].replace("etcd Version:", "etcd").replace("  ", " ")


def newest_etcd(options):
    """The program, built from Go's modules; None where that cannot be, which it says."""
    if not shutil.which("go"):
        print("left out: the newest etcd, since there is no go in PATH")
        return None
    program = options.binaries.resolve() / "bench" / "go" / "etcd"
    program.parent.mkdir(parents=True, exist_ok=True)
    print("Building the newest etcd among Go's modules; some minutes, the first time", flush=True)
    done = subprocess.run(["go", "build", "-o", program, "go.etcd.io/etcd/server/v3"], cwd=HERE / "etcd", text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    if done.returncode == 0:
        return program
    print(f"left out: the newest etcd, since its build failed (modules come from the network, once): {done.stdout[-2000:]}")
    return None


def programs(options):
    """{name: program} of what takes part."""
    newest = newest_etcd(options) if options.with_go else None
    etcds = {etcd_name(program): program for program in (options.etcd, newest) if program}
    return {**etcds, OURS: options.binaries / "bin" / "minigrpcd"}


def main():
    options = parse_options()
    taking_part = programs(options)
    kinds = list(taking_part)
    runs = []
    for number in range(options.rounds):
        for name in options.only:
            for kind in kinds if number % 2 == 0 else kinds[::-1]:
                with Server(kind, taking_part[kind], options) as server:
                    numbers = MEASUREMENTS[name](server, options)
                runs.append({"round": number, "measurement": name, "server": kind, "numbers": numbers})
                shown = ", ".join(f"{key} {value:,.2f}" for key, value in numbers.items())
                print(f"round {number + 1}, {name}, {kind}: {shown}", flush=True)
    rows = summarize(runs)
    text = "\n".join(table(rows, options, kinds)) + "\n"
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
