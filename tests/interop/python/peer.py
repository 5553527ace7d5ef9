"""What Python's peers share: the messages, compiled from the schemas when they start."""

import pathlib
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
SCHEMAS = [HERE.parent / "peer.proto", HERE.parents[2] / "examples" / "prod" / "Prod.proto"]


def compile_schemas():
    """Imports the modules peer_pb2, peer_pb2_grpc, Prod_pb2 and Prod_pb2_grpc, made by protoc; returns them."""
    with tempfile.TemporaryDirectory() as out:
        command = ["protoc", f"--python_out={out}", f"--grpc_python_out={out}"]
        command += ["--plugin=protoc-gen-grpc_python=/usr/bin/grpc_python_plugin"]
        command += [f"-I{schema.parent}" for schema in SCHEMAS] + [str(schema) for schema in SCHEMAS]
        subprocess.run(command, check=True)
        sys.path.insert(0, out)
        import peer_pb2
        import peer_pb2_grpc
        import Prod_pb2
        import Prod_pb2_grpc
    return peer_pb2, peer_pb2_grpc, Prod_pb2, Prod_pb2_grpc


def pattern(size):
    return bytes(i % 251 for i in range(251)) * (size // 251) + bytes(range(size % 251))
