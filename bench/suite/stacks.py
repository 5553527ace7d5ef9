"""The programs to compare, by name: what they are, where they are, and which of them are built."""

import os
import pathlib
import shutil
import subprocess

BENCH = pathlib.Path(__file__).resolve().parents[1]
PROTOS = BENCH.parent / "examples" / "prod"

SERVERS = {
    "bare_nghttp2": "a bare epoll loop over nghttp2, with protobuf, no runtime at all",
    "minigrpc_unary": "minigrpc, one event loop",
    "grpcpp_callback": "grpc++ 1.51, callback service",
    "grpcpp_sync": "grpc++ 1.51, synchronous service",
    "grpc_go": "grpc-go 1.76",
    "tonic": "tonic 0.14, one thread",
}

CLIENTS = {
    "minigrpc_unary": "minigrpc, one event loop",
    "grpcpp_callback": "grpc++ 1.51, callback stub",
    "grpcpp_async": "grpc++ 1.51, completion queue and one thread",
    "grpcpp_sync": "grpc++ 1.51, a thread for each call in flight",
    "grpc_go": "grpc-go 1.76",
    "tonic": "tonic 0.14, one thread",
}

# Those that ./dev bench --with-go and --with-rust add: the folder of both programs, below the others'.
FOLDERS = {"grpc_go": "go", "tonic": "rust/release"}


def server(name, options):
    """The path of its program."""
    return options.binaries / (f"{FOLDERS[name]}/server" if name in FOLDERS else name)


def client(name, options):
    return options.binaries / (f"{FOLDERS[name]}/client" if name in FOLDERS else f"{name}_client")


def built(names, path_of, options):
    """Those of `names` that take part; says which are not built. Go's and Rust's take part where they were asked for."""
    asked = [name for name in names if name not in FOLDERS or name in options.foreign]
    present = [name for name in asked if path_of(name, options).exists()]
    for name in asked:
        if name not in present:
            print(f"left out, not built: {path_of(name, options).name}")
    if not present:
        raise SystemExit(f"bench: nothing in {options.binaries}; ./dev bench builds it")
    return present


def prepare_foreign(options):
    """Builds what --with-go and --with-rust ask for; the names of the stacks that are there."""
    wanted = [("grpc_go", "go", prepare_go)] * options.with_go + [("tonic", "cargo", prepare_rust)] * options.with_rust
    prepared = []
    for name, tool, prepare in wanted:
        if not shutil.which(tool):
            print(f"left out: {name}, since there is no {tool} in PATH")
            continue
        try:
            prepare(options.binaries)
        except subprocess.CalledProcessError as failure:
            print(f"left out: {name}, since its build failed (modules come from the network, once): "
                  f"{failure.stdout[-2000:]}")
            continue
        prepared.append(name)
    return prepared


def build(command, folder, **environment):
    subprocess.run(command, cwd=folder, check=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                   env={**os.environ, **environment})


def prepare_go(binaries):
    folder, out = BENCH / "go", binaries / "go"
    out.mkdir(parents=True, exist_ok=True)
    for tool in ("google.golang.org/protobuf/cmd/protoc-gen-go", "google.golang.org/grpc/cmd/protoc-gen-go-grpc"):
        build(["go", "build", "-o", f"{out}/", tool], folder)
    generated = folder / "generated" / "prod"
    generated.mkdir(parents=True, exist_ok=True)
    package = "MProd.proto=bench/generated/prod"
    build(["protoc", f"-I{PROTOS}", f"--go_out={generated}", f"--go-grpc_out={generated}",
           "--go_opt=paths=source_relative", "--go-grpc_opt=paths=source_relative", f"--go_opt={package}",
           f"--go-grpc_opt={package}", "Prod.proto"], folder, PATH=f"{out}:{os.environ['PATH']}")
    build(["go", "build", "-o", f"{out}/", "./server", "./client"], folder)


def prepare_rust(binaries):
    build(["cargo", "build", "--locked", "--release", "--target-dir", str(binaries / "rust")], BENCH / "rust")
