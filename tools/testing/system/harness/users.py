# SPDX-License-Identifier: GPL-2.0
"""Several users: a descriptor is that of the user who opened it."""

import contextlib
import os
import subprocess

from . import tss

ALICE, BOB, CAROL = 1000, 1001, 1002


@contextlib.contextmanager
def as_user(user):
    """The body runs with a user's rights, in all threads of this process."""
    os.seteuid(user)
    try:
        yield
    finally:
        os.seteuid(0)


def opened(user, path=tss.NODE, flags=0):
    """A descriptor of a user."""
    os.chmod(path, 0o666)
    with as_user(user):
        return tss.Tpm(path, flags)


def program(user, name, *arguments):
    """Starts a program of the tests in a process of a user."""
    os.chmod(tss.NODE, 0o666)
    path = os.path.join(os.environ["TPMRM_PROGRAMS"], name)
    return subprocess.Popen([path, *map(str, arguments)], user=user, group=user, extra_groups=[],
                            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
