# SPDX-License-Identifier: GPL-2.0
"""A kernel that has the driver built in, by both patches.

The kernel without them is made first, which takes long, and is kept. For another
version of the patches, only the driver is built then.
"""

import os
import shutil

from rig import cache, debug_kernel, kernel as kernels, namespace, root, say, stock, tools
from . import built

HERE = os.path.dirname(os.path.abspath(__file__))
CONFIG = os.path.join(os.path.dirname(HERE), "built-in.config")
# The line from which on the debug kernel's configuration is about its own purpose.
REST = "# What finds mistakes."
OPTIONS = ("CONFIG_TCG_TPM_RM=y", "CONFIG_TCG_TPM_RM_EXHAUSTION=y", "CONFIG_TCG_TPM_RM_KUNIT_TEST=y")
BASE = "built-in-base"
KIND = "built-in"
# Bump when the kernel is made in another way than before.
RECIPE = "1"


def configuration():
    """The lines of the configuration, without those of the driver."""
    lines = kernels.read_lines(debug_kernel.CONFIG)
    if REST not in lines:
        raise say.Failure(f"{debug_kernel.CONFIG} has no line {REST!r}")
    own = kernels.read_lines(CONFIG)
    set_here = {line.partition("=")[0] for line in own if line.startswith("CONFIG_")}
    common = [line for line in lines[:lines.index(REST)] if line.partition("=")[0] not in set_here]
    return [line for line in common + own if line.startswith("CONFIG_")]


class Maker:
    """Makes both kernels, in the root that builds the stock one."""

    def __init__(self, source):
        self.source = source
        self.root = root.path()
        compiler = stock.default().cc
        self.make = ("make", "-j", str(os.cpu_count()), f"CC={compiler}", f"HOSTCC={compiler}")
        self.lines = configuration()
        self.key = (RECIPE, *self.lines, os.path.basename(source.folder),
                    *root.versions(self.root, stock.default().builders))
        self.log = cache.log(KIND)

    def image(self, state):
        """The kernel with these files in its tree, made if it is not in the cache."""
        base = cache.entry(BASE, cache.digest(*self.key), self.base)

        def make(folder):
            if namespace.run(lambda: self.add(base, state, folder)) != 0:
                raise say.Failure("the kernel with the driver built in could not be made")

        files = [part for item in sorted(state.items()) for part in item]
        return os.path.join(cache.entry(KIND, cache.digest(*self.key, *OPTIONS, *files), make), "vmlinux")

    def base(self, folder):
        if namespace.run(lambda: self.whole(folder)) != 0:
            raise say.Failure("the kernel without the driver could not be made")

    def whole(self, folder):
        """The kernel without the driver."""
        view = tools.Root(self.root, [folder, self.source.folder])
        tree = os.path.join(folder, "linux")
        os.mkdir(tree)
        open(self.log, "w").close()
        self.step(view, tree, "copying the kernel's source", "cp", "-a", "--reflink=auto", self.source.tree + "/.", tree)
        self.step(view, tree, "cleaning the copy", "make", "mrproper")
        with open(os.path.join(tree, "all.config"), "w") as file:
            file.write("\n".join(self.lines) + "\n")
        self.step(view, tree, "configuring a small kernel", *self.make, "KCONFIG_ALLCONFIG=all.config", "allnoconfig")
        check(tree, self.lines)
        self.step(view, tree, "building a small kernel (ten minutes, or more)", *self.make, "vmlinux")
        return 0

    def add(self, base, state, folder):
        """The same with the driver; the first tree is seen where it was made, through an overlay in memory."""
        view = tools.Root(self.root, [folder])
        top = view.overlay("built-in", [os.path.join(base, "linux")])
        tree = os.path.join(cache.folder(), f"partial-{BASE}", "linux")
        os.makedirs(view.inside(tree))
        namespace.bind(top, view.inside(tree))
        open(self.log, "w").close()
        for name, text in state.items():
            os.makedirs(os.path.dirname(os.path.join(top, name)), exist_ok=True)
            with open(os.path.join(top, name), "w") as file:
                file.write(text)
        with open(os.path.join(top, ".config"), "a") as file:
            file.write("\n".join(OPTIONS) + "\n")
        prepared = os.stat(os.path.join(top, "include/generated/rustc_cfg")).st_mtime_ns
        self.step(view, tree, "configuring it with the driver", *self.make, "olddefconfig")
        self.step(view, tree, "setting its options", *self.make, "syncconfig")
        check(top, [*self.lines, *OPTIONS])
        # As for the objects of the other tests: the kernel's own Rust does not depend on our options.
        for name in built.CONFIGURED:
            os.utime(os.path.join(top, name), ns=(prepared, prepared))
        self.step(view, tree, "building it with the driver", *self.make, "vmlinux")
        shutil.copy(os.path.join(top, "vmlinux"), folder)
        return 0

    def step(self, view, tree, what, *argv):
        say.long_command(what, argv, self.log, popen=lambda *args, **options: view.popen(*args, cwd=tree, **options))


def check(tree, wanted):
    """A configuration that silently became another would make the tests worthless."""
    lost = sorted({line for line in wanted if not line.endswith("=n")} - set(kernels.read_lines(os.path.join(tree, ".config"))))
    if lost:
        raise say.Failure(f"the configuration of the built-in kernel lost {', '.join(lost)}")
