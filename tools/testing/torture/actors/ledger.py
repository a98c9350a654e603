# SPDX-License-Identifier: GPL-2.0
"""What was done, counted where a kill cannot take it along: in memory that all processes share."""

import mmap
import struct

# What is counted, and what each is called in the summary.
NAMES = ("clients_started", "clients_killed", "clients_ended", "commands", "keys_checked", "sessions_checked",
         "sequences_checked", "sessions_lost", "sessions_refused", "queued", "noise_bytes", "noise_writes", "ioctls",
         "bystander_checks", "raw_commands", "raw_objects", "pcr_reads", "random_bytes", "trusted_keys", "parameters",
         "unloads", "unloads_refused", "loads", "plugs", "unplugs", "chip_commands", "sleeps_begun", "sleeps_over",
         "suspends", "suspends_refused", "allocations_failed")
ENTRY = struct.Struct("=Q")
# How many can count at the same time.
ROWS = 64


class Ledger:
    """A row of counters for each process, and a word by which all are told to end."""

    def __init__(self):
        self.memory = mmap.mmap(-1, (1 + ROWS * len(NAMES)) * ENTRY.size)
        self.free = list(range(ROWS))

    def pause(self, wanted):
        """Tells everybody who uses a node to close it and end, or that they may go on."""
        ENTRY.pack_into(self.memory, 0, int(wanted))

    def is_paused(self):
        return ENTRY.unpack_from(self.memory, 0)[0] != 0

    def row(self):
        """A row for a new process."""
        return Row(self, self.free.pop())

    def total(self, name):
        """The sum of all rows."""
        return sum(Row(self, number).value(name) for number in range(ROWS))


class Awake:
    """A span of time, from when this is made; tells whether the machine has slept in it."""

    def __init__(self, ledger):
        self.ledger = ledger
        # In this order: what is over by now has begun before.
        over = ledger.total("sleeps_over")
        self.begun = ledger.total("sleeps_begun")
        # One that has begun may still be to come.
        self.dozes = self.begun != over

    def is_whole(self):
        """Whether it has not, for certain."""
        return not self.dozes and self.ledger.total("sleeps_begun") == self.begun


class Row:
    """The counters of one process. Who comes after it in the row goes on where it was."""

    def __init__(self, ledger, number):
        self.ledger = ledger
        self.number = number

    def place(self, name):
        return (1 + self.number * len(NAMES) + NAMES.index(name)) * ENTRY.size

    def value(self, name):
        return ENTRY.unpack_from(self.ledger.memory, self.place(name))[0]

    def add(self, name, count=1):
        ENTRY.pack_into(self.ledger.memory, self.place(name), self.value(name) + count)

    def give_back(self):
        self.ledger.free.append(self.number)
