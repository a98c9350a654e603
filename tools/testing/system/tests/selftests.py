# SPDX-License-Identifier: GPL-2.0
"""The kernel's own tests of the node: tools/testing/selftests/tpm2 of its source tree.

Their results are printed as ours. What fails with the C driver is its own
business: that is printed as skipped.
"""

import os
import re
import subprocess
import sys
import tempfile

from harness import runner

# The programs, and how many tests they have at least.
PROGRAMS = {"test_smoke.sh": 9, "test_space.sh": 4, "test_async.sh": 2}
NAME = re.compile(r"^(test_\w+) \(")
RESULT = re.compile(r"(?:^|\.\.\. )(ok|FAIL|ERROR|skipped.*)$")
LIMIT = 300


def results(output):
    """What unittest says of each test; a test that logs may push its result to a later line."""
    found = {}
    name = None
    for line in output.splitlines():
        if match := NAME.match(line):
            name = match[1]
            found.setdefault(name, "gave no result")
        if name and found[name] == "gave no result" and (match := RESULT.search(line)):
            found[name] = match[1]
        if line.startswith("======"):
            break
    return found


def run(control):
    for program, least in PROGRAMS.items():
        try:
            status, output = execute(program)
        except subprocess.TimeoutExpired:
            tell(control, program, f"was not done after {LIMIT} s")
            continue
        found = results(output)
        if any(result != "ok" for result in found.values()) or status or len(found) < least:
            print(output, file=sys.stderr, flush=True)
        for name, result in found.items():
            tell(control, f"{program.removesuffix('.sh')}_{name.removeprefix('test_')}", result)
        if len(found) < least:
            tell(control, program, f"has {len(found)} tests, not at least {least}")
        elif status and all(result == "ok" for result in found.values()):
            tell(control, program, f"ended with status {status}")
    remains = runner.empty_the_tpm()
    tell(control, "leaves_nothing", f"there are in the TPM {remains}" if remains else "ok")


def execute(program):
    """Runs a program where it may leave logs: not in the source tree."""
    folder = os.environ["TPMRM_SELFTESTS"]
    with tempfile.TemporaryDirectory() as scratch:
        done = subprocess.run(
            ["sh", os.path.join(folder, program)], cwd=scratch, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, errors="replace", timeout=LIMIT, check=False,
            env=dict(os.environ, PYTHONPATH=folder, PYTHONDONTWRITEBYTECODE="1"))
    return done.returncode, done.stdout


def tell(control, name, result):
    name = f"selftest_{name}"
    if result == "ok":
        print(f"ok control_{name}" if control else f"ok {name}", flush=True)
    elif control:
        print(f"skip control_{name} - {result}: this is the C driver", flush=True)
    else:
        # A test that the kernel's suite skips has not passed.
        print(f"not ok {name} - {result}", flush=True)
