# SPDX-License-Identifier: GPL-2.0
"""The module: whether it is loaded, whom it serves, loading and unloading it."""

import ctypes
import glob
import os

NAME = "tpmrm"
FOLDER = f"/sys/module/{NAME}"

libc = ctypes.CDLL(None, use_errno=True)
SYS_DELETE_MODULE = 176
SYS_FINIT_MODULE = 313


def is_loaded():
    return os.path.exists(FOLDER)


def is_built_in():
    """Whether it is a part of the kernel: then nobody counts who uses it, since it cannot be unloaded."""
    return is_loaded() and not os.path.exists(f"{FOLDER}/refcnt")


def parameter(name):
    with open(f"{FOLDER}/parameters/{name}") as file:
        return file.read().strip()


def set_parameter(name, value):
    """Sets a parameter until the end of the test: the runner puts back what there was."""
    with open(f"{FOLDER}/parameters/{name}", "w") as file:
        file.write(str(value))


def parameters():
    """All that can be read and written."""
    try:
        names = os.listdir(f"{FOLDER}/parameters")
    except FileNotFoundError:
        return {}
    return {name: parameter(name) for name in names if os.stat(f"{FOLDER}/parameters/{name}").st_mode & 0o200}


def references():
    """How many open descriptors keep the module from being unloaded."""
    with open(f"{FOLDER}/refcnt") as file:
        return int(file.read())


def spaces():
    """How many spaces it has, of all chips."""
    count = 0
    for path in glob.glob("/sys/kernel/debug/tpmrm/*/spaces"):
        with open(path) as file:
            count += len(file.readlines()) - 1
    return count


def serves(path):
    """Whether a node is served as it should be: by the module, if that is loaded.

    An open descriptor of another program would be counted too, so this is for
    tests that have the nodes for themselves.
    """
    if not is_loaded():
        return True
    users = spaces if is_built_in() else references
    before = users()
    try:
        fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        return users() > before
    finally:
        os.close(fd)


def checked(result):
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def load(path, options=""):
    with open(path, "rb") as file:
        checked(libc.syscall(SYS_FINIT_MODULE, file.fileno(), options.encode(), 0))


def unload(name=NAME):
    checked(libc.syscall(SYS_DELETE_MODULE, name.encode(), os.O_NONBLOCK))


def file():
    """The module's file, as the run was told."""
    return os.environ["TPMRM_MODULE"]


def companion(name):
    """The file of a module of the tests' own."""
    return os.path.join(os.environ["TPMRM_COMPANIONS"], f"{name}.ko")
