# SPDX-License-Identifier: GPL-2.0
"""What the driver says that it has sent, in the guest."""

PATH = "/sys/kernel/debug/tpmrm/tpmrm0/counters"
# Commands; the rest are events that commands are counted for already.
COMMANDS = ("sent", "loads", "saves", "flushes", "questions")


def sent():
    with open(PATH) as file:
        found = {name: int(value) for name, value in (line.split() for line in file)}
    return sum(found[name] for name in COMMANDS)
