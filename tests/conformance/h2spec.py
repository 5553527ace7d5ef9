#!/usr/bin/env python3
"""h2spec (the Go module github.com/summerwind/h2spec) against a minigrpc server: HTTP/2 as RFC 7540 and 7541 have it.

  h2spec.py --build BUILD

A failed case fails the run, unless h2spec_exceptions.txt names it with a reason. Without Go it says so and leaves it at
that.
"""

import argparse
import pathlib
import shutil
import subprocess
import sys
import tempfile
import xml.etree.ElementTree

import run

HERE = pathlib.Path(__file__).resolve().parent
TIMEOUT_S = 600


def exceptions():
    """{case: reason}. Lines of "case: reason", the case as h2spec names it: "http2/5.1.1/2"."""
    listed = {}
    for line in (HERE / "h2spec_exceptions.txt").read_text(encoding="utf-8").splitlines():
        if line.strip() and not line.startswith("#"):
            case, _, reason = line.partition(": ")
            listed[case] = reason.strip()
    return listed


def outcomes(report):
    """{case: (title, whether it passed)} of h2spec's JUnit report; a package's cases are counted in their order."""
    found = {}
    for suite in xml.etree.ElementTree.parse(report).getroot().iter("testsuite"):
        for number, case in enumerate(suite.iter("testcase"), 1):
            passed = case.find("failure") is None and case.find("error") is None
            found[f"{suite.get('package')}/{number}"] = (case.get("classname"), passed)
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=pathlib.Path, required=True)
    options = parser.parse_args()
    build = options.build.resolve()
    if not shutil.which("go"):
        print("left out: h2spec: go is not installed")
        return 0
    program = build / "tests" / "conformance" / "go" / "h2spec"
    program.parent.mkdir(parents=True, exist_ok=True)
    run.run_build(["go", "build", "-o", program, "github.com/summerwind/h2spec/cmd/h2spec"], cwd=HERE / "go")
    with run.Server(run.Minigrpc(build)) as server, tempfile.TemporaryDirectory() as folder:
        report = pathlib.Path(folder) / "report.xml"
        done = subprocess.run([program, "--host", "127.0.0.1", "--port", str(server.port), "--timeout", "2",
                               "--path", "/grpc.testing.TestService/EmptyCall", "--junit-report", report],
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=TIMEOUT_S, check=False)
        if not report.exists():
            sys.exit(f"h2spec wrote no report:\n{done.stdout}")
        cases = outcomes(report)
    listed = exceptions()
    wrong = 0
    for case, (title, passed) in cases.items():
        if passed:
            continue
        verdict = "exception" if case in listed else "FAIL"
        wrong += case not in listed
        print(f"  {verdict:10} {case} {title}" + (f": {listed[case]}" if case in listed else ""))
    unknown = set(listed) - set(cases)
    print(f"h2spec: {sum(passed for _, passed in cases.values())} of {len(cases)} cases pass"
          + (f"; h2spec_exceptions.txt names unknown cases: {', '.join(sorted(unknown))}" if unknown else ""))
    return 1 if wrong or unknown or not cases else 0


if __name__ == "__main__":
    sys.exit(main())
