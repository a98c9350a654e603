# SPDX-License-Identifier: GPL-2.0
"""Sessions when there are not enough of them: who holds them, and who waits for one."""

import contextlib
import ctypes
import errno
import os
import re
import select
import signal

from . import chip, expect, module, tss, users, wire

# What a TPM has, and what is left to programs by default.
NUMBERS = 64
FOR_USERS = 62
# Milliseconds: long for a test, and short.
LONG, SHORT = 600000, 100
SYS_READ, SYS_WRITE, SYS_IOCTL = 0, 1, 16
libc = ctypes.CDLL(None, use_errno=True)


def terms(lease=LONG, wait=LONG, **more):
    """Sets what sessions are had by, until the end of the test."""
    for name, value in {"session_lease_ms": lease, "session_wait_ms": wait, **more}.items():
        module.set_parameter(name, value)


def take(tpm, count=FOR_USERS):
    """Starts sessions, and returns their handles."""
    return [tpm.start() for _ in range(count)]


def take_all(tpm):
    """Starts as many sessions as users can have."""
    return take(tpm, NUMBERS - int(module.parameter("kernel_reserve")))


def settled(path=tss.NODE):
    """Returns when whatever was written before was looked at.

    The command is queued, so this does not return if those who wait keep the
    queue's worker.
    """
    with tss.Tpm(path, os.O_NONBLOCK) as tpm:
        tpm.write(wire.command(wire.GET_TEST_RESULT))
        expect.equal(expect.awaited(tpm), {"IN"}, "the events of a command behind those that wait")
        wire.body_of(wire.GET_TEST_RESULT, tpm.read())


def close_all_but(*kept):
    """A process that was forked does not keep open what the others close."""
    for fd in map(int, os.listdir("/proc/self/fd")):
        if fd > 2 and fd not in kept:
            with contextlib.suppress(OSError):
                os.close(fd)


def sleeps(pid, call):
    """Whether a process sleeps in a system call."""
    with open(f"/proc/{pid}/syscall") as file:
        number = file.read().split()[0]
    return (number, state(pid)) == (str(call), "S")


def state(pid):
    """The state of a process, as a letter."""
    with open(f"/proc/{pid}/stat") as file:
        return file.read().rpartition(")")[2].split()[0]


class Waiter:
    """A descriptor that does not block, with a command for a session."""

    def __init__(self, user, path=tss.NODE):
        self.tpm = users.opened(user, path, os.O_NONBLOCK)
        self.tpm.write(tss.START)

    def is_over(self):
        return "IN" in expect.events(self.tpm)

    def handle(self):
        """Waits for the session, and returns its handle."""
        expect.equal(expect.awaited(self.tpm), {"IN"}, "the events in the end")
        return tss.started(self.tpm.read())

    def close(self):
        self.tpm.close()


def queue(*whose, path=tss.NODE):
    """Descriptors of some users that wait, and came in this order."""
    waiters = [Waiter(user, path) for user in whose]
    settled(path)
    expect.equal([waiter.is_over() for waiter in waiters], [False] * len(waiters), "whether the wait is over")
    return waiters


def next_served(waiters):
    """The one of those who wait whose wait is over next."""
    chip.wait_for("the end of a wait", lambda: any(waiter.is_over() for waiter in waiters))
    served = [waiter for waiter in waiters if waiter.is_over()]
    expect.equal(len(served), 1, "how many waits are over")
    return served[0]


class Writer:
    """A process of a user, which starts a session by a write that blocks."""

    def __init__(self, user, path=tss.NODE, restart=False):
        os.chmod(path, 0o666)
        self.reader, writer = os.pipe()
        self.hold, self.held = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            try:
                close_all_but(writer, self.hold)
                os.setgroups([])
                os.setuid(user)
                with tss.Tpm(path) as tpm:
                    os.write(writer, self.work(tpm, restart).encode())
                    # Keeps what it got until its parent has looked.
                    os.read(self.hold, 1)
            finally:
                os._exit(0)
        os.close(writer)
        os.close(self.hold)
        chip.wait_for("a write that sleeps", lambda: sleeps(self.pid, SYS_WRITE))

    @staticmethod
    def work(tpm, restart):
        """What comes of the write, in a word: the name of an errno, or a handle or response code."""
        signal.signal(signal.SIGUSR1, lambda *_: None)
        signal.siginterrupt(signal.SIGUSR1, not restart)
        # Python's own write would begin again after a signal.
        if libc.write(tpm.fd, tss.START, len(tss.START)) < 0:
            return errno.errorcode[ctypes.get_errno()]
        try:
            return f"{tss.started(tpm.read()):#x}"
        except wire.Rc as answer:
            return f"{answer.code:#x}"

    def is_over(self):
        return bool(select.select([self.reader], [], [], 0)[0])

    def result(self):
        """Waits for what comes of it; the process ends then."""
        said = os.read(self.reader, 100).decode()
        self.end()
        return said

    def has_session(self):
        """Waits for the session that it must get."""
        said = self.result()
        assert re.fullmatch("0x3[0-9a-f]{6}", said), f"instead of a session there is {said}"

    def kill(self, number=signal.SIGKILL):
        os.kill(self.pid, number)

    def end(self):
        """Waits for the process; returns its status."""
        with contextlib.suppress(BrokenPipeError):
            os.write(self.held, b"x")
        os.close(self.held)
        status = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        os.close(self.reader)
        return status
