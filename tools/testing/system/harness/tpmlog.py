# SPDX-License-Identifier: GPL-2.0
"""Reads swtpm's log of commands, and counts those between two marks. Runs on the host."""

import re

from . import wire

MARK = re.compile(rb"(begin|end) ([a-z0-9_]+)")


def commands(path):
    """The commands in a log, in their order, as bytes."""
    current = None
    with open(path, errors="replace") as file:
        for line in file:
            if re.fullmatch(r"( [0-9A-F]{2})+ ?\n", line):
                if current is not None:
                    current += bytes.fromhex(line)
                continue
            if current:
                yield bytes(current)
            current = bytearray() if "SWTPM_IO_Read" in line else None
    if current:
        yield bytes(current)


def counts(path):
    """How many commands were sent between the marks of each name."""
    found = {}
    name = None
    for command in commands(path):
        mark = MARK.search(command) if wire.code_of(command) == wire.HASH else None
        if mark is None:
            if name is not None:
                found[name] += 1
        elif mark[1] == b"begin":
            name = mark[2].decode()
            found[name] = 0
        else:
            name = None
    return found
