# SPDX-License-Identifier: GPL-2.0
"""Suspend and resume, as far as this machine gets: what stands in the way is undone again."""

import contextlib
import os

STATE, TEST, KIND = "/sys/power/state", "/sys/power/pm_test", "/sys/power/mem_sleep"
# Seconds that a test of a suspend takes at its deepest point; milliseconds that programs may take to be frozen.
# Disks need not be in order for a test.
TERMS = {"/sys/module/suspend/parameters/pm_test_delay": 0, "/sys/power/pm_freeze_timeout": 3000,
         "/sys/power/sync_on_suspend": 0}


def is_possible():
    return os.path.exists(TEST)


def arrange():
    """A test is over soon, and so is one that does not succeed."""
    for name, value in TERMS.items():
        with contextlib.suppress(FileNotFoundError), open(name, "w") as file:
            file.write(str(value))


def states():
    with open(STATE) as file:
        return file.read().split()


def is_real():
    """Whether the machine can sleep and wake up; a root on virtiofs would not come back."""
    with open(KIND) as kind, open("/proc/mounts") as mounts:
        return "deep" in kind.read() and not any(line.startswith("root / virtiofs ") for line in mounts)


def suspend():
    """The machine sleeps, and is woken by the rig; or all programs are frozen, and that is all. The errno, or 0."""
    with open(TEST, "w") as file:
        file.write("none" if is_real() else "freezer")
    try:
        # What was buffered would be written again after a failure.
        with open(STATE, "wb", buffering=0) as file:
            file.write(b"mem" if "mem" in states() else b"freeze")
    except OSError as error:
        return error.errno
    return 0
