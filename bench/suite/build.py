"""How long a clean build takes, and how large what comes out is: minigrpc's provider beside one with grpc++.

minigrpc's build is that of its library, all of it, and of examples/prod's provider, generator included. grpc++'s is that of a
provider which does the same (bench/grpcpp_provider), against the library that Debian has built: how long that one takes
is not in it. No compiler cache. Both providers then announce themselves in a minigrpcd, and a consumer has to find them.

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

OURS, THEIRS, THEIRS_STATIC = "minigrpc", "grpc++", "grpc++ static"
TITLES = {OURS: "minigrpc and its provider", THEIRS: "grpc++ provider, Debian's shared libraries",
          THEIRS_STATIC: "grpc++ provider, Debian's archives"}
RELEASE = ["-G", "Ninja", "-DCMAKE_BUILD_TYPE=Release", "-DCMAKE_CXX_FLAGS_RELEASE=-O2 -DNDEBUG"]
UNITY = ["-DCMAKE_UNITY_BUILD=ON", "-DCMAKE_UNITY_BUILD_BATCH_SIZE=12"]  # as the preset `release` has it
# Of C, C++ and the kernel.
EVERYBODYS = re.compile(r"(ld-linux.*|lib(c|m|gcc_s|stdc\+\+|pthread|dl|rt))\.so[.\d]*")


def run(*command):
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "CCACHE_DISABLE": "1"})
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(map(str, command))}:\n{done.stdout[-4000:]}{done.stderr[-4000:]}")
    return done.stdout


def timed_build(source, folder, options, targets):
    """Configures and builds; (wall clock, processor time) in seconds."""
    before, begin = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    run("cmake", "-S", source, "-B", folder, *RELEASE, *options)
    run("cmake", "--build", folder, "--parallel", str(os.cpu_count()), "--target", *targets)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.monotonic() - begin, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


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


def measure(options):
    rows = {}
    with tempfile.TemporaryDirectory(prefix="bench-build-", dir=options.binaries.parent) as folder:
        ours, theirs = f"{folder}/minigrpc", f"{folder}/grpcpp"
        print("  building minigrpc", flush=True)
        wall_s, processor_s = timed_build(ROOT, ours, [*UNITY, "-DBUILD_TESTING=OFF"], ["minigrpc_archive", "provider"])
        program = f"{ours}/bin/provider"
        rows[OURS] = {"wall_s": round(wall_s, 1), "processor_s": round(processor_s, 1), **sizes(program, folder)}
        rows[OURS]["archive_kib"] = round(next(pathlib.Path(ours).rglob("libminigrpc.a")).stat().st_size / 1024)
        check(program, options)
        try:
            print("  building a provider with grpc++", flush=True)
            wall_s, processor_s = timed_build(ROOT / "bench" / "grpcpp_provider", theirs, [], ["grpcpp_provider"])
            run("cmake", "--build", theirs, "--target", "grpcpp_provider_static")
        except RuntimeError as failure:
            print(f"left out, not built: a provider with grpc++\n{failure}")
        else:
            rows[THEIRS] = {"wall_s": round(wall_s, 1), "processor_s": round(processor_s, 1),
                            **sizes(f"{theirs}/grpcpp_provider", folder)}
            rows[THEIRS_STATIC] = {"wall_s": None, "processor_s": None, **sizes(f"{theirs}/grpcpp_provider_static", folder)}
            for name in ("grpcpp_provider", "grpcpp_provider_static"):
                check(f"{theirs}/{name}", options)
    for row in rows.values():
        row["total_kib"] = row["program_kib"] + row["other_libraries_kib"]
        row["total_beside_ours"] = beside(row["total_kib"], rows[OURS]["total_kib"])
    lines = [f"Clean builds with {os.cpu_count()} jobs and no compiler cache, configuring included; stripped sizes.",
             "minigrpc: all of the library, its generator, and the provider. grpc++: a provider that does the same; the",
             "library itself is Debian's, built before, and not timed.", ""]
    lines += table(["", "build s", "of processor\ntime, s", "provider,\nstripped KiB", "shared libraries\nbesides C and C++",
                    "\nKiB", "together\nKiB", "beside\nminigrpc"],
                   [[TITLES[name], row["wall_s"], row["processor_s"], row["program_kib"], row["other_libraries"],
                     row["other_libraries_kib"], row["total_kib"], row["total_beside_ours"]] for name, row in rows.items()])
    lines.append("")
    for name, row in rows.items():
        others = [library for library in row["libraries"] if not EVERYBODYS.fullmatch(library)]
        lines.append(f"{TITLES[name]} loads: {', '.join(others)}")

    def draw(figure):
        times, totals = figure.subplots(1, 2)
        built = [name for name in rows if rows[name]["wall_s"]]
        bars(times, [TITLES[name] for name in built], [rows[name]["processor_s"] for name in built],
             "clean build, s of processor time")
        names = list(rows)[::-1]
        programs = [rows[name]["program_kib"] / 1024 for name in names]
        totals.barh(names, programs, label="program")
        totals.barh(names, [rows[name]["other_libraries_kib"] / 1024 for name in names], left=programs,
                    label="shared libraries")
        totals.set_xlabel("MiB")
        totals.legend()

    return Result("build", "\n".join(lines), {"rows": rows}, [], draw)
