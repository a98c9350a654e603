# SPDX-License-Identifier: GPL-2.0
"""What somebody else took away is refused by name; everything else works on."""

import struct

from harness import expect, tss, wire
from harness.runner import FAILS, NOTHING, test

LOST_HANDLE = wire.MANAGER | wire.REFERENCE_H0
LOST_SESSION = wire.MANAGER | wire.REFERENCE_S0


@test(control=FAILS, limit=120)
def g3_after_a_clear_only_the_dead_are_refused():
    """Must-show 5: TPM2_Clear kills what hangs on the owner, and nothing else."""
    with tss.Tpm() as tpm:
        dead = tpm.primary()
        alive = [tss.Key(tpm, b"key %d" % number) for number in range(2)]
        sessions = [tss.Session(tpm, number) for number in range(3)]
        with tss.Tpm() as other:
            other.clear()
        tpm.random()
        for _ in range(2):
            with expect.answered(LOST_HANDLE):
                tpm.read_public(dead)
        tpm.random()
        for thing in alive + sessions:
            thing.check()
        # The space goes on as if nothing had been.
        fresh = tpm.primary()
        assert fresh != dead, "the handle of a dead object means something else now"
        tpm.read_public(fresh)


@test(control=FAILS, limit=120)
def g5_a_dead_handle_can_be_flushed():
    with tss.Tpm() as tpm:
        dead = tpm.primary()
        with tss.Tpm() as other:
            other.clear()
        with expect.answered(LOST_HANDLE):
            tpm.read_public(dead)
        try:
            tpm.flush(dead)
        except wire.Rc as answer:
            expect.equal(answer.code, LOST_HANDLE, "what a flush of a dead handle is answered")
        tpm.random()


@test(control=FAILS, limit=120)
def g3_a_clear_by_the_space_itself():
    with tss.Tpm() as tpm:
        dead = tpm.primary()
        key = tss.Key(tpm, b"key")
        tpm.clear()
        with expect.answered(LOST_HANDLE):
            tpm.read_public(dead)
        key.check()


@test(control=FAILS)
def g6_a_session_that_was_flushed_elsewhere():
    """By the raw node: the manager learns of it when the session is used, and refuses it by name."""
    with tss.Tpm() as tpm:
        lost, kept = tss.Session(tpm, 1), tss.Session(tpm, 2)
        keys = [tss.Key(tpm, b"key %d" % number) for number in range(2)]
        with tss.Tpm(tss.RAW) as raw:
            raw.flush(lost.handle)
        parameters = wire.sized(b"data") + struct.pack(">H", wire.SHA256)
        for _ in range(2):
            with expect.answered(LOST_SESSION):
                tpm.call(wire.HMAC, (keys[0].handle,), parameters, (lost.handle,))
            with expect.answered(LOST_HANDLE):
                tpm.call(wire.POLICY_GET_DIGEST, (lost.handle,))
        for thing in [kept, *keys]:
            thing.check()


@test(control=NOTHING)
def g6_a_lost_session_is_no_failed_authorization():
    lockout_counter = 0x20E
    with tss.Tpm() as tpm:
        before = tpm.property(lockout_counter)
        session = tss.Session(tpm)
        key = tss.Key(tpm, b"key")
        with tss.Tpm(tss.RAW) as raw:
            raw.flush(session.handle)
        for _ in range(3):
            with expect.answered(LOST_SESSION):
                tpm.call(wire.HMAC, (key.handle,), wire.sized(b"") + struct.pack(">H", wire.SHA256),
                         (session.handle,))
        expect.equal(tpm.property(lockout_counter), before, "the count of failed authorizations")
