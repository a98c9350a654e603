# SPDX-License-Identifier: GPL-2.0
"""The patches built in the kernel's tree.

The tree is the prepared one of the cache, seen through an overlay in memory. To
Kconfig it is configured anew each time; what does not depend on our options,
that is all of the kernel's Rust, is not built again for that: the files by
which make would come to that get the times that they had.
"""

import os
import shutil

from rig import cache, namespace, stock, tools

FOLDER = "drivers/char/tpm/tpmrm"
CONFIGURED = (".config", "include/config/auto.conf", "include/config/auto.conf.cmd",
              "include/generated/autoconf.h", "include/generated/rustc_cfg", "drivers/char/tpm/Kconfig",
              f"{FOLDER}/Kconfig")


class Tree:
    """A kernel tree for a while; works in the namespaces of namespace.run()."""

    def __init__(self, kernel, log):
        self.root = tools.Root(kernel.builder)
        self.path = self.root.overlay("series", [kernel.tree])
        # Where it was when it was prepared, which commands in it tell.
        self.place = os.path.join(cache.folder(), "partial-kernel/linux")
        os.makedirs(self.root.inside(self.place))
        namespace.bind(self.path, self.root.inside(self.place))
        compiler = stock.default().cc
        self.make = ["make", f"-j{os.cpu_count()}", f"CC={compiler}", f"HOSTCC={compiler}"]
        self.log = log
        self.ours = set()
        self.prepared = os.stat(self.at("include/generated/rustc_cfg")).st_mtime_ns

    def at(self, name):
        return os.path.join(self.path, name)

    def run(self, *argv):
        """Whether a command succeeds; what it says is in the log."""
        with open(self.log, "ab") as out:
            return self.root.run(argv, cwd=self.place, stdin=tools.subprocess.DEVNULL, stdout=out,
                                 stderr=tools.subprocess.STDOUT) == 0

    def put(self, files):
        """Has these files of ours, and no others."""
        for name in self.ours - set(files):
            os.remove(self.at(name))
        for name, text in files.items():
            os.makedirs(os.path.dirname(self.at(name)), exist_ok=True)
            if not os.path.exists(self.at(name)) or read(self.at(name)) != text:
                with open(self.at(name), "w") as file:
                    file.write(text)
        self.ours = set(files)

    def configure(self, value):
        """Sets CONFIG_TCG_TPM_RM to m or y; whether Kconfig leaves it at that."""
        option = {"m": "--module", "y": "--enable"}[value]
        good = (self.run("scripts/config", option, "TCG_TPM_RM") and self.run(*self.make, "-s", "olddefconfig")
                and self.run(*self.make, "-s", "syncconfig"))
        if not good or f"CONFIG_TCG_TPM_RM={value}" not in read(self.at(".config")).splitlines():
            return False
        for name in CONFIGURED:
            os.utime(self.at(name), ns=(self.prepared, self.prepared))
        return True

    def objects(self, value):
        """Builds the folder of TPM drivers in the kernel's own way; why that failed."""
        rust = self.at(f"{FOLDER}/tpmrm_main.o")
        if os.path.exists(rust):
            os.remove(rust)
        if not self.configure(value):
            return f"Kconfig does not take CONFIG_TCG_TPM_RM={value}"
        begun = os.path.getsize(self.log)
        if not self.run(*self.make, "drivers/char/tpm/"):
            return f"it does not build, see {self.log}"
        warnings = [line for line in read(self.log)[begun:].splitlines() if "warning:" in line]
        if warnings:
            return warnings[0]
        if not os.path.exists(rust):
            return "it was not built"
        archive = read(self.at("drivers/char/tpm/built-in.a"), "rb")
        if (b"tpmrm/tpmrm_main.o" in archive) != (value == "y"):
            return "it is in the kernel when it should be a module, or the other way round"
        return None

    def module(self):
        """Makes a module of the objects that the stock kernel can load, with clippy and without a warning."""
        if not self.run(*self.make, f"M={FOLDER}", "CLIPPY=1", "W=e", "modules"):
            return f"it does not build, see {self.log}"
        return None


def read(path, mode="r"):
    with open(path, mode) as file:
        return file.read()


def build(suite, states, kept):
    """Builds both states in both ways; returns the module of the first, if it could be made."""
    os.makedirs(kept, exist_ok=True)
    module = os.path.join(kept, "tpmrm.ko")
    log = os.path.join(kept, "build.log")
    for path in (module, log):
        if os.path.exists(path):
            os.remove(path)

    def steps():
        tree = Tree(suite.kernel, log)
        for name, state in zip(("first", "both"), states):
            tree.put(state)
            good = suite.result(f"{name}_builds_as_a_module", tree.objects("m"))
            good = good and suite.result(f"{name}_makes_a_module", tree.module())
            if good and name == "first":
                shutil.copy(tree.at(f"{FOLDER}/tpmrm.ko"), module)
            suite.result(f"{name}_builds_into_the_kernel", tree.objects("y"))
        return 1 if suite.failed else 0

    # The steps are in another process: what failed there failed here.
    suite.failed |= namespace.run(steps) != 0
    return module if os.path.exists(module) else None
