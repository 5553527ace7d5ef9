"""The programs to compare, by name: what they are, and which of them are built."""

SERVERS = {
    "bare_nghttp2": "a bare epoll loop over nghttp2, with protobuf, no runtime at all",
    "minigrpc_unary": "minigrpc, one event loop",
    "grpcpp_callback": "grpc++ 1.51, callback service",
    "grpcpp_sync": "grpc++ 1.51, synchronous service",
}

CLIENTS = {
    "minigrpc_unary": "minigrpc, one event loop",
    "grpcpp_callback": "grpc++ 1.51, callback stub",
    "grpcpp_async": "grpc++ 1.51, completion queue and one thread",
    "grpcpp_sync": "grpc++ 1.51, a thread for each call in flight",
}


def server(name, options):
    """The path of its program."""
    return options.binaries / name


def client(name, options):
    return options.binaries / f"{name}_client"


def built(names, path_of, options):
    """Those of `names` whose program is there; says which are not."""
    present = [name for name in names if path_of(name, options).exists()]
    for name in names:
        if name not in present:
            print(f"left out, not built: {path_of(name, options).name}")
    if not present:
        raise SystemExit(f"bench: nothing in {options.binaries}; ./dev bench builds it")
    return present
