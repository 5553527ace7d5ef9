"""What the server keeps in memory for an idle connection, and for an idle stream.

10,000 connections make one call each, and then are silent; 100,000 calls of an echo, on 100 connections, exchange one
message each, and then stay open. Resident memory after, less that before, divided by their number; what the kernel holds
for sockets is not in it. Then each connection and stream is used once more, so that none of them was lost.
"""

import resource
import time

from . import pinned, stacks
from .report import Demand, Result, bars, table

CONNECTIONS = 10_000
STREAM_CONNECTIONS, STREAMS_EACH = 100, 1000
OURS = {"connection": "minigrpc_unary", "stream": "minigrpc_streams"}
SERVERS = {"connection": ["bare_nghttp2", "minigrpc_unary", "grpcpp_callback", "grpc_go", "tonic"],
           "stream": ["minigrpc_streams", "grpcpp_streams"]}
TITLES = {**stacks.SERVERS, "minigrpc_streams": "minigrpc, one event loop",
          "grpcpp_streams": "grpc++ 1.51, callback service"}
KIB_DEMANDED = {"connection": 16, "stream": 2}
DESCRIPTORS_BESIDE = 100  # what a process has open besides its connections
SETTLING_S = 1  # for what the server frees a little later


def connections_possible():
    """Raises this process's limit of open files, which children inherit; how many connections fit into it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = CONNECTIONS + DESCRIPTORS_BESIDE
    if soft < wanted:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, max(wanted, hard)))
        except (ValueError, PermissionError):  # not root: up to the hard limit
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return min(CONNECTIONS, resource.getrlimit(resource.RLIMIT_NOFILE)[0] - DESCRIPTORS_BESIDE)


def run_once(kind, name, connections, options):
    raw = stacks.client("raw_http2", options)
    with pinned.Server(stacks.server(name, options), options.server_cpu) as server:
        if kind == "connection":
            server.check()
            warm_up, count, work = ("connections", server.port, 1), connections, ("connections", server.port, connections)
        else:
            warm_up, count = ("streams", server.port, 1, 1), STREAM_CONNECTIONS * STREAMS_EACH
            work = ("streams", server.port, STREAM_CONNECTIONS, STREAMS_EACH)
        with pinned.Holder(raw, options.client_cpu, *warm_up) as holder:
            holder.release()
        before = server.resident_kib()
        with pinned.Holder(raw, options.client_cpu, *work) as holder:
            time.sleep(SETTLING_S)
            after = server.resident_kib()
            answered = holder.release()
        if answered != count:
            raise RuntimeError(f"{name}: {answered} of {count} were still there")
    row = {"kind": kind, "server": name, "count": count, "before_kib": before, "after_kib": after,
           "kib_each": round((after - before) / count, 2)}
    print(f"  {name:16} {count:7,} {kind}s: {row['kib_each']:6.2f} KiB each", flush=True)
    return row


def measure(options):
    connections = connections_possible()
    rows = []
    for kind, names in SERVERS.items():
        rows += [run_once(kind, name, connections, options) for name in stacks.built(names, stacks.server, options)]
    lines = ["Resident memory of the server: after, less before, for each idle connection and each open idle stream.",
             f"Streams: {STREAM_CONNECTIONS} connections with {STREAMS_EACH:,} each. All were used again afterwards."]
    if connections < CONNECTIONS:
        lines.append(f"ONLY {connections:,} connections: the limit of open files could not be raised further (ulimit -Hn).")
    lines += ["", *table(["idle", "server", "count", "before\nMiB", "after\nMiB", "KiB each"],
                         [[row["kind"], TITLES[row["server"]], row["count"], row["before_kib"] / 1024,
                           row["after_kib"] / 1024, row["kib_each"]] for row in rows])]
    demands = [Demand(f"memory of the server for an idle {row['kind']}, {row['count']:,} of them", row["kib_each"],
                      KIB_DEMANDED[row["kind"]], True, "KiB") for row in rows if OURS[row["kind"]] == row["server"]]

    def draw(figure):
        for axes, kind in zip(figure.subplots(1, 2), SERVERS):
            mine = [row for row in rows if row["kind"] == kind]
            bars(axes, [TITLES[row["server"]] for row in mine], [row["kib_each"] for row in mine],
                 f"KiB for an idle {kind}")
            axes.axvline(KIB_DEMANDED[kind], color="black", linestyle=":")

    return Result("memory", "\n".join(lines), {"rows": rows}, demands, draw)
