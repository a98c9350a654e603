# SPDX-License-Identifier: GPL-2.0
"""What tests expect, and what they say when it is not so."""

import contextlib
import errno
import select

from .wire import Rc

SYS_POLL = 7


def equal(found, wanted, what):
    if found != wanted:
        raise AssertionError(f"{what}: {found!r}, not {wanted!r}")


@contextlib.contextmanager
def fails_with(number):
    """The body must fail with an errno."""
    try:
        yield
    except OSError as error:
        name = errno.errorcode.get(error.errno, error.errno)
        equal(name, errno.errorcode[number], "the error")
        return
    raise AssertionError(f"no error, instead of {errno.errorcode[number]}")


@contextlib.contextmanager
def answered(*codes):
    """The TPM, or who manages it, must answer the body with one of some codes."""
    try:
        yield
    except Rc as answer:
        if answer.code not in codes:
            raise AssertionError(f"{answer}, not {' or '.join(hex(code) for code in codes)}") from None
        return
    raise AssertionError(f"success, instead of {' or '.join(hex(code) for code in codes)}")


def events(tpm):
    """What poll() says at once, as a set of names."""
    return polled(tpm, select.POLLIN | select.POLLOUT | select.POLLPRI, 0)


def awaited(tpm):
    """What wakes a poller that waits for an answer.

    It waits for ever: a time limit would make poll() look once more at its
    end, and so hide that nobody was woken.
    """
    return polled(tpm, select.POLLIN, None)


def in_poll(thread):
    """Whether a thread is asleep in the system call poll()."""
    with open(f"/proc/self/task/{thread.native_id}/syscall") as file:
        return file.read().split()[0] == str(SYS_POLL)


def polled(tpm, wanted, timeout):
    poll = select.poll()
    poll.register(tpm.fd, wanted)
    found = dict(poll.poll(timeout)).get(tpm.fd, 0)
    names = {"IN": select.POLLIN, "OUT": select.POLLOUT, "HUP": select.POLLHUP,
             "ERR": select.POLLERR, "PRI": select.POLLPRI}
    return {name for name, bit in names.items() if found & bit}
