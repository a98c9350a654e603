# SPDX-License-Identifier: GPL-2.0
"""Reads the TPM's log on the host: how many commands there are between the two marks of each name."""

import dataclasses

from harness import tpmlog, wire


@dataclasses.dataclass
class Count:
    """All pieces of work under one name."""

    pieces: list

    def total(self):
        return sum(self.pieces)


def counts(path):
    """By name, the number of commands in each piece, in their order."""
    found = {}
    name = None
    for command in tpmlog.commands(path):
        mark = tpmlog.MARK.search(command) if wire.code_of(command) == wire.HASH else None
        if mark is None:
            if name is not None:
                found[name].pieces[-1] += 1
        elif mark[1] == b"begin":
            name = mark[2].decode()
            found.setdefault(name, Count([])).pieces.append(0)
        else:
            name = None
    return found
