"""Servers of GetProdStock: requests per second, and processor time per call.

Each server runs alone, pinned to one core, with h2load on another; several rounds in turn, so that a machine that
speeds up or slows down does so for all. Before and after, a real gRPC client checks that the answer is right, and the
bytes that h2load received are those of right answers.
"""

import tempfile

from . import pinned, stacks
from .report import Demand, Result, bars, beside, median, spread_percent, table

BARE, OURS, CALLBACK = "bare_nghttp2", "minigrpc_unary", "grpcpp_callback"
WARM_UP_CALLS = 20_000


def run_once(name, options, body):
    with pinned.Server(stacks.server(name, options), options.server_cpu) as server:
        server.check()
        rate, _ = pinned.h2load(server.port, WARM_UP_CALLS, options.client_cpu, body)
        count = max(WARM_UP_CALLS, round(rate * options.seconds / 1000) * 1000)
        before = server.processor_seconds()
        rate, _ = pinned.h2load(server.port, count, options.client_cpu, body)
        spent = server.processor_seconds() - before
        server.check()
    run = {"server": name, "calls": count, "requests_per_s": round(rate), "us_per_call": spent / count * 1e6}
    print(f"  {name:16} {run['requests_per_s']:9,} requests/s   {run['us_per_call']:6.2f} us/call", flush=True)
    return run


def medians(runs, names):
    """For each server, and what it is beside the bare loop and grpc++'s callback service."""
    rows = {}
    for name in names:
        mine = [run for run in runs if run["server"] == name]
        rows[name] = {"requests_per_s": round(median(mine, "requests_per_s")),
                      "us_per_call": median(mine, "us_per_call"), "spread_percent": spread_percent(mine, "us_per_call")}
    for row in rows.values():
        row["time_of_bare"] = beside(row["us_per_call"], rows.get(BARE, {}).get("us_per_call"))
        row["rate_of_grpcpp"] = beside(row["requests_per_s"], rows.get(CALLBACK, {}).get("requests_per_s"))
    return rows


def demands(rows):
    ours = rows.get(OURS, {})
    if ours.get("time_of_bare"):
        yield Demand("unary server, processor time per call, of the bare loop's", ours["time_of_bare"], 1.25, True)
    if ours.get("rate_of_grpcpp"):
        yield Demand("unary server, requests/s on one core, of grpc++ callback's", ours["rate_of_grpcpp"], 6, False)


def measure(options):
    names = stacks.built(stacks.SERVERS, stacks.server, options)
    runs = []
    with tempfile.TemporaryDirectory() as folder:
        body = pinned.request_file(folder)
        for number in range(options.rounds):
            print(f"round {number + 1} of {options.rounds}")
            runs += [run_once(name, options, body) for name in names]
    rows = medians(runs, names)
    lines = [f"Unary GetProdStock, h2load -c 10 -m 100; medians of {options.rounds} rounds of {options.seconds:g} s.",
             "Each server is pinned to one core, h2load to another.", ""]
    lines += table(["server", "requests/s", "processor time\nus per call", "spread\n± %", "time beside\nthe bare loop",
                    "rate beside\ncallback"],
                   [[stacks.SERVERS[name], row["requests_per_s"], row["us_per_call"], row["spread_percent"],
                     row["time_of_bare"], row["rate_of_grpcpp"]] for name, row in rows.items()])

    def draw(figure):
        rates, times = figure.subplots(1, 2, sharey=True)
        bars(rates, rows, [row["requests_per_s"] for row in rows.values()], "requests/s")
        bars(times, rows, [row["us_per_call"] for row in rows.values()], "processor time per call, us")

    return Result("unary", "\n".join(lines), {"medians": rows, "runs": runs}, list(demands(rows)), draw)
