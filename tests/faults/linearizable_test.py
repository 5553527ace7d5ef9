#!/usr/bin/env python3
"""Clients put, get, delete and compare-and-swap a few keys at the same time, while minigrpcd is killed and started again
under them; then the history of all of it is checked for linearizability, by search and by revisions.

    linearizable_test.py --program build/bin/minigrpcd --schemas proto [--seconds 600] [--seed N]

First the checkers show what they are worth: they find violations that were planted.
"""
import argparse
import copy
import os
import random
import sys
import tempfile
import threading
import time

import grpc

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from etcd_api import EtcdApi  # noqa: E402
from linearizability import (DELETE, GET, PUT, SWAP, Operation, violation_by_revision,  # noqa: E402
                             violation_by_search)
from registry_process import RegistryProcess  # noqa: E402

CLIENTS = 6
KEYS = [b"key-%d" % number for number in range(5)]
ROUND_S = 5  # the checked piece: each begins with keys that are not there
LIFE_S = (0.3, 1.5)


class Target:
    """Where the registry is at the moment; a channel for each life, since gRPC's backoff outlives one."""

    def __init__(self, api):
        self._api, self._changed, self._channel = api, threading.Condition(), None

    def set(self, endpoint):
        with self._changed:
            old, self._channel = self._channel, None
            if endpoint:
                self._channel = self._api.connect(endpoint, (("grpc.use_local_subchannel_pool", 1),))
                self._changed.notify_all()
        if old:
            old.close()

    def channel(self, failed):
        """Waits until there is one, and another one than that which failed."""
        with self._changed:
            if not self._changed.wait_for(lambda: self._channel not in (None, failed), timeout=60):
                raise TimeoutError("no registry for a minute")
            return self._channel


class Client(threading.Thread):
    def __init__(self, api, target, number, prefix, random_source, until):
        super().__init__()
        self._api, self._target, self._number, self._prefix = api, target, number, prefix
        self._random, self._until = random_source, until
        self._seen = {}  # key: (value, mod_revision) that this client saw last
        self._written = 0
        self._failed = None
        self.history = []

    def run(self):
        while time.monotonic() < self._until:
            self._one()

    def _message(self, name, /, **fields):
        return self._api.message("etcdserverpb." + name, **fields)

    def _unique(self):
        self._written += 1
        return b"%d.%d" % (self._number, self._written)

    def _one(self):
        key = self._prefix + self._random.choice(KEYS)
        kind = self._random.choices((GET, PUT, DELETE, SWAP), (4, 3, 1, 3))[0]
        if kind == SWAP and key not in self._seen:
            kind = GET
        channel = self._target.channel(self._failed)
        operation = Operation(kind, key, time.monotonic())
        if kind in (PUT, SWAP):
            operation.value = self._unique()
        self.history.append(operation)
        try:
            {GET: self._get, PUT: self._put, DELETE: self._erase, SWAP: self._swap}[kind](channel.kv, operation)
            operation.end = time.monotonic()
        except (grpc.RpcError, ValueError):  # ValueError: the channel was closed under the call
            self._failed = channel

    def _saw(self, operation, kvs):
        if kvs:
            operation.seen, operation.seen_revision = kvs[0].value, kvs[0].mod_revision
            self._seen[operation.key] = (kvs[0].value, kvs[0].mod_revision)

    def _get(self, kv, operation):
        answer = kv.Range(self._message("RangeRequest", key=operation.key), timeout=10)
        operation.revision = answer.header.revision
        self._saw(operation, answer.kvs)

    def _put(self, kv, operation):
        answer = kv.Put(self._message("PutRequest", key=operation.key, value=operation.value), timeout=10)
        operation.revision = answer.header.revision
        self._seen[operation.key] = (operation.value, operation.revision)

    def _erase(self, kv, operation):
        answer = kv.DeleteRange(self._message("DeleteRangeRequest", key=operation.key, prev_kv=True), timeout=10)
        operation.revision = answer.header.revision
        if answer.prev_kvs:
            operation.seen, operation.seen_revision = answer.prev_kvs[0].value, answer.prev_kvs[0].mod_revision

    def _swap(self, kv, operation):
        operation.expected, mod_revision = self._seen[operation.key]
        answer = kv.Txn(self._message(
            "TxnRequest",
            compare=[self._message("Compare", key=operation.key, target="MOD", mod_revision=mod_revision)],
            success=[self._message("RequestOp", request_put=self._message("PutRequest", key=operation.key,
                                                                          value=operation.value))],
            failure=[self._message("RequestOp", request_range=self._message("RangeRequest", key=operation.key))]),
            timeout=10)
        operation.revision, operation.succeeded = answer.header.revision, answer.succeeded
        if answer.succeeded:
            self._seen[operation.key] = (operation.value, operation.revision)
        else:
            self._saw(operation, answer.responses[0].response_range.kvs)


