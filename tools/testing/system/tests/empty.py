# SPDX-License-Identifier: GPL-2.0
"""G9: the kernel and the raw node find the TPM empty, and as usable as without us."""

import contextlib

from harness import expect, tss, wire
from harness.runner import FAILS, test
from harness.workers import steady_work, workers


def must_be_empty(raw, after):
    for kind, first in (("objects", wire.FIRST_TRANSIENT), ("sessions", wire.FIRST_LOADED_SESSION)):
        expect.equal(raw.handles(first), [], f"the {kind} that the raw node sees after {after}")


@test()
def g9_the_raw_node_finds_the_tpm_empty_after_every_command():
    with tss.Tpm() as tpm, tss.Tpm(tss.RAW) as raw:
        @contextlib.contextmanager
        def step(what):
            yield
            must_be_empty(raw, what)

        with step("loading a key"):
            key = tss.Key(tpm, b"key")
        with step("making a session"):
            session = tss.Session(tpm, 1)
        with step("making a primary key"):
            primary = tpm.primary()
        with step("using a key"):
            key.check()
        with step("using a session"):
            session.check()
        with step("a command without handles"):
            tpm.random()
        with step("saving an object"):
            context = tpm.save(key.handle)
        with step("flushing an object"):
            key.flush()
        with step("loading a context"):
            key.handle = tpm.load(context)
        with step("flushing a session"):
            session.flush()
        with step("a command that fails"):
            with expect.fails_with(22):
                tpm.read_public(0x80123456)
        for thing in (primary, key.handle):
            tpm.flush(thing)
    with tss.Tpm() as tpm, tss.Tpm(tss.RAW) as raw:
        with step("making a sequence"):
            sequence = tss.Hash(tpm)
        with step("updating it"):
            sequence.update(b"data")
        with step("completing it"):
            sequence.complete()


@test()
def g9_the_raw_node_may_fill_the_tpm():
    with tss.Tpm() as tpm, tss.Tpm(tss.RAW) as raw:
        ours = [tss.Key(tpm, b"ours"), tss.Session(tpm, 1)]
        for _ in range(3):
            theirs = [tss.Key(raw, b"theirs %d" % number) for number in range(3)]
            theirs += [tss.Session(raw, number) for number in range(3)]
            for thing in theirs:
                thing.check()
            for thing in theirs:
                thing.flush()
            for thing in ours:
                thing.check()


@test(control=FAILS)
def g9_objects_of_the_raw_node_stay():
    """Also while we need the room that they take."""
    with tss.Tpm() as tpm, tss.Tpm(tss.RAW) as raw:
        theirs = [tss.Key(raw, b"theirs %d" % number) for number in range(2)]
        ours = [tss.Key(tpm, b"ours %d" % number) for number in range(4)]
        for _ in range(2):
            for key in theirs + ours:
                key.check()
        for key in theirs:
            key.flush()


@test(control=FAILS, limit=120)
def g9_the_raw_node_at_work_among_others():
    with workers(*[steady_work] * 3), tss.Tpm(tss.RAW) as raw:
        for number in range(40):
            key, session = tss.Key(raw, b"%d" % number), tss.Session(raw, number)
            for thing in (key, session, key):
                thing.check()
            key.flush()
            session.flush()


@test()
def g9_the_kernel_reads_a_pcr():
    """An in-kernel user, which has its own session with the TPM where the kernel is so configured."""
    with tss.Tpm() as tpm:
        things = [tss.Key(tpm, b"key %d" % number) for number in range(3)]
        things += [tss.Session(tpm, number) for number in range(3)]
        for _ in range(3):
            with open("/sys/class/tpm/tpm0/pcr-sha256/16") as file:
                expect.equal(len(file.read().strip()), 64, "the length of a PCR")
            for thing in things:
                thing.check()
