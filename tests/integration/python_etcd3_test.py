#!/usr/bin/env python3
"""Python's etcd3 client (Debian's python3-etcd3), which shares no code with minigrpc, against minigrpcd.

    python_etcd3_test.py --program build/bin/minigrpcd          or --etcd, to check the expectations
"""
import argparse
import os
import sys
import threading
import unittest

import etcd3
import etcd3.etcdrpc as rpc
import grpc

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from registry_process import RegistryProcess  # noqa: E402

OPTIONS = None
TIMEOUT_S = 30


class PythonEtcd3Test(unittest.TestCase):
    def setUp(self):
        self.registry = RegistryProcess.etcd() if OPTIONS.etcd else RegistryProcess.minigrpcd(
            OPTIONS.program, arguments=["--bcrypt-cost", "4"])
        self.addCleanup(self.registry.__exit__)
        self.client = self.connect()

    def connect(self, **options):
        host, port = self.registry.endpoint.split(":")
        client = etcd3.client(host=host, port=int(port), timeout=TIMEOUT_S, **options)
        self.addCleanup(client.close)
        return client

    def test_kv(self):
        self.client.put("a/1", "one")
        self.client.put("a/2", "two")
        value, about = self.client.get("a/1")
        self.assertEqual((value, about.key, about.version, about.mod_revision), (b"one", b"a/1", 1, 2))
        self.assertEqual([v for v, _ in self.client.get_prefix("a/", sort_order="descend")], [b"two", b"one"])
        self.assertEqual(self.client.get("none"), (None, None))
        self.assertTrue(self.client.replace("a/1", "one", "uno"))
        self.assertFalse(self.client.replace("a/1", "one", "eins"))
        self.assertTrue(self.client.put_if_not_exists("a/3", "three"))
        self.assertFalse(self.client.put_if_not_exists("a/3", "drei"))
        self.assertEqual(self.client.delete_prefix("a/").deleted, 3)
        self.assertFalse(self.client.delete("a/1"))

    def test_transaction(self):
        self.client.put("k", "v")
        transactions = self.client.transactions
        done, answers = self.client.transaction(
            compare=[transactions.value("k") == "v", transactions.version("k") > 0],
            success=[transactions.put("k", "w"), transactions.get("k")], failure=[transactions.delete("k")])
        self.assertTrue(done)
        self.assertEqual(answers[1][0][0], b"w")
        done, _ = self.client.transaction(compare=[transactions.create("k") == 0], success=[],
                                          failure=[transactions.delete("k")])
        self.assertFalse(done)
        self.assertEqual(self.client.get("k")[0], None)

    def test_watch(self):
        heard, enough = [], threading.Event()

        def hear(response):
            heard.extend((type(event).__name__, event.key, event.value) for event in response.events)
            if len(heard) >= 3:
                enough.set()

        watch = self.client.add_watch_prefix_callback("w/", hear)
        self.client.put("w/1", "a")
        self.client.put("other", "x")
        self.client.put("w/2", "b")
        self.client.delete("w/1")
        self.assertTrue(enough.wait(TIMEOUT_S))
        self.client.cancel_watch(watch)
        self.assertEqual(heard, [("PutEvent", b"w/1", b"a"), ("PutEvent", b"w/2", b"b"), ("DeleteEvent", b"w/1", b"")])

    def test_lease(self):
        lease = self.client.lease(600)
        self.client.put("leased", "v", lease=lease)
        self.assertEqual(lease.granted_ttl, 600)
        self.assertEqual(list(lease.keys), [b"leased"])
        self.assertEqual([answer.TTL for answer in lease.refresh()], [600])
        lease.revoke()
        self.assertEqual(self.client.get("leased")[0], None)

    def test_lock(self):
        # Alone: with Debian's tenacity its waiting for somebody else fails before it asks the registry.
        lock = self.client.lock("mutex", ttl=60)
        for _ in range(2):
            self.assertTrue(lock.acquire(timeout=TIMEOUT_S))
            self.assertTrue(lock.is_acquired())
            self.assertTrue(lock.release())
            self.assertFalse(lock.is_acquired())

    def test_status_and_compaction(self):
        for i in range(5):
            self.client.put("k", str(i))
        self.client.compact(4, physical=True)
        status = self.client.status()
        self.assertTrue(status.version.startswith("3."))
        self.assertEqual(status.leader.id, next(iter(self.client.members)).id)
        self.assertEqual(list(self.client.list_alarms()), [])
        self.client.defragment()

    def test_users(self):
        auth = rpc.AuthStub(self.client.channel)
        auth.UserAdd(rpc.AuthUserAddRequest(name="root", password="secret"))
        auth.UserGrantRole(rpc.AuthUserGrantRoleRequest(user="root", role="root"))
        auth.AuthEnable(rpc.AuthEnableRequest())
        # The client's own way, call credentials, is for TLS alone since grpcio 1.33.
        token = auth.Authenticate(rpc.AuthenticateRequest(name="root", password="secret")).token
        kv, metadata = rpc.KVStub(self.client.channel), [("token", token)]
        kv.Put(rpc.PutRequest(key=b"k", value=b"v"), metadata=metadata)
        self.assertEqual(kv.Range(rpc.RangeRequest(key=b"k"), metadata=metadata).kvs[0].value, b"v")
        with self.assertRaises(grpc.RpcError) as caught:
            kv.Put(rpc.PutRequest(key=b"k", value=b"w"))
        self.assertEqual(caught.exception.details(), "etcdserver: user name is empty")


def main():
    global OPTIONS
    parser = argparse.ArgumentParser()
    parser.add_argument("--program", help="the minigrpcd to test")
    parser.add_argument("--etcd", action="store_true", help="test the real etcd")
    OPTIONS, rest = parser.parse_known_args()
    unittest.main(argv=[sys.argv[0], *rest])


if __name__ == "__main__":
    main()
