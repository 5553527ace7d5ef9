#!/usr/bin/env python3
"""kill -9 of minigrpcd in the middle of concurrent writes, again and again on one data directory: every acknowledged
revision is there afterwards, with its value; the rest is there whole or not at all.

    kill_registry_test.py --program build/bin/minigrpcd --schemas proto [--rounds 100] [--seed N]
"""
import argparse
import os
import random
import sys
import tempfile
import threading
import time

import grpc

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from etcd_api import EtcdApi  # noqa: E402
from registry_process import RegistryProcess  # noqa: E402

WRITERS = 16
PAIR = 8  # each writer's transaction in this many writes two keys


class Writers:
    """Keeps WRITERS requests in flight until the registry dies; `acknowledged` is {key: (value, revision)}."""

    def __init__(self, api, kv, round_number):
        self._api, self._kv, self._round = api, kv, round_number
        self._lock = threading.Lock()
        self._number = 0
        self._idle = threading.Semaphore(0)
        self.acknowledged = {}
        self.pairs = []
        for _ in range(WRITERS):
            self._next()

    def _message(self, name, /, **fields):
        return self._api.message("etcdserverpb." + name, **fields)

    def _next(self):
        with self._lock:
            number = self._number
            self._number += 1
        keys = [b"r%d/%d" % (self._round, number)]
        if number % PAIR == 0:
            keys.append(keys[0] + b"/twin")
            with self._lock:
                self.pairs.append(keys)
        values = {key: os.urandom(8).hex().encode() * random.choice((1, 1, 1, 64)) for key in keys}
        puts = [self._message("PutRequest", key=key, value=value) for key, value in values.items()]
        if len(puts) == 1:
            call = self._kv.Put.future(puts[0])
        else:
            ops = [self._message("RequestOp", request_put=put) for put in puts]
            call = self._kv.Txn.future(self._message("TxnRequest", success=ops))
        call.add_done_callback(lambda done: self._done(done, values))

    def _done(self, call, values):
        if call.exception() is not None:
            self._idle.release()
            return
        revision = call.result().header.revision
        with self._lock:
            for key, value in values.items():
                self.acknowledged[key] = (value, revision)
        self._next()

    def wait_until_dead(self):
        for _ in range(WRITERS):
            assert self._idle.acquire(timeout=30), "a call did not end after the registry was killed"


def read_round(api, kv, round_number):
    found = kv.Range(api.message("etcdserverpb.RangeRequest", key=b"r%d/" % round_number,
                                 range_end=b"r%d0" % round_number), timeout=30)
    return found.header.revision, {one.key: (one.value, one.mod_revision) for one in found.kvs}


def check(round_number, acknowledged, pairs, revision, found):
    for key, expected in acknowledged.items():
        if found.get(key) != expected:
            sys.exit(f"round {round_number}: {key} was acknowledged as {expected}, and is {found.get(key)}")
    for one, twin in pairs:
        if found.get(one, (0, 0))[1] != found.get(twin, (0, 0))[1]:
            sys.exit(f"round {round_number}: half a transaction is there: {one} {found.get(one)}, {found.get(twin)}")
    highest = max((at for _, at in found.values()), default=0)
    if revision < highest:
        sys.exit(f"round {round_number}: the revision went back from {highest} to {revision}")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--program", required=True)
    parser.add_argument("--schemas", required=True)
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    options = parser.parse_args()
    print(f"seed {options.seed}", flush=True)
    random.seed(options.seed)
    api = EtcdApi(options.schemas)
    # A channel for each life of the registry: gRPC shares connections, and their backoff, between equal addresses.
    fresh = (("grpc.use_local_subchannel_pool", 1),)
    everything, total = {}, 0
    with tempfile.TemporaryDirectory(prefix="kill-registry-") as directory:
        data = os.path.join(directory, "data")
        for round_number in range(options.rounds + 1):
            with RegistryProcess.minigrpcd(options.program, data_dir=data) as registry, \
                    api.connect(registry.endpoint, fresh) as channel:
                if round_number > 0:
                    revision, found = read_round(api, channel.kv, round_number - 1)
                    check(round_number - 1, writers.acknowledged, writers.pairs, revision, found)
                    everything[round_number - 1] = found
                    total += len(writers.acknowledged)
                if round_number == options.rounds:
                    for earlier, found in everything.items():
                        if read_round(api, channel.kv, earlier)[1] != found:
                            sys.exit(f"round {earlier} has changed since it was written")
                    break
                writers = Writers(api, channel.kv, round_number)
                time.sleep(random.uniform(0.01, 0.15))  # when the blow falls, not a wait for something
                registry.kill()
                writers.wait_until_dead()
    if total < options.rounds:
        sys.exit(f"only {total} writes were acknowledged in {options.rounds} rounds: that shows nothing")
    print(f"{options.rounds} kills, {total} acknowledged writes, all there")


if __name__ == "__main__":
    main()
