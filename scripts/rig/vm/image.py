# SPDX-License-Identifier: GPL-2.0
"""Finds a kernel image for --kernel PATH, and its release in the image itself."""

import dataclasses
import os
import re

from .. import say

IN_TREE = ("vmlinux", "arch/x86/boot/bzImage")


@dataclasses.dataclass
class Image:
    """A bootable file and the release that its modules are for."""

    path: str
    release: str


def find(path):
    if os.path.isdir(path):
        found = [os.path.join(path, name) for name in IN_TREE]
        found = [name for name in found if os.path.exists(name)]
        if not found:
            raise say.Failure(f"--kernel {path}: no {' or '.join(IN_TREE)} in this folder")
        path = found[0]
    elif not os.path.exists(path):
        raise say.Failure(f"--kernel {path}: no such file")
    return Image(os.path.abspath(path), release(path))


def release(path):
    with open(path, "rb") as file:
        data = file.read()
    if data[0x202:0x206] == b"HdrS":
        start = int.from_bytes(data[0x20E:0x210], "little") + 0x200
        return data[start:start + 200].split(b" ")[0].split(b"\0")[0].decode()
    found = re.search(rb"Linux version (\S+) \(", data)
    if found is None:
        raise say.Failure(f"--kernel {path}: this is no kernel")
    return found[1].decode()
