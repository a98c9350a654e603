# SPDX-License-Identifier: GPL-2.0
"""The cache: finished things, each named by a hash of what it is made from.

An entry is made under another name and renamed when it is complete, so an
interrupted run leaves nothing that a later one could mistake for a result.
"""

import contextlib
import fcntl
import hashlib
import os
import shutil

from . import say


def folder():
    base = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    path = os.path.join(base, "tpmrm")
    os.makedirs(path, exist_ok=True)
    return path


def log(name):
    """A log of a long command; kept until the command runs again."""
    path = os.path.join(folder(), "logs")
    os.makedirs(path, exist_ok=True)
    return os.path.join(path, f"{name}.log")


def digest(*parts):
    whole = hashlib.sha256()
    for part in parts:
        whole.update(part.encode())
        whole.update(b"\0")
    return whole.hexdigest()[:12]


@contextlib.contextmanager
def lock(name):
    """Held while an entry is made: a second run waits for it instead of making it too."""
    path = os.path.join(folder(), f"{name}.lock")
    with open(path, "w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say.line(f"waiting for another run that makes {name}")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def entry(kind, key, make):
    """Returns the path of an entry; make(path) fills it if it is not there."""
    final = os.path.join(folder(), f"{kind}-{key}")
    if os.path.isdir(final):
        return final
    with lock(kind):
        if os.path.isdir(final):
            return final
        partial = os.path.join(folder(), f"partial-{kind}")
        remove(partial)
        os.mkdir(partial)
        make(partial)
        os.rename(partial, final)
    return final


def remove(path):
    """Removes a folder, but never what is mounted in it."""
    path = os.path.realpath(path)
    with open("/proc/self/mountinfo") as mounts:
        for mount in mounts:
            if (mount.split()[4] + "/").startswith(path + "/"):
                raise say.Failure(f"{path} has mounts in it; unmount them first")
    if os.path.lexists(path):
        shutil.rmtree(path)
