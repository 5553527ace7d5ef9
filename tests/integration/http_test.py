#!/usr/bin/env python3
"""HTTP/1.1 on the registry's port: etcd's JSON gateway and its pages, over plain sockets.

    http_test.py --program build/bin/minigrpcd          or --etcd, to check the expectations
"""
import argparse
import base64
import http.client
import json
import os
import socket
import sys
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from registry_process import RegistryProcess  # noqa: E402

OPTIONS = None
TIMEOUT_S = 30


def b64(text):
    return base64.b64encode(text.encode()).decode()


class Case(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.registry = RegistryProcess.etcd() if OPTIONS.etcd else RegistryProcess.minigrpcd(OPTIONS.program)
        cls.host, port = cls.registry.endpoint.split(":")
        cls.port = int(port)

    @classmethod
    def tearDownClass(cls):
        cls.registry.__exit__()

    def ask(self, method, path, body=None, headers=None):
        """Status, headers and body of one request on its own connection."""
        connection = http.client.HTTPConnection(self.host, self.port, timeout=TIMEOUT_S)
        self.addCleanup(connection.close)
        connection.request(method, path, body, headers or {})
        response = connection.getresponse()
        return response.status, response.headers, response.read().decode()

    def post(self, path, body, status=200):
        text = body if isinstance(body, str) else json.dumps(body)
        found, headers, answer = self.ask("POST", path, text)
        self.assertEqual(found, status, answer)
        self.assertEqual(headers["Content-Type"], "application/json")
        return json.loads(answer)

    def put(self, key, value, **more):
        return self.post("/v3/kv/put", {"key": b64(key), "value": b64(value), **more})

    def connect(self):
        peer = socket.create_connection((self.host, self.port), timeout=TIMEOUT_S)
        self.addCleanup(peer.close)
        return peer


class GatewayTest(Case):
    def test_put_range_deleterange(self):
        header = self.put("g/a", "1")["header"]
        self.assertEqual(set(header), {"cluster_id", "member_id", "revision", "raft_term"})
        self.assertIsInstance(header["revision"], str)
        self.put("g/b", "2")
        answer = self.post("/v3/kv/range", {"key": b64("g/"), "range_end": b64("g0")})
        self.assertEqual([(kv["key"], kv["value"], kv["version"]) for kv in answer["kvs"]],
                         [(b64("g/a"), b64("1"), "1"), (b64("g/b"), b64("2"), "1")])
        self.assertEqual(answer["kvs"][0]["create_revision"], header["revision"])
        self.assertEqual(answer["kvs"][0]["mod_revision"], header["revision"])
        self.assertEqual(answer["count"], "2")
        # Numbers may be given as such, and names in camel case.
        answer = self.post("/v3/kv/range", {"key": b64("g/"), "rangeEnd": b64("g0"), "limit": 1})
        self.assertEqual((len(answer["kvs"]), answer["more"]), (1, True))
        answer = self.post("/v3/kv/range", {"key": b64("g/"), "range_end": b64("g0"), "limit": "1", "sort_order":
                                            "DESCEND", "sort_target": "KEY"})
        self.assertEqual(answer["kvs"][0]["key"], b64("g/b"))
        answer = self.post("/v3/kv/deleterange", {"key": b64("g/a"), "prev_kv": True})
        self.assertEqual((answer["deleted"], answer["prev_kvs"][0]["value"]), ("1", b64("1")))
        # What has its default value is not written.
        self.assertEqual(set(self.post("/v3/kv/range", {"key": b64("g/a")})), {"header"})

    def test_the_older_prefix(self):
        self.put("beta", "1")
        self.assertEqual(self.post("/v3beta/kv/range", {"key": b64("beta")})["kvs"][0]["value"], b64("1"))

    def test_txn(self):
        txn = {"compare": [{"key": b64("txn"), "target": "VERSION", "result": "EQUAL", "version": "0"}],
               "success": [{"request_put": {"key": b64("txn"), "value": b64("new")}}],
               "failure": [{"request_range": {"key": b64("txn")}}]}
        self.assertTrue(self.post("/v3/kv/txn", txn)["succeeded"])
        answer = self.post("/v3/kv/txn", txn)
        self.assertNotIn("succeeded", answer)
        self.assertEqual(answer["responses"][0]["response_range"]["kvs"][0]["value"], b64("new"))

    def test_errors(self):
        revision = int(self.put("e", "1")["header"]["revision"])
        for path, body, status, code, message in (
                ("/v3/kv/put", {"value": b64("x")}, 400, 3, "etcdserver: key is not provided"),
                ("/v3/kv/range", {"key": b64("e"), "revision": str(revision + 1000)}, 400, 11,
                 "etcdserver: mvcc: required revision is a future revision"),
                ("/v3/lease/revoke", {"ID": "4711"}, 404, 5, "etcdserver: requested lease not found"),
                ("/v3/kv/lease/revoke", {"ID": "4711"}, 404, 5, "etcdserver: requested lease not found"),
                ("/v3/kv/put", {"key": b64("e"), "lease": "4711"}, 404, 5, "etcdserver: requested lease not found")):
            self.assertEqual(self.post(path, body, status), {"error": message, "code": code, "message": message})
        for body in ("{", '{"unknown_field": 1}', '{"key": 5}', '{"key": "Zm9v"', "[]"):
            answer = self.post("/v3/kv/range", body, 400)
            self.assertEqual((answer["code"], answer["error"]), (3, answer["message"]), body)
        self.assertEqual(self.ask("GET", "/v3/kv/range")[0], 405)
        self.assertEqual(self.ask("POST", "/v3/kv/nothing", "{}")[0], 404)
        self.assertEqual(self.ask("GET", "/nothing")[0], 404)

    def test_leases(self):
        granted = self.post("/v3/lease/grant", {"TTL": 600})
        self.assertEqual(granted["TTL"], "600")
        lease = granted["ID"]
        self.put("leased", "1", lease=lease)
        for path in ("/v3/lease/timetolive", "/v3/kv/lease/timetolive"):
            answer = self.post(path, {"ID": lease, "keys": True})
            self.assertEqual((answer["grantedTTL"], answer["keys"]), ("600", [b64("leased")]))
        self.assertIn({"ID": lease}, self.post("/v3/lease/leases", {})["leases"])
        answer = self.post("/v3/lease/keepalive", {"ID": lease})
        self.assertEqual((answer["result"]["ID"], answer["result"]["TTL"]), (lease, "600"))
        self.post("/v3/lease/revoke", {"ID": lease})
        self.assertNotIn("kvs", self.post("/v3/kv/range", {"key": b64("leased")}))

    def test_an_empty_body_is_an_empty_message(self):
        self.assertEqual(self.ask("POST", "/v3/cluster/member/list", "")[0], 200)

    def test_members_and_status(self):
        members = self.post("/v3/cluster/member/list", {})["members"]
        self.assertEqual(len(members), 1)
        self.assertEqual(members[0]["name"], "default")
        status = self.post("/v3/maintenance/status", {})
        self.assertEqual(status["leader"], members[0]["ID"])
        self.assertGreater(int(status["dbSize"]), 0)
        self.assertNotIn("alarms", self.post("/v3/maintenance/alarm", {"action": "GET"}))
        self.assertIn("hash", self.post("/v3/maintenance/hash", {}))

    def test_lock(self):
        lease = self.post("/v3/lease/grant", {"TTL": "600"})["ID"]
        key = self.post("/v3/lock/lock", {"name": b64("gateway-lock"), "lease": lease})["key"]
        self.assertEqual(base64.b64decode(key).decode(), f"gateway-lock/{int(lease):x}")
        self.post("/v3/lock/unlock", {"key": key})

    def test_a_client_that_leaves_does_not_get_the_lock(self):
        first, second = (self.post("/v3/lease/grant", {"TTL": "600"})["ID"] for _ in range(2))
        key = self.post("/v3/lock/lock", {"name": b64("left"), "lease": first})["key"]
        body = json.dumps({"name": b64("left"), "lease": second}).encode()
        waiting = self.connect()
        waiting.sendall(b"POST /v3/lock/lock HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
        prefix = {"key": b64("left/"), "range_end": b64("left0")}
        self.wait_for(lambda: self.post("/v3/kv/range", prefix).get("count") == "2")
        waiting.close()
        self.wait_for(lambda: self.post("/v3/kv/range", prefix).get("count") == "1")
        self.post("/v3/lock/unlock", {"key": key})

    def wait_for(self, condition):
        deadline = time.monotonic() + TIMEOUT_S
        while not condition():
            self.assertLess(time.monotonic(), deadline, "it did not come to pass")
            time.sleep(0.05)

    def start_watch(self, **create):
        connection = http.client.HTTPConnection(self.host, self.port, timeout=TIMEOUT_S)
        self.addCleanup(connection.close)
        connection.request("POST", "/v3/watch", json.dumps({"create_request": create}))
        response = connection.getresponse()
        self.assertEqual((response.status, response.headers["Content-Type"]), (200, "application/json"))
        self.assertTrue(json.loads(response.readline())["result"]["created"])
        return response

    def test_watch(self):
        watch = self.start_watch(key=b64("w/"), range_end=b64("w0"), prev_kv=True)
        revision = self.put("w/k", "1")["header"]["revision"]
        event, = json.loads(watch.readline())["result"]["events"]
        self.assertEqual(event, {"kv": {"key": b64("w/k"), "create_revision": revision, "mod_revision": revision,
                                        "version": "1", "value": b64("1")}})
        self.put("w/k", "2")
        self.assertEqual(json.loads(watch.readline())["result"]["events"][0]["prev_kv"]["value"], b64("1"))
        self.post("/v3/kv/deleterange", {"key": b64("w/k")})
        event, = json.loads(watch.readline())["result"]["events"]
        self.assertEqual((event["type"], event["kv"]["key"]), ("DELETE", b64("w/k")))
        again = self.start_watch(key=b64("w/k"), start_revision=revision)
        self.assertEqual(len(json.loads(again.readline())["result"]["events"]), 3)

    def test_a_watch_below_the_compaction(self):
        revision = self.put("compacted", "1")["header"]["revision"]
        last = self.put("compacted", "2")["header"]["revision"]
        self.post("/v3/kv/compaction", {"revision": last, "physical": True})
        watch = self.start_watch(key=b64("compacted"), start_revision=revision)
        answer = json.loads(watch.readline())["result"]
        self.assertEqual((answer["canceled"], answer["compact_revision"]), (True, last))

    def test_pages(self):
        status, _, body = self.ask("GET", "/version")
        self.assertEqual((status, set(json.loads(body)) & {"etcdserver", "etcdcluster"}),
                         (200, {"etcdserver", "etcdcluster"}))
        status, _, body = self.ask("GET", "/health")
        self.assertEqual((status, json.loads(body)["health"]), (200, "true"))
        status, headers, body = self.ask("GET", "/metrics")
        self.assertEqual(status, 200)
        self.assertTrue(headers["Content-Type"].startswith("text/plain; version=0.0.4"))
        for name in ("etcd_server_has_leader 1", "etcd_server_is_leader 1", "etcd_mvcc_db_total_size_in_bytes ",
                     "etcd_debugging_mvcc_current_revision ", "process_resident_memory_bytes ", "process_open_fds "):
            self.assertIn("\n" + name, body)

    def metrics(self):
        _, _, body = self.ask("GET", "/metrics")
        return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in body.splitlines() if line[0] != "#")}

    def test_metrics_count_what_is_done(self):
        before = self.metrics()
        self.put("counted", "1")
        self.post("/v3/kv/range", {"key": b64("counted")})
        self.post("/v3/kv/txn", {"success": [{"requestPut": {"key": b64("counted"), "value": b64("2")}},
                                               {"requestRange": {"key": b64("counted")}}]})
        self.post("/v3/kv/deleterange", {"key": b64("counted")})
        lease = self.post("/v3/lease/grant", {"TTL": "60"})["ID"]
        self.post("/v3/lease/revoke", {"ID": lease})
        watch = self.start_watch(key=b64("counted"))
        self.post("/v3/kv/put", {"key": b64("counted"), "value": b64("3")})
        self.assertIn("events", watch.readline().decode())  # it follows
        during = self.metrics()
        for name, more in {"etcd_mvcc_range_total": 2, "etcd_mvcc_put_total": 2, "etcd_mvcc_delete_total": 1,
                           "etcd_mvcc_txn_total": 1, "etcd_debugging_lease_granted_total": 1,
                           "etcd_debugging_lease_revoked_total": 1, "etcd_debugging_mvcc_watcher_total": 1}.items():
            with self.subTest(name):
                self.assertGreaterEqual(during[name], before[name] + more)
        name = "etcd_disk_wal_fsync_duration_seconds"
        self.assertGreaterEqual(during[name + "_count"], before[name + "_count"] + 3)
        self.assertEqual(during[name + '_bucket{le="+Inf"}'], during[name + "_count"])
        self.assertIn("etcd_server_proposals_pending", during)

    def test_variables_say_how_it_was_started(self):
        status, _, body = self.ask("GET", "/debug/vars")
        self.assertEqual(status, 200)
        self.assertIn("--data-dir", json.loads(body)["cmdline"])

    def test_one_connection_carries_many_requests(self):
        connection = http.client.HTTPConnection(self.host, self.port, timeout=TIMEOUT_S)
        self.addCleanup(connection.close)
        for i in range(5):
            connection.request("POST", "/v3/kv/put", json.dumps({"key": b64("many"), "value": b64(str(i))}))
            self.assertEqual(connection.getresponse().read().decode()[:10], '{"header":')
        # Several at once, in pieces.
        peer = self.connect()
        two = b"GET /version HTTP/1.1\r\nHost: x\r\n\r\nGET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        for byte in range(len(two)):
            peer.sendall(two[byte:byte + 1])
        received = b""
        while chunk := peer.recv(4096):
            received += chunk
        self.assertEqual(received.count(b"HTTP/1.1 200 OK\r\n"), 2)
        self.assertLess(received.index(b"etcdserver"), received.index(b"health"))

    def test_a_chunked_body_and_a_client_that_waits_to_be_told(self):
        body = json.dumps({"key": b64("chunked"), "value": base64.b64encode(b"x" * 1_000_000).decode()}).encode()
        status, _, answer = self.ask("POST", "/v3/kv/put", iter([body[:100], body[100:]]))
        self.assertEqual(status, 200, answer)
        peer = self.connect()
        peer.sendall(b"POST /v3/kv/range HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 20\r\n\r\n")
        self.assertTrue(peer.recv(4096).startswith(b"HTTP/1.1 100 Continue\r\n\r\n"))
        peer.sendall(b'{"key": "Y2h1bmtlZ"}')
        self.assertTrue(peer.recv(4096).startswith(b"HTTP/1.1 "))

    def test_cross_origin_requests(self):
        status, headers, _ = self.ask("OPTIONS", "/v3/kv/range", headers={"Origin": "http://shop.example"})
        self.assertEqual((status, headers["Access-Control-Allow-Origin"]), (200, "*"))


