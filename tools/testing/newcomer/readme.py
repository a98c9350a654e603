# SPDX-License-Identifier: GPL-2.0
"""What README.md tells a newcomer to do, and what it says will happen."""

import os
import re

DEMO = "make demo"
CHECK = "make check"
PACKAGES = ("apt install make gcc kmod libelf-dev libssl-dev pahole xz-utils zstd "
            "rustc rust-src rustfmt bindgen libclang-dev")
LLVM = "apt install clang lld llvm"
BUILD = "make KDIR=/path/to/kernel/tree [NAME=VALUE]..."
INSTALL = "make KDIR=/path/to/kernel/tree [NAME=VALUE]... modules_install"
DEPMOD = "depmod"
INSMOD = "insmod build/$(uname -r)/drivers/char/tpm/tpmrm/tpmrm.ko [NAME=VALUE]..."
MODPROBE = "modprobe tpmrm [NAME=VALUE]..."
RMMOD = "rmmod tpmrm"
AT_BOOT = "echo tpmrm > /etc/modules-load.d/tpmrm.conf"
DEB = "make deb"
# The suite packages goes on from here.
DEBIAN = "apt install -t trixie-backports linux-image-amd64 linux-headers-amd64 linux-source"
DEB_INSTALL = "apt install ./build/tpmrm-dkms_0.1.0_all.deb"

TWO_COMMANDS = "Two commands"
OWN_KERNEL = "For your own kernel"
# All commands of a section, in their order.
KNOWN = {
    TWO_COMMANDS: [DEMO, CHECK],
    OWN_KERNEL: [PACKAGES, LLVM, BUILD, INSTALL, DEPMOD, INSMOD, MODPROBE, RMMOD, AT_BOOT, DEB, DEBIAN, DEB_INSTALL],
}
# A target of the kernel's Makefile, not of ours.
KERNELS_OWN = {"modules_prepare"}


class Readme:
    """The text, and the kernel that stands for the reader's."""

    def __init__(self, tree, kdir="", release=""):
        self.kdir = kdir
        self.release = release
        with open(os.path.join(tree, "README.md"), encoding="utf-8") as file:
            self.text = file.read()
        parts = re.split(r"^## (.*)$", self.text, flags=re.MULTILINE)
        self.sections = dict(zip(parts[1::2], parts[2::2]))

    def section(self, title):
        if title not in self.sections:
            raise AssertionError(f"README has no section {title!r}")
        return self.sections[title]

    def commands(self, title):
        """The lines of a section's blocks, each by what it is without its remark."""
        lines = [line.strip() for line in self.section(title).splitlines() if line.startswith("    ")]
        return {re.split(r"\s+#\s", line)[0]: line for line in lines}

    def check(self):
        """That the commands are those that are run here, all of them."""
        for title, known in KNOWN.items():
            found = list(self.commands(title))
            missing = [command for command in known if command not in found]
            strange = [command for command in found if command not in known]
            if missing or strange:
                raise AssertionError(f"{title}: nobody tests {strange}, and there is no {missing}")
            if found != known:
                raise AssertionError(f"{title}: the order is {found}")

    def line(self, command, values=""):
        """A command as it stands there, with what the reader has to put in."""
        lines = {**self.commands(TWO_COMMANDS), **self.commands(OWN_KERNEL)}
        return lines[command].replace("/path/to/kernel/tree", self.kdir).replace("[NAME=VALUE]...", values)

    def packages(self):
        return [name for command in (PACKAGES, LLVM) for name in command.split()[2:]]

    def places(self):
        """Where the module is, as it is said: in the clone, and when it is installed."""
        found = [place.replace("RELEASE", self.release)
                 for place in re.findall(r"`(\S*RELEASE\S*)`", self.section(OWN_KERNEL))]
        built = [place for place in found if not place.startswith("/")]
        installed = [place for place in found if place.startswith("/")]
        if len(built) != 1 or len(installed) != 1:
            raise AssertionError(f"README does not say where the module is, or more than once: {found}")
        return built[0], installed[0]

    def parameters(self):
        """The table's names, with their defaults."""
        rows = re.findall(r"^\| `(\w+)` \| (\w+) \|", self.section(OWN_KERNEL), re.MULTILINE)
        if not rows:
            raise AssertionError("README has no table of parameters")
        return dict(rows)

    def policies(self):
        """The words that the table has for session_policy."""
        row = re.search(r"^\| `session_policy` .*$", self.section(OWN_KERNEL), re.MULTILINE)
        return re.findall(r"`(\w+)`", row[0])[1:] if row else []

    def log_lines(self):
        """What the kernel log may say."""
        paragraph = re.search(r"^In the kernel log, (.*?)\n\n", self.section(OWN_KERNEL), re.MULTILINE | re.DOTALL)
        return re.findall(r"`([^`]+)`", paragraph[1].replace("\n", " ")) if paragraph else []

    def targets(self):
        """All that the text calls by make."""
        words = re.findall(r"(?:`|^    )make ([a-z_-]+)", self.text, re.MULTILINE)
        return set(words) - KERNELS_OWN

    def suites(self):
        """Those that the first section names."""
        text = " ".join(self.section(TWO_COMMANDS).split())
        return [name for names in re.findall(r"\bsuites? ((?:\w+, )*\w+(?: and \w+)?)", text)
                for name in re.split(r", | and ", names)]
