# SPDX-License-Identifier: GPL-2.0
"""scripts/check-kdir: one line for each thing that a kernel's build tree may lack."""

import os

from harness import command, equal, one_line, scratch, script, write

VERSION = "rustc 1.85.1 (4eb161250 2025-03-15)"


class Tree:
    """A made-up build tree, and a made-up compiler that says its version."""

    def __init__(self, folder, rust="CONFIG_RUST=y\n", metadata=True, version=VERSION):
        self.kdir = os.path.join(folder, "kdir")
        write(f"{self.kdir}/include/config/auto.conf", f'{rust}CONFIG_RUSTC_VERSION_TEXT="{VERSION}"\n')
        if metadata:
            write(f"{self.kdir}/rust/libkernel.rmeta", "")
        self.rustc = write(f"{folder}/rustc", f"#!/bin/sh\necho '{version}'\n", 0o755)
        self.bindgen = write(f"{folder}/bindgen", "#!/bin/sh\n", 0o755)

    def check(self, **environment):
        return command(script("check-kdir"), self.kdir, self.rustc, **{"BINDGEN": self.bindgen, **environment})


def rig_kdir_that_is_complete():
    with scratch() as folder:
        done = Tree(folder).check()
        equal((done.returncode, done.stdout, done.stderr), (0, "", ""), "the check")


def rig_kdir_that_is_not_there():
    with scratch() as folder:
        one_line(command(script("check-kdir"), f"{folder}/none", "rustc"), "no such folder")


def rig_kdir_that_is_not_configured():
    with scratch() as folder:
        one_line(command(script("check-kdir"), folder, "rustc"), folder, "no configured kernel")


def rig_kdir_without_rust():
    with scratch() as folder:
        one_line(Tree(folder, rust="CONFIG_MODULES=y\n").check(), "CONFIG_RUST")
        one_line(Tree(folder, rust="# CONFIG_RUST is not set\n").check(), "CONFIG_RUST")


def rig_kdir_without_rust_metadata():
    with scratch() as folder:
        one_line(Tree(folder, metadata=False).check(), "no Rust metadata", "modules_prepare")


def rig_kdir_with_another_rustc():
    with scratch() as folder:
        one_line(Tree(folder, version="rustc 1.99.0").check(), VERSION, "1.99.0")


def rig_kdir_without_rustc():
    with scratch() as folder:
        tree = Tree(folder)
        os.unlink(tree.rustc)
        one_line(tree.check(), VERSION, "not installed")


def rig_kdir_without_bindgen():
    with scratch() as folder:
        one_line(Tree(folder).check(BINDGEN=f"{folder}/none"), "bindgen")


def rig_make_says_what_kdir_lacks():
    with scratch() as folder:
        done = command("make", "-s", f"KDIR={Tree(folder, metadata=False).kdir}", "modules")
        assert done.returncode != 0, "a tree without metadata builds"
        equal(sum("no Rust metadata" in line for line in done.stderr.splitlines()), 1, "the lines that say so")
