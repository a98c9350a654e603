# SPDX-License-Identifier: GPL-2.0
"""The debug kernel: the stock kernel's source with a small configuration and all that finds mistakes.

KASAN for Rust needs clang, so it is built by a root of its own, which has that.
It takes a quarter of an hour on two processors that have nothing else to do.
"""

import os

from . import cache, kernel, namespace, root, say, tools

KIND = "debug-kernel"
HERE = os.path.dirname(os.path.abspath(__file__))
CONFIG = os.path.join(HERE, "debug-kernel.config")
# What builds it, beside what every root has.
PACKAGES = ("clang", "lld", "llvm")
MAKE = ("LLVM=1",)
# Bump when the kernel is made in another way than before.
RECIPE = "1"


class DebugKernel:
    """The finished kernel: its tree is also what modules are built against."""

    def __init__(self, folder):
        self.folder = folder
        self.tree = os.path.join(folder, "linux")
        self.image = os.path.join(self.tree, "vmlinux")
        with open(os.path.join(self.tree, "include/config/kernel.release")) as file:
            self.release = file.read().strip()


def builder():
    """The root that has the compilers for it."""
    return root.path(PACKAGES)


def get(stock):
    """The debug kernel that belongs to a stock kernel, made if it is not in the cache."""
    base = builder()

    def make(folder):
        status = namespace.run(lambda: build(tools.Root(base, [folder, stock.folder]), stock, folder))
        if status != 0:
            raise say.Failure("the debug kernel could not be made")

    return DebugKernel(cache.entry(KIND, key(stock, base), make))


def key(stock, base):
    """All that the kernel depends on."""
    return cache.digest(RECIPE, *kernel.read_lines(CONFIG), os.path.basename(stock.folder),
                        *root.versions(base, (*stock.stock.builders, *PACKAGES)))


def build(view, stock, folder):
    log = cache.log("debug-kernel")
    tree = os.path.join(folder, "linux")
    open(log, "w").close()
    os.mkdir(tree)

    def step(what, argv):
        say.long_command(what, argv, log, popen=lambda *args, **options:
                         view.popen(*args, cwd=tree, **options))

    # The stock kernel's own tree was configured in place.
    step("copying the kernel's source", ["cp", "-a", "--reflink=auto", stock.tree + "/.", tree])
    step("cleaning the copy", ["make", "mrproper"])
    with open(CONFIG) as source, open(os.path.join(tree, "debug.config"), "w") as copy:
        copy.write(source.read())
    step("configuring the debug kernel",
         ["make", *MAKE, "KCONFIG_ALLCONFIG=debug.config", "allnoconfig"])
    check(kernel.read_lines(os.path.join(tree, ".config")))
    jobs = str(os.cpu_count())
    step("building the debug kernel (a quarter of an hour, or more)", ["make", "-j", jobs, *MAKE, "vmlinux"])
    step("preparing the debug kernel for modules", ["make", "-j", jobs, *MAKE, "modules"])
    return 0


def check(found):
    """A configuration that silently became another would make every test of it worthless."""
    wanted = [line for line in kernel.read_lines(CONFIG) if line.startswith("CONFIG_") and not line.endswith("=n")]
    lost = sorted(set(wanted) - set(found))
    if lost:
        raise say.Failure(f"the debug kernel's configuration lost {', '.join(lost)}")
