# SPDX-License-Identifier: GPL-2.0
"""More than a TPM has room for: many objects and sessions in one space, many spaces side by side."""

import random
import struct

from harness import expect, tss, wire
from harness.runner import FAILS, NOTHING, test
from harness.workers import steady_work, workers


@test(control=FAILS)
def g1_a_fourth_object():
    with tss.Tpm() as tpm:
        keys = [tss.Key(tpm, b"key %d" % number) for number in range(4)]
        for key in keys:
            key.check()


@test(control=FAILS)
def g1_a_fourth_session():
    with tss.Tpm() as tpm:
        sessions = [tss.Session(tpm, number) for number in range(4)]
        for session in sessions:
            session.check()


@test(control=FAILS, limit=300)
def g1_200_objects_and_60_sessions_in_one_space():
    """Must-show 3, with other spaces at work at the same time."""
    order = random.Random(1)
    with workers(steady_work), tss.Tpm() as tpm:
        keys = [tss.Key(tpm, b"key %d" % number) for number in range(200)]
        sessions = [tss.Session(tpm, number) for number in range(60)]
        expect.equal(len({key.handle for key in keys}), 200, "the number of object handles")
        expect.equal(len({session.handle for session in sessions}), 60, "the number of session handles")
        things = keys + sessions
        for _ in range(2):
            order.shuffle(things)
            for thing in things:
                thing.check()
        expect.equal(tpm.every_handle(wire.FIRST_TRANSIENT), sorted(key.handle for key in keys),
                     "the objects that are listed")
        for thing in things[::2]:
            thing.flush()
        for thing in things[1::2]:
            thing.check()


@test(control=FAILS, limit=180)
def g1_many_spaces_side_by_side():
    with workers(*[steady_work] * 8), tss.Tpm() as tpm:
        keys = [tss.Key(tpm, b"key %d" % number) for number in range(10)]
        for _ in range(20):
            for key in keys:
                key.check()


@test(control=FAILS)
def g1_sequences_beside_objects():
    with tss.Tpm() as tpm:
        sequences = [tss.Hash(tpm) for _ in range(6)]
        keys = [tss.Key(tpm, b"key %d" % number) for number in range(6)]
        for part in range(4):
            for number, sequence in enumerate(sequences):
                sequence.update(b"part %d of %d" % (part, number))
                keys[number].check()
        for sequence in reversed(sequences):
            sequence.complete()
            with expect.fails_with(22):
                sequence.update(b"more")
        for key in keys:
            key.check()


@test(control=FAILS)
def g1_the_space_limit_is_one_of_the_space():
    """The 257th object is refused, and nothing else changes."""
    with tss.Tpm() as tpm, tss.Tpm() as other:
        keys = [tss.Key(tpm, b"%d" % number) for number in range(256)]
        try:
            tss.Key(tpm, b"one too many")
        except (wire.Rc, OSError):
            pass
        else:
            raise AssertionError("there is no limit")
        tss.Key(other, b"elsewhere").check()
        keys[0].flush()
        tss.Key(tpm, b"again").check()
        keys[255].check()
        keys[1].check()


@test(control=NOTHING)
def g5_handles_are_not_used_again():
    with tss.Tpm() as tpm:
        seen = set()
        for number in range(50):
            key = tss.Key(tpm, b"%d" % number)
            assert key.handle not in seen, f"{key.handle:#x} was another object's"
            seen.add(key.handle)
            key.flush()
            with expect.fails_with(22):
                tpm.read_public(key.handle)


@test(control=FAILS)
def g3_failures_cost_nothing_else():
    """Must-show 5: whatever fails, everything else in the space is still there."""
    with tss.Tpm() as tpm:
        keys = [tss.Key(tpm, b"%d" % number) for number in range(3)]
        sessions = [tss.Session(tpm, number) for number in range(3)]
        for attempt in failures(tpm, keys[0], sessions[0]):
            try:
                attempt()
            except (OSError, wire.Rc):
                pass
            else:
                raise AssertionError("a command that must fail did not")
            for thing in keys + sessions:
                thing.check()


def failures(tpm, key, session):
    """Commands that fail: in the node, in the manager, or in the TPM."""
    yield lambda: tpm.read_public(0x80123456)
    yield lambda: tpm.flush(0x80ABCDEF)
    yield lambda: tpm.flush(0x02ABCDEF)
    yield lambda: tpm.call(0x1FE)
    yield lambda: tpm.call(wire.HMAC, (key.handle,), b"", (wire.PASSWORD,))
    yield lambda: tpm.call(wire.HMAC, (key.handle, key.handle), b"\xff" * 20, (0x02ABCDEF,))
    yield lambda: tpm.call(wire.HMAC, (key.handle,), b"\xff" * 20, (session.handle,))
    yield lambda: tpm.load(bytes(100))
    yield lambda: tpm.load(b"")
    yield lambda: tpm.call(wire.CONTEXT_SAVE)
    yield lambda: tpm.call(wire.READ_PUBLIC)
    yield lambda: tpm.call(wire.START_AUTH_SESSION, (wire.NO_HIERARCHY, wire.NO_HIERARCHY), b"\xff" * 8)
    yield lambda: tpm.call(wire.CREATE_PRIMARY, (wire.OWNER,), b"\xff" * 30, (wire.PASSWORD,))
    yield lambda: tpm.write(wire.HEADER.pack(wire.SESSIONS, 14, wire.GET_RANDOM) + struct.pack(">I", 0xFFFFFFFF))\
        and wire.body_of(wire.GET_RANDOM, tpm.read())


@test()
def g3_an_unknown_command_is_answered_by_the_manager():
    with tss.Tpm() as tpm:
        key = tss.Key(tpm, b"key")
        with expect.answered(wire.MANAGER | wire.COMMAND_CODE):
            tpm.call(0x1FE)
        key.check()


@test()
def g3_an_unknown_object_is_an_invalid_argument():
    with tss.Tpm() as tpm:
        for handle in (0x80000000, 0x80123456, 0x80FFFFFF):
            with expect.fails_with(22):
                tpm.read_public(handle)
            with expect.fails_with(22):
                tpm.flush(handle)
        tpm.random()
