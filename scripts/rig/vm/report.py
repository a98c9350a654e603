# SPDX-License-Identifier: GPL-2.0
"""Finds in a kernel's log what must never be there."""

import re

# The first line of what the kernel says when it found a bug in itself.
START = re.compile(
    r"BUG:|kernel BUG at|WARNING:|Oops|Kernel panic|KASAN|KCSAN|KMSAN|UBSAN|KFENCE"
    r"|INFO: task .* blocked for more than|INFO: rcu.* stall|rcu: .* stall"
    r"|general protection fault|stack-protector|refcount_t:|unreferenced object"
    r"|[0-9]+ new suspected memory leaks|possible .*locking.* detected|Unable to handle"
)
END = re.compile(r"---\[ end (trace|Kernel panic)")
STAMP = re.compile(r"^(<\d+>)?\[ *[\d.]+\](\[[^\]]*\])? ?")
LONGEST = 60

# Bits of /proc/sys/kernel/tainted that a report sets: D, W and L.
TAINTS = {7: "the kernel has died", 9: "the kernel has warned", 14: "a CPU was locked up"}


def find(log):
    """The reports in a kernel log, each a list of lines.

    Each has the line before its first one, where a warning says what it is about.
    """
    reports = []
    current = None
    before = None
    for raw in log.replace("\r", "").split("\n"):
        line = STAMP.sub("", raw)
        if current is not None and len(current) < LONGEST and not END.search(line):
            current.append(raw)
            continue
        if current is not None:
            current.append(raw)
            current = None
        elif START.search(line):
            current = [raw] if before is None else [before, raw]
            reports.append(current)
        before = raw
    return reports


def taints(value):
    return [what for bit, what in TAINTS.items() if value >> bit & 1]
