# SPDX-License-Identifier: GPL-2.0
"""G4: a descriptor names, lists, flushes and uses only what is its own."""

import struct

from harness import expect, tss, wire
from harness.runner import FAILS, test

FOREIGN_HANDLE = wire.MANAGER | wire.REFERENCE_H0
FOREIGN_SESSION = wire.MANAGER | wire.REFERENCE_S0


@test()
def g4_a_second_fd_cannot_use_an_object():
    with tss.Tpm() as owner, tss.Tpm() as other:
        key = tss.Key(owner, b"key")
        with expect.fails_with(22):
            other.read_public(key.handle)
        with expect.fails_with(22):
            other.flush(key.handle)
        with expect.fails_with(22):
            other.save(key.handle)
        key.check()


@test()
def g4_the_same_number_is_another_object_elsewhere():
    with tss.Tpm() as one, tss.Tpm() as two:
        first, second = tss.Key(one, b"first"), tss.Key(two, b"second")
        first.check()
        second.check()
        second.flush()
        first.check()


@test(control=FAILS)
def g4_a_second_fd_cannot_flush_a_session():
    with tss.Tpm() as owner, tss.Tpm() as other:
        session = tss.Session(owner)
        with expect.answered(FOREIGN_HANDLE):
            other.flush(session.handle)
        session.check()


@test(control=FAILS)
def g4_a_second_fd_cannot_name_a_session():
    with tss.Tpm() as owner, tss.Tpm() as other:
        session = tss.Session(owner)
        with expect.answered(FOREIGN_HANDLE):
            other.call(wire.POLICY_GET_DIGEST, (session.handle,))
        with expect.answered(FOREIGN_HANDLE):
            other.save(session.handle)
        session.check()


@test(control=FAILS)
def g4_a_second_fd_cannot_authorize_by_a_session():
    with tss.Tpm() as owner, tss.Tpm() as other:
        session = tss.Session(owner)
        key = tss.Key(other, b"key")
        parameters = wire.sized(b"data") + struct.pack(">H", wire.SHA256)
        with expect.answered(FOREIGN_SESSION):
            other.call(wire.HMAC, (key.handle,), parameters, (session.handle,))
        with expect.answered(FOREIGN_SESSION + 1):
            other.call(wire.HMAC, (key.handle,), parameters, (wire.PASSWORD, session.handle))
        session.check()
        key.check()


@test(control=FAILS)
def g4_a_second_fd_does_not_see_sessions():
    with tss.Tpm() as owner, tss.Tpm() as other:
        sessions = sorted(tss.Session(owner, number).handle for number in range(3))
        for first in (wire.FIRST_LOADED_SESSION, wire.FIRST_SAVED_SESSION):
            expect.equal(other.every_handle(first), [], "the sessions that the other sees")
        listed = owner.every_handle(wire.FIRST_LOADED_SESSION) + owner.every_handle(wire.FIRST_SAVED_SESSION)
        # The TPM lists saved sessions by their number alone.
        expect.equal(sorted({handle & 0xFFFFFF for handle in listed}), [handle & 0xFFFFFF for handle in sessions],
                     "the sessions that the owner sees")


@test()
def g4_a_second_fd_does_not_see_objects():
    with tss.Tpm() as owner, tss.Tpm() as other:
        handles = {tss.Key(owner, bytes([number])).handle for number in range(3)}
        expect.equal(other.every_handle(wire.FIRST_TRANSIENT), [], "the objects that the other sees")
        expect.equal(set(owner.handles(wire.FIRST_TRANSIENT)), handles, "the objects that the owner sees")


@test(control=FAILS)
def g4_objects_are_listed_from_any_handle():
    with tss.Tpm() as tpm:
        handles = sorted(tss.Key(tpm, bytes([number])).handle for number in range(12))
        for count in (1, 5, 12, 100):
            for start in (0, 4, 11):
                more, found = tpm.capability(wire.HANDLES, handles[start], count)
                found = list(struct.unpack(f">{len(found) // 4}I", found))
                expect.equal(found, handles[start:start + count], f"{count} handles from number {start} on")
                expect.equal(bool(more), start + count < 12, f"whether there is more after {count} from {start} on")


@test()
def g8_a_close_leaves_nothing():
    with tss.Tpm() as tpm:
        for number in range(3):
            tss.Key(tpm, bytes([number]))
            tss.Session(tpm)
    with tss.Tpm(tss.RAW) as raw:
        expect.equal(sum(map(len, tss.left_behind(raw).values())), 0, "the number of things in the TPM")
