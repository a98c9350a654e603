# SPDX-License-Identifier: GPL-2.0
"""The kernels that --kernel and make KERNEL= name: what boots, and what builds modules for it."""

from . import debug_kernel, kernel, root, stock as stocks

DEBUG = "debug"


class Choice:
    """A kernel, with the root that builds modules for it and what their build wants to be given."""

    def __init__(self, found, builder, make, files):
        self.folder = found.folder
        self.tree = found.tree
        self.image = found.image
        self.release = found.release
        # What suspend needs, where there is one.
        self.boot_image = getattr(found, "boot_image", found.image)
        self.builder = builder
        self.make = make
        # What a guest's root has of the kernel's own packages.
        self.files = files


def names():
    return [*stocks.listed(), DEBUG]


def get(name):
    """The kernel of a name, made if it is not in the cache."""
    if name == DEBUG:
        stock = kernel.get(root.path())
        return Choice(debug_kernel.get(stock), debug_kernel.builder(), debug_kernel.MAKE, stock.files)
    stock = stocks.listed()[name]
    builder = root.builder(stock)
    found = kernel.get(builder, stock)
    return Choice(found, builder, (f"CC={stock.cc}",), found.files)
