"""Streams of 1 KiB and of 1 MiB messages, from the server (download) and to it (upload): messages per second.

Each stack's callback or coroutine client talks to its own server, the client on one core, the server on another: one
stream, then ten at a time. Both sides check the number of each message, and two bytes of its data.
"""

from . import pinned, stacks
from .report import Demand, Result, bars, beside, median, spread_percent, table

OURS, THEIRS = "minigrpc_streams", "grpcpp_streams"
TITLES = {OURS: "minigrpc", THEIRS: "grpc++ 1.51 callback"}
SIZES = {"1 KiB": 1 << 10, "1 MiB": 1 << 20}
RATIO_DEMANDED = {"1 KiB": 5, "1 MiB": 1.5}
CASES = [(direction, size, streams) for size in SIZES for direction in ("download", "upload") for streams in (1, 10)]


def run_once(name, case, options):
    direction, size, streams = case
    # A second is a million small messages; half of the usual time does.
    with pinned.Server(stacks.server(name, options), options.server_cpu) as server:
        said = pinned.run_client(stacks.client(name, options), options.client_cpu, server.target, direction,
                                 SIZES[size], streams, options.seconds / 2)
        served = server.processor_seconds()
    run = {"stack": name, "direction": direction, "size": size, "streams": streams, "messages": said["calls"],
           "messages_per_s": said["calls"] / said["wall_s"], "client_us": said["processor_s"] / said["calls"] * 1e6,
           "server_us": served / said["calls_total"] * 1e6}
    print(f"  {name:16} {direction:8} {size} x {streams:2} {run['messages_per_s']:11,.0f} messages/s   us per message: "
          f"client {run['client_us']:8.2f}, server {run['server_us']:8.2f}", flush=True)
    return run


def medians(runs, names):
    rows = {}
    for case in CASES:
        for name in names:
            mine = [run for run in runs if (run["stack"], run["direction"], run["size"], run["streams"]) == (name, *case)]
            rows[name, case] = {key: median(mine, key) for key in ("messages_per_s", "client_us", "server_us")}
            rows[name, case]["spread_percent"] = spread_percent(mine, "messages_per_s")
    for (_, case), row in rows.items():
        theirs = rows.get((THEIRS, case))
        row["rate_of_grpcpp"] = theirs and beside(row["messages_per_s"], theirs["messages_per_s"])
        row["time_below_grpcpp"] = theirs and beside(theirs["client_us"] + theirs["server_us"],
                                                     row["client_us"] + row["server_us"])
    return rows


def demands(rows):
    for (name, (direction, size, streams)), row in rows.items():
        if name == OURS and row["rate_of_grpcpp"]:
            what = f"{streams} {direction} stream{'s' if streams > 1 else ''} of {size} messages, messages/s, of grpc++'s"
            yield Demand(what, row["rate_of_grpcpp"], RATIO_DEMANDED[size], False)


def measure(options):
    names = stacks.built([OURS, THEIRS], stacks.server, options)
    runs = []
    for number in range(options.rounds):
        print(f"round {number + 1} of {options.rounds}")
        runs += [run_once(name, case, options) for case in CASES for name in names]
    rows = medians(runs, names)
    lines = [f"Streams, client and server of the same stack, a core each; medians of {options.rounds} rounds of "
             f"{options.seconds / 2:g} s.", ""]
    lines += table(["streams", "stack", "messages/s", "spread\n± %", "MiB/s", "processor time, us per\nmessage: client",
                    "\nserver", "rate beside\ngrpc++", "messages per processor\nsecond beside grpc++"],
                   [[f"{streams:2} {direction}, {size}", TITLES[name], round(row["messages_per_s"]),
                     row["spread_percent"], round(row["messages_per_s"] * SIZES[size] / (1 << 20)), row["client_us"],
                     row["server_us"], row["rate_of_grpcpp"], row["time_below_grpcpp"]]
                    for (name, (direction, size, streams)), row in rows.items()])

    def draw(figure):
        for axes, size in zip(figure.subplots(1, 2), SIZES):
            shown = {f"{TITLES[name]}, {streams} {direction}": row["messages_per_s"]
                     for (name, (direction, of_size, streams)), row in rows.items() if of_size == size}
            bars(axes, shown, shown.values(), f"messages of {size}/s")

    data = {"medians": [{"stack": name, "direction": direction, "size": size, "streams": streams, **row}
                        for (name, (direction, size, streams)), row in rows.items()], "runs": runs}
    return Result("streams", "\n".join(lines), data, list(demands(rows)), draw)
