"""How long a clean build takes, and how large what comes out is: minigrpc's provider beside one with grpc++.

minigrpc's library, all of it, its generator included, is built first, and then examples/prod's provider. grpc++'s
provider, which does the same (bench/grpcpp_provider), is built against the library that Debian has built: how long that
takes nobody measures here. No compiler cache. Both providers then announce themselves in a minigrpcd, and a consumer has
to find them.

Sizes are of stripped programs and of all shared libraries that they load, those of C and C++ apart, which everybody has.
"""

import os
import pathlib
import re
import resource
import subprocess
import sys
import tempfile
import time

from .report import Result, bars, beside, table

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "support"))
from registry_process import RegistryProcess  # noqa: E402

LIBRARY, OURS, THEIRS, THEIRS_STATIC = "library", "minigrpc", "grpc++", "grpc++ static"
TITLES = {LIBRARY: "minigrpc's library", OURS: "provider with minigrpc", THEIRS: "provider with grpc++, shared",
          THEIRS_STATIC: "provider with grpc++, static"}
RELEASE = ["-G", "Ninja", "-DCMAKE_BUILD_TYPE=Release", "-DCMAKE_CXX_FLAGS_RELEASE=-O2 -DNDEBUG"]
UNITY = ["-DCMAKE_UNITY_BUILD=ON", "-DCMAKE_UNITY_BUILD_BATCH_SIZE=12"]  # as the preset `release` has it
# Of C, C++ and the kernel.
EVERYBODYS = re.compile(r"(ld-linux.*|lib(c|m|gcc_s|stdc\+\+|pthread|dl|rt))\.so[.\d]*")


def run(*command):
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "CCACHE_DISABLE": "1"})
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(map(str, command))}:\n{done.stdout[-4000:]}{done.stderr[-4000:]}")
    return done.stdout


def timed(*commands):
    """Runs them one after the other; the row of what that took, in seconds."""
    before, begin = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    for command in commands:
        run(*command)
    after, end = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    processor_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"wall_s": round(end - begin, 1), "processor_s": round(processor_s, 1)}


def configuring(source, folder, *options):
    return ["cmake", "-S", source, "-B", folder, *RELEASE, *options]


def building(folder, target):
    return ["cmake", "--build", folder, "--parallel", str(os.cpu_count()), "--target", target]


def shared_libraries(program):
    """{name: bytes} of what the loader brings along, directly or not."""
    found = re.findall(r"^\s*(\S+)(?: => (\S+))? \(0x", run("ldd", str(program)), re.MULTILINE)
    return {pathlib.Path(name).name: os.path.getsize(os.path.realpath(path or name)) for name, path in found
            if name != "linux-vdso.so.1"}


def sizes(program, folder):
    stripped = pathlib.Path(folder) / "stripped"
    run("strip", "-o", str(stripped), str(program))
    libraries = shared_libraries(program)
    others = {name: size for name, size in libraries.items() if not EVERYBODYS.fullmatch(name)}
    return {"program_kib": round(os.path.getsize(stripped) / 1024), "libraries": libraries,
            "other_libraries": len(others), "other_libraries_kib": round(sum(others.values()) / 1024)}


def check(program, options):
    """Raises unless a consumer finds this provider through the registry, and hears 80."""
    programs = options.binaries.parent / "bin"
    registry = RegistryProcess.minigrpcd(str(programs / "minigrpcd"))
    provider = None
    try:
        provider = subprocess.Popen([program, "--listen", "127.0.0.1:0", "--registry", registry.endpoint],
                                    stderr=subprocess.PIPE, text=True)
        provider.stderr.readline()  # it serves; the consumer waits until it is announced
        said = run(programs / "consumer", "--registry", registry.endpoint, "--id", "4")
        if said.strip() != "80":
            raise RuntimeError(f"{program}: the consumer heard {said!r}")
    finally:
        if provider:
            provider.terminate()
            provider.communicate(timeout=30)
        registry.kill()


def build_ours(folder, options):
    print("  building minigrpc", flush=True)
    rows = {LIBRARY: timed(configuring(ROOT, folder, *UNITY, "-DBUILD_TESTING=OFF"), building(folder, "minigrpc_archive"))}
    rows[OURS] = {**timed(building(folder, "provider")), **sizes(f"{folder}/bin/provider", folder)}
    check(f"{folder}/bin/provider", options)
    return rows


def build_theirs(folder, options):
    print("  building a provider with grpc++", flush=True)
    try:
        took = timed(configuring(ROOT / "bench" / "grpcpp_provider", folder), building(folder, "grpcpp_provider"))
        run(*building(folder, "grpcpp_provider_static"))
    except RuntimeError as failure:
        print(f"left out, not built: a provider with grpc++\n{failure}")
        return {}
    rows = {}
    for name, program in ((THEIRS, "grpcpp_provider"), (THEIRS_STATIC, "grpcpp_provider_static")):
        rows[name] = sizes(f"{folder}/{program}", folder)
        check(f"{folder}/{program}", options)
    return {**rows, THEIRS: {**took, **rows[THEIRS]}}


def loaded(row):
    """What it loads beside C and C++, in words."""
    others = [name.split(".so")[0] for name in row["libraries"] if not EVERYBODYS.fullmatch(name)]
    abseil = sum(name.startswith("libabsl_") for name in others)
    names = [name for name in others if not name.startswith("libabsl_")]
    return ", ".join(names + [f"{abseil} parts of abseil"] * (abseil > 0))


def measure(options):
    with tempfile.TemporaryDirectory(prefix="bench-build-", dir=options.binaries.parent) as folder:
        rows = {**build_ours(f"{folder}/minigrpc", options), **build_theirs(f"{folder}/grpcpp", options)}
    sized = {name: row for name, row in rows.items() if "program_kib" in row}
    for row in sized.values():
        row["total_kib"] = row["program_kib"] + row["other_libraries_kib"]
        row["total_beside_ours"] = beside(row["total_kib"], rows[OURS]["total_kib"])
    lines = [f"Clean builds with {os.cpu_count()} jobs and no compiler cache, configuring included; stripped sizes.",
             "grpc++'s library is Debian's: that it was built before is not timed.", ""]
    columns = ("wall_s", "processor_s", "program_kib", "other_libraries", "other_libraries_kib", "total_kib",
               "total_beside_ours")
    lines += table(["", "build s", "of processor\ntime, s", "provider,\nstripped KiB", "shared libraries\nbesides C and C++",
                    "\nKiB", "together\nKiB", "beside\nminigrpc"],
                   [[TITLES[name], *(row.get(column) for column in columns)] for name, row in rows.items()])
    lines += ["", *(f"{TITLES[name]} loads {loaded(row)}" for name, row in sized.items())]

    def draw(figure):
        times, totals = figure.subplots(1, 2)
        took = {TITLES[name]: row["processor_s"] for name, row in rows.items() if "processor_s" in row}
        bars(times, took, took.values(), "clean build, s of processor time")
        names = list(sized)[::-1]
        programs = [sized[name]["program_kib"] / 1024 for name in names]
        totals.barh(names, programs, label="program, stripped")
        totals.barh(names, [sized[name]["other_libraries_kib"] / 1024 for name in names], left=programs,
                    label="shared libraries")
        totals.set_xlabel("MiB")
        totals.legend(loc="lower center", bbox_to_anchor=(0.5, 1), ncol=2)

    return Result("build", "\n".join(lines), {"rows": rows}, [], draw)
