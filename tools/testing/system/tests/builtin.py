# SPDX-License-Identifier: GPL-2.0
"""The driver as a part of the kernel: there from boot, with no module, and its unit tests have run then."""

import glob
import os
import re
import subprocess
import sys

from harness import debugfs, expect, module, runner, tss
from harness.runner import FAILS, test
from tests import kunit

# What the run gives the kernel at boot.
PARAMETER = ("session_wait_ms", "4321")
SERVED = "tpmrm: tpmrm0: served from now on"
FIRST_PROGRAM = "Run /.rig/init as init process"
# Where a suite gets its name: the lines of the kernel's macro, and of the engine's table.
SUITE = re.compile(r"kunit_tests\((tpmrm_\w+)\)|\$suite! \{ (tpmrm_\w+),")
SOURCES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../../../drivers/char/tpm/tpmrm")


def log():
    """The kernel's log from its beginning, without the times."""
    said = subprocess.run(["dmesg"], stdout=subprocess.PIPE, text=True, check=True).stdout
    return [line.partition("] ")[2] for line in said.splitlines()]


@test(control=FAILS)
def built_in_it_is_no_module():
    with open("/proc/modules") as file:
        expect.equal(file.read(), "", "the modules that are loaded")
    assert module.is_loaded(), f"there is no {module.FOLDER}"
    assert module.is_built_in(), "it counts who uses it, as a module does"
    expect.equal(module.parameter(PARAMETER[0]), PARAMETER[1], "the parameter that was given at boot")


@test(control=FAILS)
def built_in_it_serves_the_node_before_any_program():
    said = log()
    served = [number for number, line in enumerate(said) if line == SERVED]
    expect.equal(len(served), 1, f"how often the log says {SERVED!r}")
    assert served[0] < said.index(FIRST_PROGRAM), "the node was served after the first program began"
    with tss.Tpm() as tpm:
        keys = [tss.Key(tpm, b"%d" % number) for number in range(5)]
        expect.equal(debugfs.space_of(os.getpid())["objects"], "5", "the objects that are shown of the space")
        for key in keys:
            key.check()


@test(control=FAILS)
def built_in_its_unit_tests_are_in_the_log():
    said = "\n".join(log())
    passed = set(re.findall(r"^ *ok \d+ (tpmrm_\w+)$", said, re.MULTILINE))
    failed = re.findall(r"^ *not ok .*$", said, re.MULTILINE)
    expect.equal(failed, [], "the unit tests that the log says have failed")
    expect.equal(passed, suites(), "the suites that the log says have passed")


def suites():
    """Those that there are in the sources."""
    found = set()
    for path in glob.glob(f"{SOURCES}/**/*.rs", recursive=True):
        with open(path) as file:
            found.update(name for names in SUITE.findall(file.read()) for name in names if name)
    return found


def run(control):
    """These tests, and a line for each unit test."""
    runner.run(runner.of(sys.modules[__name__]), control)
    if not control:
        debugfs.mount()
        kunit.show("kunit_built_in")
