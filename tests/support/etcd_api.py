"""etcd's v3 API through Python's grpcio, from minigrpc's own schemas: a client that shares no code with minigrpc.

    api = EtcdApi(schema_dir)
    channel = api.connect("127.0.0.1:2379")
    channel.kv.Put(api.message("etcdserverpb.PutRequest", key=b"k", value=b"v"))
"""
import glob
import os
import subprocess
import tempfile

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory


class EtcdApi:
    def __init__(self, schema_dir):
        files = [os.path.relpath(path, schema_dir) for path in glob.glob(os.path.join(schema_dir, "etcd/api/*.proto"))]
        with tempfile.NamedTemporaryFile() as out:
            subprocess.run(["protoc", "-I", schema_dir, "--include_imports", "-o", out.name, *sorted(files)], check=True)
            descriptors = descriptor_pb2.FileDescriptorSet.FromString(out.read())
        self._pool = descriptor_pool.DescriptorPool()
        for file in descriptors.file:
            self._pool.Add(file)
        self._factory = message_factory.MessageFactory(self._pool)

    def type(self, name):
        return self._factory.GetPrototype(self._pool.FindMessageTypeByName(name))

    def message(self, name, /, **fields):
        return self.type(name)(**fields)

    def connect(self, endpoint, options=()):
        return EtcdChannel(self, grpc.insecure_channel(endpoint, options=options))

    def stub(self, channel, service_name):
        """An object with a callable for each method of the service."""
        service = self._pool.FindServiceByName(service_name)
        stub = type(service.name, (), {})()
        for method in service.methods:
            proto = descriptor_pb2.MethodDescriptorProto()
            method.CopyToProto(proto)
            kind = ("stream" if proto.client_streaming else "unary") + "_" + \
                   ("stream" if proto.server_streaming else "unary")
            call = getattr(channel, kind)(
                f"/{service_name}/{method.name}",
                request_serializer=lambda message: message.SerializeToString(),
                response_deserializer=self._factory.GetPrototype(method.output_type).FromString)
            setattr(stub, method.name, call)
        return stub


class EtcdChannel:
    def __init__(self, api, channel):
        self.channel = channel
        self.kv = api.stub(channel, "etcdserverpb.KV")
        self.watch = api.stub(channel, "etcdserverpb.Watch")
        self.lease = api.stub(channel, "etcdserverpb.Lease")
        self.cluster = api.stub(channel, "etcdserverpb.Cluster")
        self.maintenance = api.stub(channel, "etcdserverpb.Maintenance")
        self.lock = api.stub(channel, "v3lockpb.Lock")

    def close(self):
        self.channel.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
