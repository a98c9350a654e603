# SPDX-License-Identifier: GPL-2.0
"""Others who use the TPM beside clients of the node, and the clients, which must not notice each other.

A TPM that is full of a raw user's objects has no room for a client's, and the
same is true of sessions. So who fills it says so, and the client then uses what
there is room for.
"""

import contextlib
import itertools
import mmap
import os
import time

from . import expect, ima, tss, wire
from .workers import is_over

PCR = "/sys/class/tpm/tpm0/pcr-sha256/16"
# What a TPM has room for.
SLOTS = 3
# What clients use.
ALL, NO_OBJECTS, NO_SESSIONS = range(3)
FIELD = 8


class Board:
    """What processes tell each other: numbers in shared memory, each written by one of them."""

    def __init__(self, clients):
        self.clients = clients
        self.memory = mmap.mmap(-1, FIELD * (1 + 2 * clients))

    def get(self, field):
        return int.from_bytes(self.memory[FIELD * field:FIELD * (field + 1)], "little")

    def set(self, field, value):
        self.memory[FIELD * field:FIELD * (field + 1)] = value.to_bytes(FIELD, "little")

    def phase(self):
        return self.get(0)

    def enter(self, client, phase):
        """Called by a client: it uses nothing else from now on."""
        self.set(1 + 2 * client, phase)

    def done(self, client, commands):
        self.set(2 + 2 * client, self.get(2 + 2 * client) + commands)

    def commands(self):
        """How many commands of clients were answered as they should be, for each client."""
        return [self.get(2 + 2 * client) for client in range(self.clients)]

    @contextlib.contextmanager
    def only(self, phase):
        """While the body runs, no client uses more."""
        self.move(phase)
        yield
        self.move(ALL)

    def move(self, phase):
        self.set(0, phase)
        until = time.monotonic() + 60
        while any(self.get(1 + 2 * client) != phase for client in range(self.clients)):
            assert time.monotonic() < until, "a client is stuck"
            time.sleep(0.001)


def client(board, number):
    """A program at full speed, which holds as many objects and sessions as a TPM, one of them a sequence."""
    def work(stop):
        with tss.Tpm() as tpm:
            keys = [tss.Key(tpm, os.urandom(16)) for _ in range(SLOTS - 1)]
            sessions = [tss.Session(tpm, mark) for mark in range(SLOTS)]
            sequence = tss.Hash(tpm)
            for turn in itertools.count():
                if is_over(stop):
                    break
                phase = board.phase()
                board.enter(number, phase)
                tpm.random()
                if phase != NO_OBJECTS:
                    keys[turn % len(keys)].check()
                    sequence.update(b"%d" % turn)
                if phase != NO_SESSIONS:
                    sessions[turn % len(sessions)].check()
                board.done(number, 4 if phase == ALL else 3 if phase == NO_SESSIONS else 2)
            sequence.complete()
            for thing in keys + sessions:
                thing.check()
    return work


class Foreigner:
    """Who uses the TPM otherwise: each method is some commands, which are counted by their kinds."""

    def __init__(self, raw, board):
        self.raw = raw
        self.board = board
        self.counts = {}
        self.measured = ima.count()

    def count(self, kind, commands=1):
        self.counts[kind] = self.counts.get(kind, 0) + commands

    def total(self):
        return sum(self.counts.values())

    def read_pcr(self):
        with open(PCR) as file:
            expect.equal(len(file.read().strip()), 64, "the length of a PCR")
        self.count("PCRs read by the kernel")

    def extend_pcr(self):
        ima.measure(f"{self.total()}")
        self.count("PCRs extended by the kernel")

    def look(self):
        """Nothing of a client's is there."""
        for first in (wire.FIRST_TRANSIENT, wire.FIRST_LOADED_SESSION):
            expect.equal(self.raw.handles(first), [], f"what the raw node sees after {self.total()} commands")
            self.count("raw looks at what is loaded")

    def take_random(self):
        expect.equal(len(self.raw.random(16)), 16, "the length of a random number")
        self.count("raw random numbers")

    def fill(self, objects, sessions, phase):
        """The raw node has all that there is room for."""
        with self.board.only(phase):
            things = [tss.Key(self.raw, b"raw %d" % number) for number in range(objects)]
            things += [tss.Session(self.raw, number) for number in range(sessions)]
            for thing in things:
                thing.check()
            expect.equal(len(self.raw.handles(wire.FIRST_TRANSIENT)), objects, "the objects of the raw node")
            expect.equal(len(self.raw.handles(wire.FIRST_LOADED_SESSION)), sessions, "its sessions")
            for thing in things:
                thing.flush()
        # A session takes one more, which marks it.
        self.count("raw commands that fill the TPM", 3 * objects + 4 * sessions + 2)

    def round(self, number):
        """Some of everything."""
        for _ in range(2):
            self.read_pcr()
            self.extend_pcr()
            self.look()
            self.take_random()
        if number % 5 == 0:
            self.fill(SLOTS, SLOTS - 1, NO_OBJECTS)
            self.fill(SLOTS - 1, SLOTS, NO_SESSIONS)

    def check(self):
        """Each extend has reached the TPM once."""
        expect.equal(ima.count() - self.measured, self.counts["PCRs extended by the kernel"], "the measured files")
        expect.equal(ima.found().hex(), ima.wanted().hex(), "the PCR that was extended for them")
