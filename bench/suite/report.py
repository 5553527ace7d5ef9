"""What a part found: as text, JSON and a plot, with the demands of the project beside."""

import dataclasses
import functools
import json
import os
import pathlib
import platform
import statistics
import subprocess
import time


NOISY_PERCENT = 15  # of the machine's processors, to other programs


@dataclasses.dataclass(frozen=True)
class Demand:
    """Something that the project set out to reach."""

    what: str
    measured: float
    limit: float
    at_most: bool
    unit: str = "x"

    def met(self):
        return self.measured <= self.limit if self.at_most else self.measured >= self.limit

    def fields(self):
        return {**dataclasses.asdict(self), "met": self.met()}

    def line(self):
        bound = "at most" if self.at_most else "at least"
        verdict = "met" if self.met() else "NOT met"
        return f"{verdict:7}  {self.what}: {self.measured:.3g} {self.unit}, {bound} {self.limit:g} {self.unit} demanded"


@dataclasses.dataclass
class Result:
    """What one part found. `draw`, if any, is given a matplotlib figure."""

    name: str
    text: str
    data: dict
    demands: list
    draw: object = None


def processor_name():
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def machine():
    kernel = ".".join(platform.release().split(".")[:2])
    return f"{processor_name()}, {os.cpu_count()} cores, Linux {kernel}"


@functools.cache
def versions():
    """Of what is compared, and of what compiled it; without a tool, without its word."""
    asked = {"g++": ["g++", "-dumpfullversion"], "nghttp2": ["dpkg-query", "-W", "-f", "${Version}", "libnghttp2-dev"],
             "grpc++": ["dpkg-query", "-W", "-f", "${Version}", "libgrpc++-dev"],
             "protobuf": ["dpkg-query", "-W", "-f", "${Version}", "libprotobuf-dev"],
             "minigrpc": ["git", "-C", str(pathlib.Path(__file__).parent), "describe", "--always", "--dirty"]}
    said = {}
    for name, command in asked.items():
        try:
            said[name] = subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
        except (OSError, subprocess.CalledProcessError):
            continue
    return said


class Others:
    """How much of the machine's processor time went to programs that are not ours, while this was held."""

    def __enter__(self):
        self._begin = self._read()
        return self

    def __exit__(self, *_):
        (busy, ours, wall), (busy_before, ours_before, wall_before) = self._read(), self._begin
        cores = (os.cpu_count() or 1) * (wall - wall_before)
        self.percent = max(0.0, 100 * (busy - busy_before - (ours - ours_before)) / cores)

    @staticmethod
    def _read():
        fields = [int(n) for n in pathlib.Path("/proc/stat").read_text().splitlines()[0].split()[1:9]]
        user, nice, system, _idle, _iowait, irq, softirq, steal = fields
        busy = (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK")
        times = os.times()
        return busy, times.user + times.system + times.children_user + times.children_system, time.monotonic()


def median(runs, key, digits=3):
    return round(statistics.median(run[key] for run in runs), digits)


def spread_percent(runs, key):
    """How far the rounds lie apart: half of the way from the least to the most, of the median."""
    values = [run[key] for run in runs]
    return round(50 * (max(values) - min(values)) / statistics.median(values), 1)


def beside(value, other, digits=2):
    """`value` in units of `other`; None where there is no other."""
    return None if not value or not other else round(value / other, digits)


def cell(value):
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:,.2f}" if abs(value) < 1000 else f"{value:,.0f}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def table(headers, rows):
    """Lines of text: columns of words to the left, of numbers to the right; "\n" divides a header."""
    rows = [list(row) for row in rows]
    heads = [header.split("\n") for header in headers]
    depth = max(map(len, heads))
    lines = [[([""] * (depth - len(head)) + head)[i] for head in heads] for i in range(depth)]
    lines += [[cell(value) for value in row] for row in rows]
    columns = range(len(headers))
    widths = [max(len(line[i]) for line in lines) for i in columns]
    is_words = [all(isinstance(row[i], str) for row in rows) for i in columns]
    for line in lines:
        yield "  ".join(line[i].ljust(widths[i]) if is_words[i] else line[i].rjust(widths[i]) for i in columns).rstrip()


def bars(axes, names, values, label):
    """Horizontal bars, the first one on top."""
    axes.barh(list(names)[::-1], list(values)[::-1])
    axes.set_xlabel(label)


def write(result, folder, command, others_percent):
    """Writes NAME.txt, NAME.json and, where matplotlib is installed, NAME.png; the text, and what was written."""
    known = versions()
    lines = [f"Command: {command}", ", ".join(f"{name} {version}" for name, version in known.items()),
             f"{machine()}. Other programs took {others_percent:.0f} % of its processors meanwhile.",
             "", result.text.rstrip("\n")]
    if result.demands:
        lines += ["", *(demand.line() for demand in result.demands)]
    text = "\n".join(lines) + "\n"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{result.name}.txt").write_text(text)
    raw = {"command": command, "machine": machine(), "versions": known, "others_percent": round(others_percent, 1),
           "demands": [demand.fields() for demand in result.demands], **result.data}
    (folder / f"{result.name}.json").write_text(json.dumps(raw, indent=1) + "\n")
    written = [f"{result.name}.txt", f"{result.name}.json"]
    if result.draw and plot(result.draw, folder / f"{result.name}.png"):
        written.append(f"{result.name}.png")
    return text, written


def plot(draw, path):
    """False where matplotlib is not installed."""
    try:
        import matplotlib
    except ImportError:
        return False
    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure = pyplot.figure(figsize=(11, 3.6))
    draw(figure)
    figure.tight_layout()
    figure.savefig(path, dpi=120)
    pyplot.close(figure)
    return True


def write_summary(folder, parts):
    """Writes summary.txt: every demand of the parts whose results lie in `folder`, of this run or an earlier one."""
    lines = [f"What was demanded, and what was measured. {machine()}.", ""]
    busiest = 0
    for part in parts:
        path = folder / f"{part}.json"
        if not path.exists():
            continue
        raw = json.loads(path.read_text())
        if not raw.get("demands"):
            continue
        busiest = max(busiest, raw["others_percent"])
        lines.append(f"{part} (other programs took {raw['others_percent']:.0f} % of the machine meanwhile; {part}.txt)")
        for fields in raw["demands"]:
            fields.pop("met")
            lines.append("  " + Demand(**fields).line())
        lines.append("")
    if busiest > NOISY_PERCENT:
        lines[1:1] = ["THE MACHINE WAS BUSY with other programs. Processor times stand; rates and latencies are those of what was",
                      "left, and who has more threads gets more of it. Measure again on a quiet machine before you quote them."]
    text = "\n".join(lines).rstrip() + "\n"
    (folder / "summary.txt").write_text(text)
    return text
