# SPDX-License-Identifier: GPL-2.0
"""The stock kernels that scripts/kernels lists."""

import dataclasses
import os

FILE = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "kernels")


@dataclasses.dataclass(frozen=True)
class Stock:
    """A line of the list: a kernel as Debian builds it, and with what."""

    name: str
    suite: str
    release: str
    compiler: str

    @property
    def cc(self):
        return f"x86_64-linux-gnu-{self.compiler}"

    @property
    def builders(self):
        """The packages that decide what comes out."""
        return ("bindgen", self.compiler, "pahole", "rust-src", "rustc")


def listed():
    """The kernels by their names, the default first."""
    with open(FILE) as file:
        lines = [line.partition("#")[0].split() for line in file]
    return {words[0]: Stock(*words) for words in lines if words}


def default():
    return next(iter(listed().values()))
