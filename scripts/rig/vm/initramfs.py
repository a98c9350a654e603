# SPDX-License-Identifier: GPL-2.0
"""A guest's root in memory: what init and Python programs need of the rig's root, and what is shared.

A virtiofs device does not sleep, so a guest that is to be suspended has none.
"""

import glob
import os
import re
import subprocess

from .. import say

# What init runs, and the interpreter of the tests.
PROGRAMS = ("bash", "cat", "dmesg", "env", "hostname", "insmod", "ip", "ln", "mkdir", "mount", "python3", "setsid",
            "sleep", "stty", "sync", "tail")
PLACES = ("usr/bin", "usr/sbin")
LIBRARY = "usr/lib/python3.*"
LOCALE = "/usr/lib/locale/C.utf8"
EXTENSIONS = "lib-dynload/*.so"
# Links of a merged /usr, and folders that something is mounted on or that programs expect.
TOP = ("bin", "sbin", "lib", "lib64", "dev", "proc", "root", "run", "sys", "tmp")
LOADED = re.compile(r"(/\S+) \(0x[0-9a-f]+\)")


def make(root, top, folders, programs, image):
    """Makes the image of a root that is visible at /guest of the rig's root, and on this machine at top."""
    paths = [program(top, name) for name in (*PROGRAMS, *programs)]
    for library in glob.glob(LIBRARY, root_dir=top):
        paths += glob.glob(f"{library}/{EXTENSIONS}", root_dir=top)
        folders = [*folders, "/" + library]
    folders = [*folders, "/.rig", LOCALE]
    paths += libraries(root, paths)
    wanted = {found for path in paths for found in chain(top, path)}
    for folder in (folder.lstrip("/") for folder in folders):
        wanted |= {folder, *tree(top, folder)}
    # A folder comes before what is in it.
    wanted |= {*TOP, *(parent for path in wanted for parent in parents(path))}
    write(root, sorted(wanted), image)


def program(top, name):
    for place in PLACES:
        if os.path.lexists(f"{top}/{place}/{name}"):
            return f"{place}/{name}"
    raise say.Failure(f"the rig's root has no {name}")


def libraries(root, paths):
    """The shared libraries that programs and extensions need, and the one that loads them."""
    process = root.popen(["ldd", *("/" + path for path in paths)], cwd="/guest", stdin=subprocess.DEVNULL,
                         stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    found, _ = process.communicate()
    return {os.path.join("usr", path.lstrip("/")) if path.startswith("/lib") else path.lstrip("/")
            for path in LOADED.findall(found)}


def chain(top, path):
    """A file, and the links on the way to it."""
    while True:
        yield path
        full = os.path.join(top, path)
        if not os.path.islink(full):
            return
        path = os.path.normpath(os.path.join(os.path.dirname("/" + path), os.readlink(full))).lstrip("/")


def tree(top, folder):
    for base, folders, files in os.walk(os.path.join(top, folder)):
        for name in folders + files:
            yield os.path.relpath(os.path.join(base, name), top)


def parents(path):
    while path := os.path.dirname(path):
        yield path


def write(root, paths, image):
    with open(root.inside(image), "wb") as file:
        process = root.popen(["cpio", "--quiet", "--null", "-o", "-H", "newc"], cwd="/guest",
                             stdin=subprocess.PIPE, stdout=file)
        process.communicate(b"".join(path.encode() + b"\0" for path in paths))
    if process.returncode:
        raise say.Failure("the guest's root could not be made")