@unittest.skipIf("--etcd" in sys.argv, "of minigrpcd")
class OwnTest(Case):
    def test_checks(self):
        self.assertEqual(self.ask("GET", "/livez")[::2], (200, "ok\n"))
        self.assertEqual(self.ask("GET", "/readyz?verbose")[2],
                         "[+]data_corruption ok\n[+]serializable_read ok\n[+]linearizable_read ok\n[+]non_learner ok\n"
                         "ok\n")
        self.assertEqual(self.ask("GET", "/readyz/linearizable_read")[::2], (200, "ok\n"))
        self.assertEqual(self.ask("GET", "/readyz/nothing")[0], 404)

    def test_a_snapshot_through_the_gateway(self):
        _, _, body = self.ask("POST", "/v3/maintenance/snapshot", "{}")
        parts = [json.loads(line)["result"] for line in body.splitlines()]
        self.assertEqual(len(base64.b64decode(parts[-1]["blob"])), 32)
        self.assertEqual(sum(len(base64.b64decode(part["blob"])) for part in parts) % 4096, 32)

    def test_what_is_no_http_or_too_large_is_refused(self):
        for bytes_sent, answer in ((b"\x16\x03\x01\x00nonsense\r\n\r\n", b"HTTP/1.1 400 "),
                                   (b"GET / HTTP/1.1\r\nA: " + b"x" * 100_000, b"HTTP/1.1 431 "),
                                   (b"POST /v3/kv/put HTTP/1.1\r\nContent-Length: 99999999\r\n\r\n", b"HTTP/1.1 413 ")):
            peer = self.connect()
            peer.sendall(bytes_sent)
            self.assertTrue(peer.recv(4096).startswith(answer), answer)

    def test_a_slow_reader_of_a_watch_costs_nobody_anything(self):
        peer = self.connect()
        body = json.dumps({"create_request": {"key": b64("slow")}}).encode()
        peer.sendall(b"POST /v3/watch HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
        value = base64.b64encode(b"v" * 500_000).decode()
        for _ in range(20):
            self.post("/v3/kv/put", {"key": b64("slow"), "value": value})
        # It reads now, and has missed nothing.
        seen = b""
        while seen.count(b'"version":"20"') == 0:
            chunk = peer.recv(1 << 20)
            self.assertTrue(chunk)
            seen = seen[-100:] + chunk

    def test_stopping_does_not_wait_for_idle_connections_or_watches(self):
        registry = RegistryProcess.minigrpcd(OPTIONS.program)
        self.addCleanup(registry.__exit__)
        host, port = registry.endpoint.split(":")
        idle = socket.create_connection((host, int(port)), timeout=TIMEOUT_S)
        self.addCleanup(idle.close)
        idle.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
        self.assertIn(b"true", idle.recv(4096))
        watch = http.client.HTTPConnection(host, int(port), timeout=TIMEOUT_S)
        self.addCleanup(watch.close)
        watch.request("POST", "/v3/watch", json.dumps({"create_request": {"key": b64("k")}}))
        response = watch.getresponse()
        self.assertIn(b"created", response.readline())
        start = time.monotonic()
        self.assertEqual(registry.stop(), 0)
        self.assertLess(time.monotonic() - start, 4)
        self.assertIn(b"server stopped", response.readline())

    def test_flags(self):
        with RegistryProcess.minigrpcd(OPTIONS.program, arguments=["--cors", "http://a.example", "--host-whitelist",
                                                                   "localhost", "--enable-grpc-gateway=false"]) as registry:
            host, port = registry.endpoint.split(":")

            def ask(method, path, **headers):
                connection = http.client.HTTPConnection(host, int(port), timeout=TIMEOUT_S)
                self.addCleanup(connection.close)
                connection.request(method, path, "{}" if method == "POST" else None, headers)
                response = connection.getresponse()
                return response.status, response.headers["Access-Control-Allow-Origin"], response.read()

            self.assertEqual(ask("GET", "/health", Host="evil.example")[0], 421)
            self.assertEqual(ask("GET", "/health", Host="localhost:2379", Origin="http://a.example")[:2],
                             (200, "http://a.example"))
            self.assertEqual(ask("GET", "/health", Host="localhost", Origin="http://b.example")[:2], (200, None))
            self.assertEqual(ask("POST", "/v3/kv/range", Host="localhost")[0], 404)


def main():
    global OPTIONS
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", default="build/bin/minigrpcd")
    parser.add_argument("--etcd", action="store_true")
    OPTIONS, rest = parser.parse_known_args()
    unittest.main(argv=sys.argv[:1] + rest)


if __name__ == "__main__":
    main()
