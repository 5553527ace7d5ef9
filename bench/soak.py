#!/usr/bin/env python3
"""minigrpcd for a long time: writes, watches, leases, compaction and kills at once, all the while looked at.

    bench/soak.py [--binaries build] [--minutes 30]

In the first half it is killed now and then, in the second it lives on, so that growth shows. Every second: memory, file
descriptors, what the database takes on the disk, latencies of puts. Every event that a watcher gets is held against the
one before, across kills; at the end every acknowledged write is looked for. It fails where something was lost, or is not
flat. Written: bench/results/soak.txt and soak.json, and docs/soak.png where matplotlib is installed.
"""
import argparse
import json
import os
import pathlib
import queue
import random
import statistics
import sys
import tempfile
import threading
import time

import arguments
import grpc

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "tests" / "support"))
from etcd_api import EtcdApi  # noqa: E402
from registry_process import RegistryProcess  # noqa: E402

WRITERS, WATCHERS, LEASES = 4, 4, 200
KEYS = 500
COMPACT_EVERY_S = 5
KILLS = 5
# Across the second half, the last third beside the first: what may not grow by more.
GROWTH_MAX = {"memory_mb": 1.25, "descriptors": 1.25, "file_mb": 1.25, "put_p50_ms": 2.0}


class Soak:
    def __init__(self, options):
        self.options = options
        self.api = EtcdApi(str(HERE.parent / "proto"))
        self._changed, self._channel = threading.Condition(), None
        self.over = threading.Event()
        self.failures = []
        self.latencies_ms = queue.SimpleQueue()
        self.acknowledged = {}  # key: (value, revision), each of one writer
        self.events = self.writes = self.renewals = self.expired = 0

    # ---- the registry, life after life ----

    def start(self):
        self.registry = RegistryProcess([str(self.options.binaries / "bin" / "minigrpcd"), "--data-dir", self.data,
                                         "--listen-client-urls", "http://127.0.0.1:0"])
        with self._changed:
            self._channel = self.api.connect(self.registry.endpoint, (("grpc.use_local_subchannel_pool", 1),))
            self._changed.notify_all()

    def kill(self):
        with self._changed:
            old, self._channel = self._channel, None
        self.registry.kill()
        old.close()

    def channel(self, failed=None):
        with self._changed:
            self._changed.wait_for(lambda: self._channel not in (None, failed) or self.over.is_set(), timeout=60)
            return self._channel

    def message(self, name, /, **fields):
        return self.api.message("etcdserverpb." + name, **fields)

    # ---- what goes on ----

    def forever(self, turn):
        """Runs turn(channel) until it is over; a failed call waits for the next life."""
        def run():
            channel = self.channel()
            while not self.over.is_set():
                try:
                    turn(channel)
                except (grpc.RpcError, ValueError):  # ValueError: the channel was closed under the call
                    channel = self.channel(channel)
                except AssertionError as failure:
                    self.failures.append(str(failure))
                    return
        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        return thread

    def writer(self, number):
        def turn(channel):
            key = b"w/%d/%d" % (number, random.randrange(KEYS))
            value = os.urandom(50).hex().encode()
            begin = time.monotonic()
            answer = channel.kv.Put(self.message("PutRequest", key=key, value=value), timeout=30)
            self.latencies_ms.put((time.monotonic() - begin) * 1000)
            self.acknowledged[key] = (value, answer.header.revision)
            self.writes += 1
            time.sleep(0.002)
        return self.forever(turn)

    def watcher(self, number):
        versions, state = {}, {"next": 1}
        prefix = b"w/%d/" % (number % WRITERS)

        def turn(channel):
            create = self.message("WatchCreateRequest", key=prefix, range_end=prefix[:-1] + b"0",
                                  start_revision=state["next"])

            def requests():
                yield self.message("WatchRequest", create_request=create)
                self.over.wait()
            for answer in channel.watch.Watch(requests()):
                if answer.compact_revision:  # it was away for longer than history is kept
                    state["next"] = answer.compact_revision
                    versions.clear()
                    return
                for event in answer.events:
                    before = versions.get(event.kv.key)
                    assert before is None or event.kv.version == before + 1, \
                        f"{event.kv.key}: version {event.kv.version} came after {before}"
                    assert event.kv.mod_revision >= state["next"], "an event from the past"
                    versions[event.kv.key] = event.kv.version
                    state["next"] = event.kv.mod_revision + 1
                    self.events += 1
                if self.over.is_set():
                    return
        return self.forever(turn)

    def leases(self):
        """Grants with keys, a quarter of which nobody renews."""
        def turn(channel):
            ids = []
            for number in range(LEASES):
                lease = channel.lease.LeaseGrant(self.message("LeaseGrantRequest", TTL=5), timeout=30).ID
                channel.kv.Put(self.message("PutRequest", key=b"l/%d" % lease, value=b"", lease=lease), timeout=30)
                if number % 4:
                    ids.append(lease)
            for _ in range(6):
                if self.over.wait(1.5):
                    return
                for answer in channel.lease.LeaseKeepAlive(
                        self.message("LeaseKeepAliveRequest", ID=lease) for lease in ids):
                    assert answer.TTL > 0, "a lease that was renewed in time was lost"
                    self.renewals += 1
            for lease in ids:
                channel.lease.LeaseRevoke(self.message("LeaseRevokeRequest", ID=lease), timeout=30)
            self.expired += LEASES // 4
        return self.forever(turn)

    def compactor(self):
        def turn(channel):
            revision = channel.kv.Range(self.message("RangeRequest", key=b"w"), timeout=30).header.revision
            if self.over.wait(COMPACT_EVERY_S):
                return
            channel.kv.Compact(self.message("CompactionRequest", revision=revision), timeout=30)
        return self.forever(turn)

    # ---- what is looked at ----

    def sample(self, at_s):
        latencies = []
        while not self.latencies_ms.empty():
            latencies.append(self.latencies_ms.get())
        latencies.sort()
        pid = self.registry.process.pid
        status = dict(line.split(":", 1) for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines())
        return {"at_s": at_s, "memory_mb": int(status["RssAnon"].split()[0]) / 1024,
                "descriptors": len(os.listdir(f"/proc/{pid}/fd")),
                "file_mb": os.stat(os.path.join(self.data, "data.mdb")).st_blocks * 512 / (1 << 20),
                "put_p50_ms": latencies[len(latencies) // 2] if latencies else None,
                "put_p99_ms": latencies[len(latencies) * 99 // 100] if latencies else None}

    def tell(self, sample, kills):
        print(f"minute {sample['at_s'] // 60:.0f} of {self.options.minutes:g}: {self.writes:,} writes, {self.events:,} events, "
              f"{kills} kills, {sample['memory_mb']:.0f} MB of memory, {sample['descriptors']} descriptors, "
              f"{sample['file_mb']:.0f} MB of file, half of the puts within {sample['put_p50_ms'] or 0:.1f} ms", flush=True)

    def run(self):
        seconds = self.options.minutes * 60
        kills = [seconds / 2 * (number + 1) / (KILLS + 1) for number in range(KILLS)]
        samples, killed = [], []
        with tempfile.TemporaryDirectory(prefix="soak-", dir=self.options.disk) as directory:
            self.data = os.path.join(directory, "data")
            self.start()
            threads = [self.writer(number) for number in range(WRITERS)]
            threads += [self.watcher(number) for number in range(WATCHERS)]
            threads += [self.leases(), self.compactor()]
            begin = time.monotonic()
            while (at_s := time.monotonic() - begin) < seconds and not self.failures:
                if kills and at_s >= kills[0]:
                    killed.append(kills.pop(0))
                    self.kill()
                    self.start()
                time.sleep(1)
                samples.append(self.sample(time.monotonic() - begin))
                if samples[-1]["at_s"] // 60 > (samples[-2]["at_s"] // 60 if len(samples) > 1 else 0):
                    self.tell(samples[-1], len(killed))
            self.over.set()
            for thread in threads[:WRITERS]:
                thread.join(60)
            self.look_for_writes()
            self.kill()
        return samples, killed

    def look_for_writes(self):
        with self.api.connect(self.registry.endpoint) as channel:
            for key, (value, revision) in self.acknowledged.items():
                found = channel.kv.Range(self.message("RangeRequest", key=key), timeout=30).kvs
                # One that was not acknowledged may have come after it.
                if not found or found[0].mod_revision < revision or \
                        (found[0].mod_revision == revision and found[0].value != value):
                    self.failures.append(f"{key} was acknowledged at {revision}, and is {found}")


def growth(samples):
    """{name: last third of the second half / its first third}"""
    half = [one for one in samples if one["at_s"] >= samples[-1]["at_s"] / 2]
    third = max(1, len(half) // 3)
    result = {}
    for name in GROWTH_MAX:
        first, last = ([one[name] for one in part if one[name] is not None] for part in (half[:third], half[-third:]))
        result[name] = statistics.median(last) / statistics.median(first)
    return result


def plot(samples, killed, path):
    try:
        import matplotlib
    except ImportError:
        return
    matplotlib.use("Agg")
    from matplotlib import pyplot

    names = {"memory_mb": "memory, MB", "descriptors": "descriptors", "file_mb": "database, MB", "put_p50_ms": "put p50, ms",
             "put_p99_ms": "put p99, ms"}
    figure, axes = pyplot.subplots(len(names), 1, figsize=(9, 9), sharex=True)
    for axis, (name, label) in zip(axes, names.items()):
        points = [(one["at_s"] / 60, one[name]) for one in samples if one[name] is not None]
        axis.plot(*zip(*points), linewidth=1)
        axis.set_ylabel(label)
        axis.set_ylim(bottom=0)
        for at_s in killed:
            axis.axvline(at_s / 60, color="red", linewidth=0.5)
    axes[-1].set_xlabel("minutes; red: kill -9")
    figure.tight_layout()
    figure.savefig(path, dpi=100)


def main():
    parser = argparse.ArgumentParser(prog="./dev bench --soak", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binaries", type=pathlib.Path, default=HERE.parent / "build")
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--disk", type=pathlib.Path, help="where the data goes; the default is the temporary directory")
    parser.add_argument("--results", type=pathlib.Path, default=HERE / "results")
    parser.add_argument("--plot", type=pathlib.Path, default=HERE.parent / "docs" / "soak.png")
    options = arguments.parse(parser)
    soak = Soak(options)
    samples, killed = soak.run()
    grown = growth(samples)
    lines = [f"{options.minutes:g} minutes: {soak.writes:,} writes, {soak.events:,} events at watchers, {soak.renewals:,} "
             f"lease renewals, {soak.expired:,} leases left to expire, {len(killed)} kills. Command: ./dev bench --soak",
             "Across the second half, the last third beside the first:"]
    for name, factor in grown.items():
        flat = factor <= GROWTH_MAX[name]
        lines.append(f"{name:12} {samples[-1][name] or 0:10.2f} at the end, {factor:5.2f} times  {'flat' if flat else 'NOT FLAT'}")
        if not flat:
            soak.failures.append(f"{name} grew {factor:.2f} times")
    text = "\n".join(lines) + "\n"
    print(text, end="")
    options.results.mkdir(parents=True, exist_ok=True)
    (options.results / "soak.txt").write_text(text)
    (options.results / "soak.json").write_text(json.dumps({"samples": samples, "kills_s": killed, "growth": grown}) + "\n")
    plot(samples, killed, options.plot)
    for failure in soak.failures:
        print(f"FAILED: {failure}")
    sys.exit(1 if soak.failures else 0)


if __name__ == "__main__":
    main()
