# SPDX-License-Identifier: GPL-2.0
"""A session that a program saved is a file: usable by whoever has the file, and gone after a flush."""

import os

from harness import expect, tss, wire
from harness.runner import FAILS, test


def saved():
    """A session whose descriptor is closed, and its context."""
    with tss.Tpm() as tpm:
        session = tss.Session(tpm, 100)
        context = tpm.save(session.handle)
    return session, context


def in_another_process(function):
    child = os.fork()
    if child == 0:
        status = 1
        try:
            function()
            status = 0
        except BaseException as error:  # pylint: disable=broad-except
            os.write(2, f"in another process: {error}\n".encode())
        finally:
            os._exit(status)
    expect.equal(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), 0, "the other process's status")


def claim(tpm, session, context):
    expect.equal(tpm.load(context), session.handle, "the handle")
    session.check(tpm)


@test()
def a_saved_session_is_usable_in_another_process():
    session, context = saved()

    def use():
        with tss.Tpm() as tpm:
            claim(tpm, session, context)
            session.check(tpm)
            tpm.flush(session.handle)

    in_another_process(use)


@test()
def a_saved_session_is_gone_after_a_flush():
    session, context = saved()
    with tss.Tpm() as tpm:
        claim(tpm, session, context)
        tpm.flush(session.handle)
        try:
            tpm.load(context)
            raise AssertionError("a flushed session was loaded")
        except wire.Rc:
            pass
    with tss.Tpm(tss.RAW) as raw:
        expect.equal(raw.every_handle(wire.FIRST_SAVED_SESSION), [], "the sessions in the TPM")


@test()
def a_session_passes_from_file_to_file():
    session, context = saved()
    for _ in range(5):
        with tss.Tpm() as tpm:
            claim(tpm, session, context)
            context = tpm.save(session.handle)
    with tss.Tpm() as tpm:
        claim(tpm, session, context)
        tpm.flush(session.handle)


@test()
def a_session_can_be_saved_and_loaded_by_one_fd():
    with tss.Tpm() as tpm:
        session = tss.Session(tpm)
        claim(tpm, session, tpm.save(session.handle))
        session.flush()


@test()
def g4_a_session_cannot_be_claimed_twice():
    session, context = saved()
    with tss.Tpm() as one, tss.Tpm() as two:
        claim(one, session, context)
        try:
            two.load(context)
            raise AssertionError("two descriptors claimed one session")
        except wire.Rc:
            pass
        session.check(one)
        one.flush(session.handle)


@test(control=FAILS)
def g4_a_saved_session_is_not_the_fds_any_more():
    session, context = None, None
    with tss.Tpm() as tpm:
        session = tss.Session(tpm)
        context = tpm.save(session.handle)
        with expect.answered(wire.MANAGER | wire.REFERENCE_H0):
            tpm.call(wire.POLICY_GET_DIGEST, (session.handle,))
        claim(tpm, session, context)
        tpm.flush(session.handle)


@test(control=FAILS)
def a_session_file_stays_good_while_others_work():
    session, context = saved()
    with tss.Tpm() as tpm:
        others = [tss.Session(tpm, number) for number in range(30)]
        for _ in range(3):
            for other in others:
                other.check()
        claim(tpm, session, context)
        for other in others:
            other.check()
        tpm.flush(session.handle)


@test()
def objects_are_files_as_well():
    with tss.Tpm() as tpm:
        key = tss.Key(tpm, b"key")
        context = tpm.save(key.handle)
        key.check()
    with tss.Tpm() as tpm:
        for _ in range(2):
            key.tpm, key.handle = tpm, tpm.load(context)
            key.check()
        tpm.flush(key.handle)


@test()
def a_damaged_session_file_is_refused():
    session, context = saved()
    with tss.Tpm() as tpm:
        for at in (0, len(context) // 2, len(context) - 1):
            damaged = bytearray(context)
            damaged[at] ^= 1
            try:
                tpm.load(bytes(damaged))
                raise AssertionError(f"a context with another byte {at} was loaded")
            except (wire.Rc, OSError):
                pass
        claim(tpm, session, context)
        tpm.flush(session.handle)
