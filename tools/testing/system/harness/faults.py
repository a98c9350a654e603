# SPDX-License-Identifier: GPL-2.0
"""Faults of the kernel's memory, where it was built to have some (Documentation/fault-injection of the kernel)."""

import os

from . import module

DEBUG = "/sys/kernel/debug"
# Of slabs, of pages, and of copies from and to programs.
KINDS = ("failslab", "fail_page_alloc", "fail_usercopy")
# How deep in the stack the module is looked for.
STACK = 32


def are_possible():
    return all(os.path.exists(f"{DEBUG}/{kind}") for kind in KINDS)


def module_range():
    """From where to where the module's code is."""
    with open("/proc/kallsyms") as file:
        symbols = [line.split() for line in file if line.rstrip().endswith(f"[{module.NAME}]")]
    places = [int(symbol[0], 16) for symbol in symbols if symbol[1] in "tT"]
    return min(places), max(places) + 1


def arrange(percent=0):
    """Faults come to whoever asks for them, and only where the module's code is on the stack."""
    begin, end = module_range()
    terms = {"probability": percent, "interval": 1, "times": -1, "verbose": 0, "task-filter": 1,
             "ignore-gfp-wait": 0, "ignore-gfp-highmem": 0, "min-order": 0, "stacktrace-depth": STACK,
             "require-start": hex(begin), "require-end": hex(end)}
    for kind in KINDS:
        for name, value in terms.items():
            # Not every kind has each.
            if os.path.exists(f"{DEBUG}/{kind}/{name}"):
                with open(f"{DEBUG}/{kind}/{name}", "w") as file:
                    file.write(str(value))


def ask_for_them():
    """This process gets faults from now on, by chance."""
    with open("/proc/self/make-it-fail", "w") as file:
        file.write("1")
