# SPDX-License-Identifier: GPL-2.0
"""The module's own unit tests (KUnit), which run when a module that was built with them is loaded.

Their results are read from debugfs, in the form that the kernel gives them (KTAP).
"""

import glob
import os
import re

from harness import module

RESULTS = f"/sys/kernel/debug/kunit/{module.NAME}*/results"
# One test of a suite, or the number of them.
LINE = re.compile(r"^ +(?:(?P<word>ok|not ok) \d+ (?P<name>\w+)(?P<skip> # SKIP)?|1\.\.(?P<plan>\d+))", re.MULTILINE)


# Modules with unit tests, and what the names of their tests begin with: the second has not the option.
MODULES = {"TPMRM_KUNIT_MODULE": "kunit", "TPMRM_KUNIT_PLAIN_MODULE": "kunit_plain"}


def run(_control):
    """Loads those modules, prints a line for each of their tests, and loads the usual one again."""
    usual = module.is_loaded()
    if usual:
        module.unload()
    for variable, name in MODULES.items():
        play(os.environ[variable], name)
    if usual:
        module.load(module.file())


def play(path, name):
    module.load(path)
    try:
        show(name)
    finally:
        module.unload()


def show(name):
    """A line for each test of all suites, by what debugfs says of them."""
    suites = glob.glob(RESULTS)
    if not suites:
        print(f"not ok {name} - there is no suite: the kernel or the module was built without them", flush=True)
    for results in sorted(suites):
        with open(results) as file:
            tell(f"{name}_{os.path.basename(os.path.dirname(results))}", file.read())


def tell(suite, text):
    """The results of a suite; one with fewer tests than it announced has died."""
    plan, found = 0, 0
    for match in LINE.finditer(text):
        if match["plan"]:
            plan = int(match["plan"])
            continue
        found += 1
        name = f"{suite}_{match['name']}"
        if match["skip"]:
            print(f"skip {name} - left out", flush=True)
        elif match["word"] == "ok":
            print(f"ok {name}", flush=True)
        else:
            print(f"not ok {name} - {why(text, match)}", flush=True)
    if not plan or found != plan:
        print(f"not ok {suite} - {found} of {plan} tests have a result", flush=True)


def why(text, match):
    """What the test said before its result."""
    before = text[:match.start()].rstrip().splitlines()
    remarks = []
    while before and before[-1].lstrip().startswith("#"):
        remarks.insert(0, before.pop().strip(" #"))
    return "; ".join(remarks) or "see the kernel log"
