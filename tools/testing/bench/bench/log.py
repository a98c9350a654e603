# SPDX-License-Identifier: GPL-2.0
"""Reads the TPM's log on the host: how many commands there are between the two marks of each name."""

from harness import tpmlog, wire


# What the TSS's TCTI for nodes sends when it opens one, to learn whether responses can be read in parts:
# eight random bytes. The tour asks for another number of them.
PROBE = wire.command(wire.GET_RANDOM, parameters=bytes([0, 8]))


def counts(path):
    """By name: how many commands each piece has, in their order, and how many of all are probes."""
    found = {}
    name = None
    for command in tpmlog.commands(path):
        mark = tpmlog.MARK.search(command) if wire.code_of(command) == wire.HASH else None
        if mark is None:
            if name is not None:
                found[name]["pieces"][-1] += 1
                found[name]["probes"] += command == PROBE
        elif mark[1] == b"begin":
            name = mark[2].decode()
            found.setdefault(name, {"pieces": [], "probes": 0})["pieces"].append(0)
        else:
            name = None
    return found
