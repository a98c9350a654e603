# SPDX-License-Identifier: GPL-2.0
"""What README, make help, the Makefile and testing.rst say there is: the same."""

import os
import re
import subprocess

# Targets that nobody needs to call, and make help itself.
UNTOLD = {"all", "modules", "checked-kdir", "help"}
# Variables of the kernel's build.
KERNELS_OWN = {"V", "CLIPPY", "W"}


def run(results, tree, readme):
    """The tests; each compares two lists."""
    told = Help(tree)
    made = Makefile(tree)
    with results.test("newcomer_make_help_has_every_target"):
        equal(told.targets, made.targets - UNTOLD, "make help", "the Makefile")
        beyond(told.variables - KERNELS_OWN, made.variables, "make help", "the Makefile")
    with results.test("newcomer_readme_has_targets_that_are_there"):
        beyond(readme.targets(), told.targets | {"help"}, "README", "make help")
    with results.test("newcomer_readme_has_suites_that_are_there"):
        beyond(set(readme.suites()), suites(tree), "README", "scripts/check")
    with results.test("newcomer_testing_rst_has_every_suite"):
        equal(documented(tree), suites(tree), "testing.rst", "scripts/check")


def output(tree, *argv):
    done = subprocess.run(argv, cwd=tree, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, check=True)
    return done.stdout


def read(tree, name):
    with open(os.path.join(tree, name), encoding="utf-8") as file:
        return file.read()


class Help:
    """What make help prints."""

    def __init__(self, tree):
        text = output(tree, "make", "-s", "help")
        calls = re.findall(r"^make (.*?)(?:  .*)?$", text, re.MULTILINE)
        words = " ".join(calls).split()
        self.targets = {word for word in words if re.fullmatch("[a-z_-]+", word)}
        self.variables = set(re.findall(r"^(?:make.*?|  )\[?([A-Z]+)=", text, re.MULTILINE))


class Makefile:
    """What make knows."""

    def __init__(self, tree):
        text = read(tree, "Makefile")
        phony = re.search(r"^\.PHONY: ((?:.*\\\n)*.*)$", text, re.MULTILINE)[1]
        self.targets = set(phony.replace("\\", " ").split())
        self.variables = set(re.findall(r"\$\((?:\w+ )?([A-Z]+)\b", text))


def suites(tree):
    text = " ".join(output(tree, "scripts/check", "--help").split())
    return set(re.search(r"\bone of ((?:\w+, )*\w+)", text)[1].split(", "))


def documented(tree):
    """The first column of the table of suites."""
    table = re.split(r"^=+  =+  =+$", read(tree, "Documentation/testing.rst"), flags=re.MULTILINE)[2]
    return set(re.findall(r"^(\w+) ", table, re.MULTILINE))


def beyond(found, known, here, there):
    """That one list has nothing that the other has not."""
    if not found:
        raise AssertionError(f"{here} names nothing")
    if found - known:
        raise AssertionError(f"{here} has {sorted(found - known)}, and {there} has not")


def equal(found, known, here, there):
    beyond(found, known, here, there)
    beyond(known, found, there, here)