def expect_found(history, what, by_revision=True):
    if violation_by_search(history) is None:
        sys.exit(f"the search does not see {what}")
    if by_revision and violation_by_revision(history) is None:
        sys.exit(f"the check by revision does not see {what}")


def check_the_checkers():
    def op(kind, begin, end, **fields):
        return Operation(kind, b"k", begin, end=end, **fields)
    sound = [op(PUT, 0, 1, value=b"1", revision=2),
             op(PUT, 2, 5, value=b"2", revision=3), op(GET, 3, 4, seen=b"1", revision=2, seen_revision=2),
             op(GET, 6, 7, seen=b"2", revision=3, seen_revision=3),
             op(SWAP, 8, 9, expected=b"2", value=b"3", succeeded=True, revision=4),
             Operation(PUT, b"k", 10, value=b"4"),
             op(GET, 11, 12, seen=b"4", revision=5, seen_revision=5),
             op(DELETE, 13, 14, seen=b"4", revision=6, seen_revision=5), op(GET, 15, 16, revision=6)]
    for check in (violation_by_search, violation_by_revision):
        if check(sound) is not None:
            sys.exit(f"{check.__name__} complains of a sound history: {check(sound)}")
    expect_found(sound[:2] + [op(GET, 6, 7, seen=b"1", revision=2, seen_revision=2)], "a stale read")
    expect_found(sound[:1] + [op(GET, 2, 3, revision=2)], "a lost write")
    expect_found(sound[:2] + [op(SWAP, 8, 9, expected=b"1", value=b"3", succeeded=True, revision=4)], "a swap over another")
    expect_found(sound + [op(GET, 17, 18, seen=b"4", revision=6, seen_revision=5)], "a key that came back")
    two_readers = [op(GET, 2.1, 2.2, seen=b"2", revision=3, seen_revision=3),
                   op(GET, 2.3, 2.4, seen=b"1", revision=2, seen_revision=2)]
    expect_found(sound[:2] + two_readers, "a read that goes back while a write is under way")


def plant(history, random_source):
    """The same history with one stale read in it, if it has a place for one; else None."""
    history = copy.deepcopy(history)
    puts = [one for one in history if one.kind == PUT and one.answered]
    random_source.shuffle(puts)
    for old in puts:
        newer = [one for one in history if one.writes and one.answered and one.key == old.key and one.begin > old.end]
        if not newer:
            continue
        after = min(one.end for one in newer)
        victims = [one for one in history if one.kind == GET and one.answered and one.key == old.key and
                   one.begin > after and one.seen != old.value]
        if victims:
            victim = random_source.choice(victims)
            victim.seen, victim.seen_revision = old.value, old.revision
            return history
    return None


def run_round(api, target, program, data, number, options):
    until = time.monotonic() + ROUND_S
    clients = [Client(api, target, client, b"%d/" % number, random.Random(f"{options.seed}/{number}/{client}"), until)
               for client in range(CLIENTS)]
    for client in clients:
        client.start()
    kills = 0
    while time.monotonic() < until:
        with RegistryProcess.minigrpcd(program, data_dir=data) as registry:
            target.set(registry.endpoint)
            # How long it lives; the last one of a round until the clients are done.
            life_s = random.uniform(*LIFE_S)
            time.sleep(min(life_s, max(0, until - time.monotonic())))
            if time.monotonic() >= until:
                for client in clients:
                    client.join()
                break
            registry.kill()
            kills += 1
        target.set(None)
    for client in clients:
        if client.is_alive():  # waits for a registry
            with RegistryProcess.minigrpcd(program, data_dir=data) as registry:
                target.set(registry.endpoint)
                client.join()
    target.set(None)
    return [one for client in clients for one in client.history], kills


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--program", required=True)
    parser.add_argument("--schemas", required=True)
    parser.add_argument("--seconds", type=float, default=ROUND_S)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    options = parser.parse_args()
    print(f"seed {options.seed}", flush=True)
    random.seed(options.seed)
    check_the_checkers()
    api = EtcdApi(options.schemas)
    target = Target(api)
    total = kills = lost = planted = 0
    rounds = max(1, round(options.seconds / ROUND_S))
    with tempfile.TemporaryDirectory(prefix="linearizable-") as directory:
        for number in range(rounds):
            history, killed = run_round(api, target, options.program, os.path.join(directory, "data"), number, options)
            why = violation_by_search(history) or violation_by_revision(history)
            if why:
                sys.exit(f"round {number}: not linearizable: {why}")
            wrong = plant(history, random)
            if wrong:
                planted += 1
                expect_found(wrong, "the stale read that was planted")
            total += len(history)
            kills += killed
            lost += sum(not one.answered for one in history)
    if not planted or not kills or total < 500:
        sys.exit(f"{total} operations, {kills} kills, {planted} planted violations: that shows nothing")
    print(f"{total} operations of {CLIENTS} clients, {lost} without an answer, {kills} kills: linearizable; "
          f"{planted} planted violations found")


if __name__ == "__main__":
    main()
