# SPDX-License-Identifier: GPL-2.0
"""The Makefile, in a copy of the tree: the one that is being worked in keeps what it has built."""

import glob
import os
import shutil

from harness import TREE, command, equal, lines, says, scratch, script
from rig import kernel, root, sources

MODULE = "drivers/char/tpm/tpmrm/tpmrm.ko"
OPTION = "--cfg CONFIG_TCG_TPM_RM_EXHAUSTION"


class Copy:
    """A copy of what git knows of the tree."""

    def __init__(self, folder):
        self.folder = os.path.join(folder, "tree")
        self.release = kernel.get(root.path()).release
        self.built = os.path.join(self.folder, "build", self.release, MODULE)
        for name in sources.tracked(TREE):
            target = os.path.join(self.folder, name)
            os.makedirs(os.path.dirname(target), exist_ok=True)
            shutil.copy(os.path.join(TREE, name), target)

    def make(self, *arguments):
        """As a kernel developer does, with the kernel's own compilers at hand."""
        shell = f'exec make -C {self.folder} KDIR="$TPMRM_KDIR" $TPMRM_MAKE "$@"'
        done = command(script("inside"), f"--share={os.path.dirname(self.folder)}", "--",
                       "sh", "-c", shell, "make", *arguments)
        assert done.returncode == 0, f"make {' '.join(arguments)}: {lines(done.stderr)[-3:]}"
        return done.stdout

    def extra(self):
        """Files that were not copied, except what was built where it belongs."""
        found = {os.path.relpath(os.path.join(folder, name), self.folder)
                 for folder, _, names in os.walk(self.folder) for name in names}
        return sorted(name for name in found - set(sources.tracked(TREE)) if not name.startswith("build/"))


def rustc_of(copy, choice):
    """How rustc is called for the module with an option on or off."""
    said = copy.make("V=1", f"CONFIG_TCG_TPM_RM_EXHAUSTION={choice}", "modules")
    return "\n".join(line for line in lines(said) if "--crate-type" in line)


def rig_make_builds_installs_and_cleans():
    with scratch() as folder:
        copy = Copy(folder)
        said = copy.make("V=1", f"-j{os.cpu_count()}", "modules")
        assert os.path.exists(copy.built), f"there is no {copy.built}"
        says(said, "rustc", "tpmrm_main.rs", "--crate-type")
        equal(copy.extra(), [], "the files that are not in build/")
        # What is built already is not built again, and without V=1 it is told in short lines.
        said = copy.make("modules")
        assert "--crate-type" not in said and "RUSTC" not in said, "make builds again what is there"
        # An option is for rustc what it is for make, and a change of it builds the module again.
        off = rustc_of(copy, "n")
        assert off and OPTION not in off, f"switched off, and rustc is told: {off}"
        says(rustc_of(copy, "y"), OPTION)
        copy.make("modules_install", f"INSTALL_MOD_PATH={folder}/installed")
        found = glob.glob(f"{folder}/installed/lib/modules/{copy.release}/**/tpmrm.ko*", recursive=True)
        equal(len(found), 1, "the modules that were installed")
        copy.make("clean")
        assert not os.path.exists(copy.built), "make clean leaves the module"
        left = [name for name in sources.tracked(TREE) if not os.path.exists(os.path.join(copy.folder, name))]
        equal(left, [], "the sources that make clean removed")


def rig_make_help_names_every_target():
    done = command("make", "help")
    says(done.stdout, "make demo", "make check", "KDIR=", "V=1", "CLIPPY=1", "modules_install", "make clean")
    equal(done.stderr, "", "standard error")


def rig_make_without_kdir_does_not_install():
    done = command("make", "-s", "modules_install")
    assert done.returncode != 0, "modules are installed nowhere"
    says(lines(done.stderr)[0], "KDIR=")
