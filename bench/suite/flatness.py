"""Whether a call costs the same however many connections and streams there are: the server's processor time per call.

A closed loop alone cannot tell. With one call in flight, each call costs a read, a write and a wait for itself; with a
thousand, hundreds share them, and a call is several times cheaper, on any server. So what is demanded is asked with the
batches equal: the client sends BURST calls in one write, waits for all their answers, and goes on, to the next connection
where there are several. Nothing differs but how many connections take turns, or how many other calls are open on the
connection (their headers have come, their request has not). Two loads: one call at a time, and ten in a burst.

The closed loop of h2load stands beside it, with all its batching; and the bare nghttp2 loop beside everything.
"""

import tempfile

from . import pinned, stacks
from .report import Demand, Result, beside, median, table

BARE, OURS = "bare_nghttp2", "minigrpc_unary"
TITLES = {BARE: "bare loop", OURS: "minigrpc"}
STEPS = (1, 10, 100, 1000)
WARM_UP_CALLS = 2000
CALLS_EACH = 50  # of h2load on each connection at least: making a connection costs the server as much as some calls
# load: (title, what there are 1 to 1,000 of)
LOADS = {
    "streams, 1 at a time": "streams open on one connection, one call at a time",
    "streams, bursts of 10": "streams open on one connection, ten calls in a burst",
    "connections, 1 at a time": "connections in turn, one call at a time",
    "connections, bursts of 10": "connections in turn, ten calls in a burst",
    "streams, closed loop": "streams in flight on one connection, h2load -c 1 -m N",
    "connections, closed loop": "connections, h2load -c N -m 1",
}
EQUAL_BATCHES = [load for load in LOADS if "closed" not in load]


def cases():
    for load in LOADS:
        for step in STEPS:
            # Ten at once are ten streams.
            if load != "streams, bursts of 10" or step >= 10:
                yield load, step


def burst_cost(server, load, step, seconds, options):
    burst = 10 if load.endswith("10") else 1
    connections, held = (1, step - burst) if load.startswith("streams") else (step, 0)
    arguments = ("bursts", server.port, connections, held, burst, seconds)
    with pinned.Holder(stacks.client("raw_http2", options), options.client_cpu, *arguments) as holder:
        before = server.processor_seconds()
        calls = holder.release()
        return (server.processor_seconds() - before) / calls * 1e6


def closed_loop_cost(server, load, step, seconds, options, body):
    shape = {"connections": 1, "streams": step} if load.startswith("streams") else {"connections": step, "streams": 1}
    rate, _ = pinned.h2load(server.port, max(WARM_UP_CALLS, step), options.client_cpu, body, **shape)
    count = max(CALLS_EACH * step, round(rate * seconds))
    before = server.processor_seconds()
    pinned.h2load(server.port, count, options.client_cpu, body, **shape)
    return (server.processor_seconds() - before) / count * 1e6


def run_once(name, load, step, options, body):
    # Short, since there are many; the processor's clock counts nanoseconds.
    seconds = options.seconds / 4
    with pinned.Server(stacks.server(name, options), options.server_cpu) as server:
        server.check()
        if load in EQUAL_BATCHES:
            cost = burst_cost(server, load, step, seconds, options)
        else:
            cost = closed_loop_cost(server, load, step, seconds, options, body)
    print(f"  {TITLES[name]:10} {step:5} {load:26} {cost:6.2f} us/call", flush=True)
    return {"server": name, "load": load, "count": step, "us_per_call": cost}


def curves(runs, names):
    """{(server, load): {count: us per call}}"""
    found = {}
    for name in names:
        for load, step in cases():
            mine = [run for run in runs if (run["server"], run["load"], run["count"]) == (name, load, step)]
            found.setdefault((name, load), {})[step] = median(mine, "us_per_call")
    return found


def steepness(curve):
    return beside(max(curve.values()), min(curve.values()))


def demands_of(load, found):
    """Flat in itself; and flat beside the bare loop, which pays as we do for what the kernel does with more sockets."""
    ours, bare = found.get((OURS, load)), found.get((BARE, load))
    what = f"processor time per call, {LOADS[load]}, highest of lowest"
    if ours and bare:
        relative = {step: ours[step] / bare[step] for step in ours}
        yield Demand(f"{what} (the bare loop's own: {steepness(bare):g})", steepness(ours), 1.15, True)
        yield Demand(f"{what}, each beside the bare loop's", steepness(relative), 1.15, True)


def measure(options):
    names = stacks.built([BARE, OURS], stacks.server, options)
    runs = []
    with tempfile.TemporaryDirectory() as folder:
        body = pinned.request_file(folder)
        for number in range(options.rounds):
            print(f"round {number + 1} of {options.rounds}")
            runs += [run_once(name, load, step, options, body) for load, step in cases() for name in names]
    found = curves(runs, names)
    lines = [f"Processor time of the server per call of GetProdStock, us; medians of {options.rounds} rounds of "
             f"{options.seconds / 4:g} s. What equal batches are, and why: bench/suite/flatness.py.", ""]
    lines += table(["1 to 1,000 …", "server", *map(str, STEPS), "highest beside\nlowest"],
                   [[LOADS[load], TITLES[name], *(curve.get(step) for step in STEPS), steepness(curve)]
                    for load in LOADS for (name, of), curve in found.items() if of == load])
    demands = [demand for load in EQUAL_BATCHES for demand in demands_of(load, found)]

    def draw(figure):
        for axes, load in zip(figure.subplots(2, 3, sharex=True).flat, LOADS):
            for (name, of), curve in found.items():
                if of == load:
                    axes.plot(list(curve), list(curve.values()), marker="o", label=TITLES[name])
            axes.set_xscale("log")
            axes.set_ylim(bottom=0)
            axes.set_title(load, fontsize=9)
        figure.axes[0].legend()
        figure.axes[0].set_ylabel("us per call")

    data = {"medians": [{"server": name, "load": load, "us_per_call": curve} for (name, load), curve in found.items()],
            "runs": runs}
    return Result("flatness", "\n".join(lines), data, demands, draw)
