# SPDX-License-Identifier: GPL-2.0
"""Contexts stay in the TPM between commands, and nobody else notices."""

from harness import chip, expect, module, tss
from harness.counters import counters
from harness.runner import NOTHING, test

# Milliseconds: for longer than any test takes.
LONG = 600000


def since(before):
    """What the driver has done since then."""
    return {name: value - before[name] for name, value in counters().items()}


@test(control=NOTHING)
def g1_the_second_use_needs_no_load():
    module.set_parameter("idle_ms", LONG)
    with tss.Tpm() as tpm:
        things = [tss.Key(tpm, b"key"), tss.Session(tpm, 1)]
        for thing in things:
            thing.check()
        before = counters()
        for _ in range(10):
            for thing in things:
                thing.check()
        found = since(before)
    expect.equal((found["client"], found["sent"]), (20, 20), "the commands of the client, and what was sent for them")
    expect.equal((found["loads"], found["saves"], found["flushes"]), (0, 0, 0), "what was loaded, saved and flushed")


@test(control=NOTHING)
def g9_a_tpm_that_nobody_uses_is_empty_after_a_while():
    with tss.Tpm() as tpm:
        key = tss.Key(tpm, b"key")
        key.check()
        before = counters()
        chip.wait_for("an empty TPM", lambda: since(before)["flushes"])
        key.check()
        expect.equal(since(before)["loads"], 1, "the contexts that were loaded again")


@test(control=NOTHING)
def g9_a_shorter_stay_is_in_force_from_the_next_command_on():
    """Also that of somebody else, and then again the other way."""
    with tss.Tpm() as tpm, tss.Tpm() as other:
        for _ in range(2):
            module.set_parameter("idle_ms", LONG)
            key, session = tss.Key(tpm, b"key"), tss.Session(tpm, 1)
            before = counters()
            other.random()
            expect.equal((since(before)["saves"], since(before)["flushes"]), (0, 0), "what has left the TPM")
            module.set_parameter("idle_ms", 0)
            other.random()
            # A session that is saved is not in the TPM any more; of an object both is needed.
            expect.equal((since(before)["saves"], since(before)["flushes"]), (2, 1), "what has left the TPM")
            for thing in (key, session):
                thing.check()
                thing.flush()


@test(control=NOTHING)
def g9_unloading_leaves_the_tpm_empty():
    module.set_parameter("idle_ms", LONG)
    with tss.Tpm() as tpm:
        for thing in (tss.Key(tpm, b"key"), tss.Session(tpm, 1)):
            thing.check()
    module.unload()
    try:
        with tss.Tpm(tss.RAW) as raw:
            expect.equal(sum(map(len, tss.left_behind(raw).values())), 0, "what is left in the TPM")
    finally:
        module.load(module.file())


@test(control=NOTHING)
def g9_a_chip_without_a_barrier_never_keeps_anything():
    """As one is that was found while nothing was to stay, or where the barrier could not be put up."""
    module.unload()
    try:
        module.load(module.file(), "idle_ms=0")
        module.set_parameter("idle_ms", LONG)
        with tss.Tpm() as tpm:
            key, session = tss.Key(tpm, b"key"), tss.Session(tpm, 1)
            for _ in range(3):
                before = counters()
                for thing in (key, session):
                    thing.check()
                # Flushed, and saved by a ContextSave that takes it out: at once, since nobody else comes here.
                found = since(before)
                expect.equal((found["loads"], found["saves"], found["flushes"]), (2, 1, 1),
                             "what was loaded, saved and flushed")
                expect.equal((found["barriers"], found["rests"]), (0, 0), "how often all had to leave")
    finally:
        module.unload()
        module.load(module.file())
