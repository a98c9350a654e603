# SPDX-License-Identifier: GPL-2.0
"""Runs a function in mount and process namespaces of its own.

Whatever the function mounts or starts is gone when it ends, however it ends:
nothing is left on the machine after a failure, an interrupt or a kill.
"""

import ctypes
import os
import signal
import sys

CLONE_NEWNS = 0x00020000
CLONE_NEWPID = 0x20000000
MS_RDONLY = 1
MS_REMOUNT = 32
MS_BIND = 4096
MS_REC = 16384
MS_PRIVATE = 1 << 18
PR_SET_PDEATHSIG = 1
# How long a function may take to end after it was asked to, and how long an
# interrupt may take to reach it by itself.
GRACE = 10
HINT = 2

libc = ctypes.CDLL(None, use_errno=True)


def checked(result, what):
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def mount(source, target, kind=None, flags=0, data=None):
    def text(value):
        return None if value is None else value.encode()

    result = libc.mount(text(source), text(target), text(kind), ctypes.c_ulong(flags), text(data))
    checked(result, f"cannot mount {source} on {target}")


def bind(source, target):
    mount(source, target, flags=MS_BIND | MS_REC)


def run(function):
    """Calls function() in new namespaces; returns its result, an exit status."""
    sys.stdout.flush()
    sys.stderr.flush()
    outer = os.fork()
    if outer == 0:
        end_with(lambda: enter(function))
    return supervise(outer)


def enter(function):
    die_with_parent()
    checked(libc.unshare(CLONE_NEWNS | CLONE_NEWPID), "cannot make namespaces (root is needed)")
    mount("none", "/", flags=MS_REC | MS_PRIVATE)
    first = os.fork()
    if first == 0:
        end_with(lambda: begin(function))
    return supervise(first)


def begin(function):
    """Runs as process 1 of the new namespace: when it ends, the kernel ends the rest."""
    die_with_parent()
    mount("proc", "/proc", "proc")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    signal.signal(signal.SIGINT, signal.default_int_handler)
    return function()


def die_with_parent():
    checked(libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0), "prctl")


def end_with(function):
    """Ends this forked process with the status that function returns or raises."""
    status = 1
    try:
        status = function()
    except KeyboardInterrupt:
        status = 130
    except SystemExit as end:
        status = end.code
    except Exception as error:  # pylint: disable=broad-except
        print(f"rig: error: {error}", file=sys.stderr)
        status = 2
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def supervise(child):
    """Waits for a child; passes a request to end on to it, and kills it if it does not end."""
    asked = []

    def ask(*_):
        os.kill(child, signal.SIGKILL if asked else signal.SIGTERM)
        asked.append(child)
        signal.setitimer(signal.ITIMER_REAL, GRACE)

    def interrupted(*_):
        # A terminal sends its interrupt to the child as well; anybody else may not have.
        if not asked:
            signal.setitimer(signal.ITIMER_REAL, HINT)

    handlers = {signal.SIGINT: interrupted, signal.SIGTERM: ask, signal.SIGALRM: ask}
    old = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    try:
        _, status = os.waitpid(child, 0)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        for number, handler in old.items():
            signal.signal(number, handler)
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code
