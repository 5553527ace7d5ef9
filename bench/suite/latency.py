"""One call at a time: how long it takes, beside a bare exchange of the same number of bytes on the same kind of loop.

What a call of minigrpc sends and receives is counted by a relay first, so many bytes does the bare ping-pong exchange.
Each case is run with a core for each side, as services have them, where waking the other core is most of it; and with
both sides on one core, where nothing is hidden by that, and no demand stands.
"""

import tempfile

from . import pinned, stacks
from .report import Demand, Result, bars, beside, median, spread_percent, table

BARE, OURS, CALLBACK = "ping_pong", "minigrpc_unary", "grpcpp_callback"
TITLES = {BARE: "bare ping-pong over Asio", OURS: "minigrpc", CALLBACK: "grpc++ 1.51 callback"}
TRANSPORTS = {"TCP": lambda folder: "0", "Unix socket": lambda folder: f"unix:{folder}/s"}
PLACES = {"a core each": False, "both on one core": True}
CASES = [(transport, place) for transport in TRANSPORTS for place in PLACES]


def bytes_of_a_call(options):
    """(sent, received) by minigrpc's client for a call, HTTP/2's own frames included."""
    with pinned.Server(stacks.server(OURS, options), options.server_cpu) as server:
        with pinned.Relay(server.port) as relay:
            said = pinned.run_client(stacks.client(OURS, options), options.client_cpu, relay.target, 1, 0.5)
    # The handshake is a few hundred bytes, over thousands of calls.
    return round(relay.sent / said["calls_total"]), round(relay.received / said["calls_total"])


def run_once(name, case, sizes, options):
    transport, place = case
    seconds = options.seconds / 2
    client_cpu = options.server_cpu if PLACES[place] else options.client_cpu
    with tempfile.TemporaryDirectory() as folder:
        address = TRANSPORTS[transport](folder)
        arguments = sizes if name == BARE else []
        with pinned.Server(stacks.server(name, options), options.server_cpu, address, *arguments) as server:
            if name == BARE:
                said = pinned.run_client(stacks.client(name, options), client_cpu, server.target, *sizes, seconds)
            else:
                server.check()
                said = pinned.run_client(stacks.client(name, options), client_cpu, server.target, 1, seconds)
    run = {"stack": name, "transport": transport, "place": place, "calls": said["calls"], "p50_us": said["p50_us"],
           "p99_us": said["p99_us"]}
    print(f"  {name:16} {transport:11} {place:16} p50 {run['p50_us']:7.1f} us   p99 {run['p99_us']:7.1f} us", flush=True)
    return run


def medians(runs, names):
    rows = {}
    for case in CASES:
        for name in names:
            mine = [run for run in runs if (run["stack"], run["transport"], run["place"]) == (name, *case)]
            rows[name, case] = {key: median(mine, key, 1) for key in ("p50_us", "p99_us")}
            rows[name, case]["spread_percent"] = spread_percent(mine, "p50_us")
    for (_, case), row in rows.items():
        for key in ("p50", "p99"):
            row[f"{key}_of_bare"] = beside(row[f"{key}_us"], rows.get((BARE, case), {}).get(f"{key}_us"))
    return rows


def demands(rows):
    for (name, (transport, place)), row in rows.items():
        if name == OURS and not PLACES[place] and row["p50_of_bare"]:
            yield Demand(f"one call at a time, {transport}, {place}, p50, of a bare ping-pong's", row["p50_of_bare"], 1.5,
                         True)


def measure(options):
    names = stacks.built([BARE, OURS, CALLBACK], stacks.server, options)
    sizes = bytes_of_a_call(options)
    print(f"a call sends {sizes[0]} bytes, and receives {sizes[1]}")
    runs = []
    for number in range(options.rounds):
        print(f"round {number + 1} of {options.rounds}")
        runs += [run_once(name, case, sizes, options) for case in CASES for name in names]
    rows = medians(runs, names)
    lines = [f"Unary GetProdStock, one call at a time; medians of {options.rounds} rounds of {options.seconds / 2:g} s.",
             f"A call of minigrpc sends {sizes[0]} bytes and receives {sizes[1]}, and so does the bare ping-pong.", ""]
    lines += table(["connection", "client and server", "p50 us", "spread\n± %", "p99 us", "p50 beside\nthe ping-pong",
                    "p99 beside\nthe ping-pong"],
                   [[f"{transport}, {place}", TITLES[name], row["p50_us"], row["spread_percent"], row["p99_us"],
                     row["p50_of_bare"], row["p99_of_bare"]] for (name, (transport, place)), row in rows.items()])

    def draw(figure):
        for axes, transport in zip(figure.subplots(1, 2), TRANSPORTS):
            shown = {f"{TITLES[name]}, {place}": row["p50_us"] for (name, (of, place)), row in rows.items()
                     if of == transport}
            bars(axes, shown, shown.values(), f"{transport}: p50, us")

    data = {"bytes_sent": sizes[0], "bytes_received": sizes[1], "runs": runs,
            "medians": [{"stack": name, "transport": transport, "place": place, **row}
                        for (name, (transport, place)), row in rows.items()]}
    return Result("latency", "\n".join(lines), data, list(demands(rows)), draw)
