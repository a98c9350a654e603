# SPDX-License-Identifier: GPL-2.0
"""What the driver shows of a chip, read as strictly as it is documented in interface.rst."""

import os
import subprocess

from . import tss

ROOT = "/sys/kernel/debug"
FOLDER = f"{ROOT}/tpmrm"
FILES = ("chip", "spaces", "sessions", "counters")


def mount():
    if not os.path.ismount(ROOT):
        subprocess.run(["mount", "-t", "debugfs", "none", ROOT], check=True)


def path(name, node=tss.NODE):
    return f"{FOLDER}/{os.path.basename(node)}/{name}"


def text(name, node=tss.NODE):
    mount()
    with open(path(name, node)) as file:
        return file.read()


def values(name, node=tss.NODE):
    """A file with one value on each line."""
    pairs = [line.split(" ") for line in text(name, node).splitlines()]
    assert all(len(pair) == 2 for pair in pairs), f"{name}: not a name and a value on each line: {pairs}"
    assert len(dict(pairs)) == len(pairs), f"{name}: a name comes twice: {pairs}"
    return dict(pairs)


def rows(name, node=tss.NODE):
    """A file with a list of things, each a line of names and values, by the first value."""
    first, *lines = text(name, node).splitlines()
    assert first.startswith("age_ms "), f"{name}: the first line is {first!r}"
    found = {}
    for line in lines:
        words = line.split(" ")
        assert len(words) % 2 == 0, f"{name}: not names and values in turn: {line!r}"
        row = dict(zip(words[::2], words[1::2]))
        assert len(row) == len(words) // 2, f"{name}: a name comes twice: {line!r}"
        found[words[1]] = row
    assert len(found) == len(lines), f"{name}: something is listed twice: {lines}"
    return found


def spaces_of(pid, node=tss.NODE):
    """The spaces that a process has opened."""
    return [row for row in rows("spaces", node).values() if row["pid"] == str(pid)]


def space_of(pid, node=tss.NODE):
    """The one space that a process has opened."""
    found = spaces_of(pid, node)
    assert len(found) == 1, f"process {pid} has {len(found)} spaces: {found}"
    return found[0]
