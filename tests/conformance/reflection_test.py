#!/usr/bin/env python3
"""minigrpc's list, describe and call against a server that tells of its schema by reflection.

    reflection_test.py --bin build/bin --protoc protoc
"""
import argparse
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

HERE = pathlib.Path(__file__).resolve().parent
OPTIONS = None
TIMEOUT_S = 60
ENVIRONMENT = {name: value for name, value in os.environ.items()
               if not name.startswith(("ETCDCTL_", "MINIGRPC_")) and not name.lower().endswith("_proxy")}


class ReflectionTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = subprocess.Popen([OPTIONS.bin / "interop_server", "--port=0"], stdout=subprocess.PIPE, text=True)
        cls.address = "127.0.0.1:" + cls.server.stdout.readline().split()[1]

    @classmethod
    def tearDownClass(cls):
        cls.server.kill()
        cls.server.wait()
        cls.server.stdout.close()

    def minigrpc(self, *arguments, stdin="", status=0):
        done = subprocess.run([OPTIONS.bin / "minigrpc", *arguments], input=stdin, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True, timeout=TIMEOUT_S, env=ENVIRONMENT, check=False)
        self.assertEqual(done.returncode, status, (arguments, done.stdout, done.stderr))
        return done.stdout if status == 0 else done.stderr

    def test_list(self):
        self.assertEqual(self.minigrpc("list", self.address).split(),
                         ["grpc.channelz.v1.Channelz", "grpc.reflection.v1.ServerReflection", "grpc.reflection.v1alpha.ServerReflection",
                          "grpc.testing.TestService", "xds.service.orca.v3.OpenRcaService"])
        methods = self.minigrpc("list", self.address, "grpc.testing.TestService").split()
        self.assertEqual(methods[0], "grpc.testing.TestService.EmptyCall")
        self.assertEqual(len(methods), 8)
        self.assertEqual(self.minigrpc("list", self.address, "TestService").split(), methods)
        self.assertIn("Nothing", self.minigrpc("list", self.address, "Nothing", status=1))

    def test_describe(self):
        service = self.minigrpc("describe", self.address, "grpc.testing.TestService")
        self.assertTrue(service.startswith("grpc.testing.TestService is a service:\nservice TestService {\n"), service)
        self.assertIn("rpc UnaryCall(.grpc.testing.SimpleRequest) returns (.grpc.testing.SimpleResponse);", service)
        self.assertIn("is a method:\nrpc EmptyCall",
                      self.minigrpc("describe", self.address, "grpc.testing.TestService/EmptyCall"))
        self.assertIn("int32 interval_us = 2;", self.minigrpc("describe", self.address, ".grpc.testing.ResponseParameters"))
        self.assertIn("COMPRESSABLE = 0;", self.minigrpc("describe", self.address, "grpc.testing.PayloadType"))
        self.assertEqual(self.minigrpc("describe", self.address).count(" is a service:\n"),
                         len(self.minigrpc("list", self.address).split()))
        self.assertIn("nothing is called", self.minigrpc("describe", self.address, "grpc.testing.No", status=1))

    def test_calls_of_every_kind(self):
        unary = self.minigrpc("call", self.address, "grpc.testing.TestService/UnaryCall", '{"response_size": 3}')
        self.assertEqual(json.loads(unary), {"payload": {"body": "AAAA"}})
        fed = self.minigrpc("call", self.address, "TestService/StreamingOutputCall",
                            '{"response_parameters": [{"size": 1}, {"size": 3}]}')
        self.assertEqual([json.loads(line) for line in fed.splitlines()],
                         [{"payload": {"body": "AA=="}}, {"payload": {"body": "AAAA"}}])
        counted = self.minigrpc("call", self.address, "TestService/StreamingInputCall", "-d", "@",
                                stdin='{"payload": {"body": "AAAA"}}\n{"payload": {"body": "AAAA"}}')
        self.assertEqual(json.loads(counted), {"aggregatedPayloadSize": 6})
        chat = self.minigrpc("call", self.address, "TestService.FullDuplexCall", "-d", "@",
                             stdin='{"response_parameters": [{"size": 3}]}{"response_parameters": [{"size": 3}]}')
        self.assertEqual(len(chat.splitlines()), 2)

    def test_failures(self):
        text = self.minigrpc("call", self.address, "TestService/UnaryCall",
                             '{"response_status": {"code": 9, "message": "not now"}}', status=64 + 9)
        self.assertIn("not now", text)
        self.assertIn("there are: grpc.channelz.v1.Channelz, grpc.reflection.v1.ServerReflection",
                      self.minigrpc("call", self.address, "Nobody/Call", status=128))
        self.assertIn("has no method \"Nothing\"", self.minigrpc("call", self.address, "TestService/Nothing", status=128))
        self.assertIn("whom to ask", self.minigrpc("list", status=128))

    def test_channelz(self):
        self.minigrpc("call", self.address, "TestService/EmptyCall")
        lines = self.minigrpc("channelz", self.address).splitlines()
        port = self.address.split(":")[1]
        self.assertRegex(lines[0], rf"^server 1 0\.0\.0\.0:{port}: \d+ calls, [1-9]\d* OK, \d+ failed, the last \d s ago$")
        self.assertEqual(lines[1], f"  listening socket 2 0.0.0.0:{port}")
        self.assertRegex(lines[2], r"^  socket \d+ 127\.0\.0\.1:\d+: \d+ streams, \d+ OK, 0 failed; \d+ messages sent")
        server = json.loads(self.minigrpc("channelz", self.address, "1"))["server"]
        self.assertEqual(server["data"]["trace"]["events"][1]["description"], f"listening on 0.0.0.0:{port}")
        socket = json.loads(self.minigrpc("channelz", self.address, "2"))["socket"]
        self.assertEqual(socket["local"]["tcpipAddress"], {"ipAddress": "AAAAAA==", "port": int(port)})
        self.assertIn("nothing has the id 12345", self.minigrpc("channelz", self.address, "12345", status=1))
        self.assertIn("is no id", self.minigrpc("channelz", self.address, "seven", status=128))
        self.assertIn("whom to ask", self.minigrpc("channelz", status=128))

    def test_descriptor_sets_and_files(self):
        with tempfile.TemporaryDirectory() as folder:
            protoset = os.path.join(folder, "test.pb")
            subprocess.run([OPTIONS.protoc, f"-I{HERE / 'proto'}", "--include_imports", f"--descriptor_set_out={protoset}",
                            "grpc/testing/test.proto"], check=True)
            self.assertEqual(self.minigrpc("list", "--protoset", protoset).split(),
                             ["grpc.testing.TestService", "grpc.testing.UnimplementedService"])
            self.assertIn("is a message", self.minigrpc("describe", "grpc.testing.Payload", "--protoset", protoset))
            self.minigrpc("call", self.address, "TestService/EmptyCall", "--protoset", protoset)
            self.minigrpc("call", self.address, "UnimplementedService/UnimplementedCall", "--protoset", protoset,
                          status=64 + 12)
            with open(protoset, "ab") as file:
                file.write(b"\xff")
            self.assertIn("no descriptor set", self.minigrpc("list", "--protoset", protoset, status=128))
        files = ["-I", str(HERE / "proto"), "--proto", "grpc/testing/test.proto"]
        self.assertIn("grpc.testing.TestService.EmptyCall", self.minigrpc("list", "TestService", *files))


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--bin", type=pathlib.Path, required=True)
    parser.add_argument("--protoc", default="protoc")
    OPTIONS, rest = parser.parse_known_args()
    unittest.main(argv=[sys.argv[0], *rest])
