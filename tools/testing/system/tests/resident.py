# SPDX-License-Identifier: GPL-2.0
"""Contexts stay in the TPM between commands, and nobody else notices."""

import contextlib
import os
import time

from harness import expect, tss, wire
from harness.runner import test
from harness.workers import is_over, workers

COUNTERS = "/sys/kernel/debug/tpmrm/tpmrm0/counters"
PCR = "/sys/class/tpm/tpm0/pcr-sha256/16"
ROUNDS = 300


def counters():
    """What the driver says that it has done."""
    if not os.path.ismount("/sys/kernel/debug"):
        os.system("mount -t debugfs none /sys/kernel/debug")
    with open(COUNTERS) as file:
        return {name: int(value) for name, value in (line.split() for line in file)}


def at_full_speed(stop):
    """A program that never sees that it is not alone."""
    with tss.Tpm() as tpm:
        keys = [tss.Key(tpm, os.urandom(16)) for _ in range(3)]
        sessions = [tss.Session(tpm, number) for number in range(3)]
        while not is_over(stop):
            for thing in keys + sessions:
                thing.check()


@test()
def g1_the_second_use_needs_no_load():
    with tss.Tpm() as tpm:
        things = [tss.Key(tpm, b"key"), tss.Session(tpm, 1)]
        for thing in things:
            thing.check()
        before = counters()
        for _ in range(10):
            for thing in things:
                thing.check()
        after = counters()
    expect.equal(after["loads"] - before["loads"], 0, "the contexts that were loaded")
    expect.equal(after["saves"] - before["saves"], 0, "the contexts that were saved")


@test(limit=300)
def g9_the_kernel_and_raw_users_among_commands_at_full_speed():
    """None of theirs fails or sees a handle of ours, and none of ours fails."""
    with workers(at_full_speed), tss.Tpm(tss.RAW) as raw:
        for number in range(ROUNDS):
            with open(PCR) as file:
                expect.equal(len(file.read().strip()), 64, "the length of a PCR")
            for first in (wire.FIRST_TRANSIENT, wire.FIRST_LOADED_SESSION):
                expect.equal(raw.handles(first), [], f"what the raw node sees in round {number}")
            if number % 10 == 0:
                with contextlib.ExitStack() as stack:
                    # Not all that there is room for.
                    for mine in range(2):
                        key = tss.Key(raw, b"raw %d" % mine)
                        stack.callback(key.flush)
                        key.check()


@test()
def g9_a_tpm_that_nobody_uses_is_empty_after_a_while():
    with tss.Tpm() as tpm:
        key = tss.Key(tpm, b"key")
        key.check()
        before = counters()
        deadline = time.monotonic() + 30
        while counters()["flushes"] == before["flushes"]:
            assert time.monotonic() < deadline, "nothing left the TPM"
            time.sleep(0.1)
        key.check()
        expect.equal(counters()["loads"] - before["loads"], 1, "the contexts that were loaded again")
