# SPDX-License-Identifier: GPL-2.0
"""Chips whose operations are not what their driver made them: synchronous ones, and wrapped ones."""

import contextlib
import subprocess

from harness import expect, module, tss, wire
from harness.counters import counters
from harness.runner import NOTHING, test
from tests.loading import loaded, unloaded

STAYS = "idle_ms=600000"


@contextlib.contextmanager
def wrapper(options=""):
    """Somebody else's operations in front of the chip."""
    module.load(module.companion("wrapper"), options)
    try:
        yield
    finally:
        module.unload("wrapper")


@contextlib.contextmanager
def serving(options=STAYS):
    """The module, loaded as the next one, with contexts that stay."""
    module.load(module.file(), options)
    try:
        assert module.serves(tss.NODE), "the module does not serve the node"
        yield
    finally:
        unloaded()


@contextlib.contextmanager
def without_module():
    unloaded()
    try:
        yield
    finally:
        loaded()


def use_beside_others():
    """What stays is found again, and others see none of it."""
    with tss.Tpm() as tpm, tss.Tpm(tss.RAW) as raw:
        things = [tss.Key(tpm, b"key %d" % number) for number in range(5)]
        things += [tss.Session(tpm, number) for number in range(5)]
        for _ in range(3):
            for thing in things:
                thing.check()
            for first in (wire.FIRST_TRANSIENT, wire.FIRST_LOADED_SESSION):
                expect.equal(raw.handles(first), [], "what the raw node sees")
            with open("/sys/class/tpm/tpm0/pcr-sha256/16") as file:
                expect.equal(len(file.read().strip()), 64, "the length of a PCR")


@test(control=NOTHING)
def g9_g10_a_synchronous_chip_is_served_as_any_other():
    with without_module(), wrapper("synchronous=1"), serving():
        use_beside_others()


@test(control=NOTHING)
def g10_who_wraps_the_chip_after_us_can_stay_when_we_go():
    with without_module():
        with contextlib.ExitStack() as stack:
            with serving():
                stack.enter_context(wrapper())
                use_beside_others()
            # Ours are still called through the wrapper's.
            with tss.Tpm() as tpm:
                tss.Key(tpm, b"of the C driver").check()
            with serving():
                use_beside_others()
        # The wrapper has put ours back, which nobody is behind any more.
        with tss.Tpm() as tpm:
            tss.Key(tpm, b"of the C driver").check()
        with serving():
            use_beside_others()


SENT, MUTE = (f"/sys/module/wrapper/parameters/{name}" for name in ("sent", "mute"))
NO_BARRIER = "tpmrm0: commands of others are not announced (EOPNOTSUPP), so nothing stays in the TPM"


def commands():
    """How many have come to the wrapper."""
    with open(SENT) as file:
        return int(file.read())


def mute(after):
    with open(MUTE, "w") as file:
        file.write(str(after))


@test(control=NOTHING)
def g9_where_no_barrier_can_be_put_up_nothing_stays():
    """The chip has no send() at the moment when the barrier is to be put in front of it, and the log tells."""
    with without_module(), wrapper():
        before = commands()
        # What it asks before it comes to the barrier.
        with serving("idle_ms=0"):
            took = commands() - before
        mute(commands() + took)
        module.load(module.file(), STAYS)
        mute(0)
        try:
            assert NO_BARRIER in subprocess.run(["dmesg"], stdout=subprocess.PIPE, text=True, check=True).stdout, \
                "the log does not tell"
            before = counters()
            with tss.Tpm() as tpm:
                for _ in range(3):
                    tss.Key(tpm, b"key").check()
            after = counters()
            # The key was taken out when it was loaded, and again when it was used.
            expect.equal((after["flushes"] - before["flushes"], after["loads"] - before["loads"]), (6, 3),
                         "what was flushed and loaded")
            expect.equal(after["barriers"], before["barriers"], "how often something had to leave for others")
            use_beside_others()
        finally:
            unloaded()
