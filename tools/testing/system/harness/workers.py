# SPDX-License-Identifier: GPL-2.0
"""Other programs that use the TPM while a test looks."""

import contextlib
import os
import random

from . import expect, tss


@contextlib.contextmanager
def workers(*works):
    """Processes that work until the body is done, and must end well."""
    stop, stopper = os.pipe()
    pids = []
    for work in works:
        pid = os.fork()
        if pid == 0:
            status = 1
            try:
                os.close(stopper)
                os.set_blocking(stop, False)
                work(lambda: os.read(stop, 1) == b"")
                status = 0
            except BaseException as error:  # pylint: disable=broad-except
                # One line: the test itself says what matters.
                os.write(2, f"worker: {error}\n".encode())
            finally:
                os._exit(status)
        pids.append(pid)
    os.close(stop)
    try:
        yield
    finally:
        os.close(stopper)
        ends = [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in pids]
    expect.equal(ends, [0] * len(ends), "the ends of the workers")


def apart(work):
    """A process that works until it is killed; returns when it has called what it is given."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            work(lambda: os.write(writer, b"x"))
        finally:
            os._exit(1)
    os.close(writer)
    assert os.read(reader, 1), "a worker died"
    os.close(reader)
    return pid


def is_over(read_stop):
    """Whether the body is done: its end of the pipe is closed then."""
    try:
        return read_stop()
    except BlockingIOError:
        return False


def steady_work(stop):
    """A program with a few objects and sessions, which never sees that it is not alone."""
    with tss.Tpm() as tpm:
        secret = os.urandom(16)
        keys = [tss.Key(tpm, secret + bytes([number])) for number in range(5)]
        session = tss.Session(tpm)
        sequence = tss.Hash(tpm)
        while not is_over(stop):
            random.choice(keys).check()
            session.check()
            sequence.update(os.urandom(10))
            with contextlib.ExitStack() as extra:
                key = tss.Key(tpm, os.urandom(16))
                extra.callback(key.flush)
                key.check()
        sequence.complete()
        for key in keys:
            key.check()
