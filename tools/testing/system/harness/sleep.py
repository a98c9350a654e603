# SPDX-License-Identifier: GPL-2.0
"""Suspending the machine, which the rig wakes at once."""

from . import expect
from .runner import Skip

STATE = "/sys/power/state"
KIND = "/sys/power/mem_sleep"
SLEPT = "/sys/power/suspend_stats/success"


def times():
    """How often the machine has slept."""
    with open(SLEPT) as file:
        return int(file.read())


def need():
    """Sleep in which devices lose their power: ACPI's S3."""
    try:
        with open(KIND) as file:
            found = file.read()
    except FileNotFoundError:
        found = ""
    if "deep" not in found:
        raise Skip("this machine does not sleep")


def suspend():
    """Returns when the machine was asleep and is awake again."""
    before = times()
    with open(STATE, "w") as file:
        file.write("mem")
    expect.equal(times() - before, 1, "how often the machine has slept")
