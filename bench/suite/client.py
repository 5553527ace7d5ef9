"""Clients of GetProdStock: calls per second, and the client's processor time per call.

Each client keeps N calls in flight on one channel, pinned to one core; the server has the other. All are run against
the bare nghttp2 loop, the cheapest server there is, so that the client is what one measures; minigrpc's and grpc++'s
callback client also against minigrpc's server. Each client checks every answer. h2load stands for the floor: it keeps
no deadlines and parses no messages.
"""

import tempfile

from . import pinned, stacks
from .report import Demand, Result, bars, beside, median, spread_percent, table

OURS, CALLBACK, FLOOR = "minigrpc_unary", "grpcpp_callback", "h2load"
IN_FLIGHT = 100
# h2load is told how many calls to make, not for how long.
FLOOR_CALLS_PER_S = 200_000
TITLES = {**stacks.CLIENTS, FLOOR: "h2load: nghttp2, neither messages nor deadlines"}


def run_once(server_name, name, options, body):
    with pinned.Server(stacks.server(server_name, options), options.server_cpu) as server:
        server.check()
        before = server.processor_seconds()
        if name == FLOOR:
            count = round(FLOOR_CALLS_PER_S * options.seconds)
            rate, spent = pinned.h2load(server.port, count, options.client_cpu, body, connections=1, streams=IN_FLIGHT)
            run = {"calls": count, "calls_per_s": round(rate), "us_per_call": spent * 1e6}
        else:
            said = pinned.run_client(stacks.client(name, options), options.client_cpu, server.target, IN_FLIGHT,
                                     options.seconds)
            run = {"calls": said["calls"], "calls_per_s": round(said["calls"] / said["wall_s"]),
                   "us_per_call": said["processor_s"] / said["calls"] * 1e6}
        run["server_processor_s"] = round(server.processor_seconds() - before, 2)
        server.check()
    print(f"  {name:16} to {server_name:15} {run['calls_per_s']:9,} calls/s   {run['us_per_call']:6.2f} us/call",
          flush=True)
    return {"server": server_name, "client": name, **run}


def medians(runs):
    """For each pair, and what it is beside grpc++'s callback client of the same server."""
    rows = {}
    for pair in dict.fromkeys((run["server"], run["client"]) for run in runs):
        mine = [run for run in runs if (run["server"], run["client"]) == pair]
        rows[pair] = {"calls_per_s": round(median(mine, "calls_per_s")), "us_per_call": median(mine, "us_per_call"),
                      "spread_percent": spread_percent(mine, "us_per_call")}
    for (server, _), row in rows.items():
        callback = rows.get((server, CALLBACK), {})
        row["rate_of_grpcpp"] = beside(row["calls_per_s"], callback.get("calls_per_s"))
        row["time_below_grpcpp"] = beside(callback.get("us_per_call"), row["us_per_call"])
    return rows


def demands(rows):
    for server in ("bare_nghttp2", "minigrpc_unary"):
        ours = rows.get((server, OURS), {})
        for key, what in (("rate_of_grpcpp", "calls/s on one core"), ("time_below_grpcpp", "calls per processor second")):
            if ours.get(key):
                yield Demand(f"unary client to {server}, {what}, of grpc++ callback's", ours[key], 5, False)


def measure(options):
    names = stacks.built(stacks.CLIENTS, stacks.client, options)
    servers = stacks.built(["bare_nghttp2", "minigrpc_unary"], stacks.server, options)
    pairs = [("bare_nghttp2", name) for name in [FLOOR, *names]]
    pairs += [("minigrpc_unary", name) for name in names if name in (OURS, CALLBACK)]
    pairs = [pair for pair in pairs if pair[0] in servers]
    runs = []
    with tempfile.TemporaryDirectory() as folder:
        body = pinned.request_file(folder)
        for number in range(options.rounds):
            print(f"round {number + 1} of {options.rounds}")
            runs += [run_once(server, name, options, body) for server, name in pairs]
    rows = medians(runs)
    lines = [f"Unary GetProdStock, {IN_FLIGHT} calls in flight on one channel; medians of {options.rounds} rounds of "
             f"{options.seconds:g} s.", "The client is pinned to one core, the server to another.", ""]
    lines += table(["client", "server", "calls/s", "client's processor\ntime, us per call", "spread\n± %",
                    "rate beside\ncallback", "calls per processor\nsecond beside callback"],
                   [[TITLES[name], server, row["calls_per_s"], row["us_per_call"], row["spread_percent"],
                     row["rate_of_grpcpp"], row["time_below_grpcpp"]] for (server, name), row in rows.items()])

    def draw(figure):
        rates, times = figure.subplots(1, 2, sharey=True)
        labels = [f"{name} to {server}" for server, name in rows]
        bars(rates, labels, [row["calls_per_s"] for row in rows.values()], "calls/s")
        bars(times, labels, [row["us_per_call"] for row in rows.values()], "client's processor time per call, us")

    data = {"medians": [{"server": server, "client": name, **row} for (server, name), row in rows.items()], "runs": runs}
    return Result("client", "\n".join(lines), data, list(demands(rows)), draw)
