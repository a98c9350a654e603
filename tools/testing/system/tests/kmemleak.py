# SPDX-License-Identifier: GPL-2.0
"""What the kernel's search for lost memory finds, when the tests before this one are over."""

from harness import expect, module
from harness.runner import NOTHING, test

FILE = "/sys/kernel/debug/kmemleak"


def found():
    """The stacks of those allocations that nothing points to, and that the module made."""
    with open(FILE) as file:
        leaks = file.read().split("unreferenced object")[1:]
    return [leak for leak in leaks if f"[{module.NAME}]" in leak]


@test(control=NOTHING, limit=600)
def no_memory_is_lost():
    # What was freed a moment ago is found only by the second search to be no leak.
    for _ in range(2):
        with open(FILE, "w") as file:
            file.write("scan")
    expect.equal("".join(found()), "", "the memory that is lost")
