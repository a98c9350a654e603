# SPDX-License-Identifier: GPL-2.0
"""A new trixie: systemd, the release's own kernel, what the package depends on, and two more kernels to install.

The archives of those kernels, of their headers and of their sources are in it,
as apt fetched them, so that nothing is downloaded when they are installed.
"""

import os
import re
import shutil
import subprocess

from rig import cache, kernel, mirror, namespace, root, say, stock, tools

# Bump when the image is made in another way than before.
RECIPE = "1"
# The series before that of the rig's kernel; its newest release is taken.
OLD_SERIES = "7.2"
FLAVOUR = "+deb13-amd64"
# Of the machine, and what uses its TPM.
PACKAGES = ("systemd-sysv", "udev", "initramfs-tools", "linux-image-amd64", "linux-headers-amd64", "tpm2-tools",
            "libtss2-tcti-device0")
# How these are installed: what they depend on may have to be of the backports, too.
INSTALL = ("apt-get", "-y", "--no-install-recommends", "-t", "trixie-backports", "install")
# What DKMS depends on is in its own package.
DKMS = ("dkms",)


def dependencies(control):
    """The packages that the package depends on, by its control file."""
    with open(control) as file:
        fields = re.search(r"^Depends:\n((?: .*\n)*)", file.read(), re.MULTILINE)[1]
    names = [line.strip().rstrip(",") for line in fields.splitlines()]
    return [name for name in names if not name.startswith("$")]


def kernel_packages(release, version):
    """What one installs to get a kernel that modules can be built for."""
    series = re.match(r"\d+\.\d+", release)[0]
    names = (f"linux-image-{release}", f"linux-headers-{release}", f"linux-source-{series}")
    return [f"{name}={version}" for name in names]


class Image:
    """The finished image: a root, and the releases that can be installed in it."""

    def __init__(self, folder):
        self.folder = folder
        self.root = os.path.join(folder, "root")
        lines = kernel.read_lines(os.path.join(folder, "kernels"))
        self.old, self.new = (tuple(line.split()) for line in lines)


def get(control):
    """The image, made if it is not in the cache."""
    packages = (*PACKAGES, *DKMS, *dependencies(control))
    key = cache.digest(RECIPE, root.RECIPE, stock.default().release, OLD_SERIES, *packages)

    def make(folder):
        mirror.install("mmdebstrap", "debian-archive-keyring")
        if namespace.run(lambda: bootstrap(folder, packages)) != 0:
            raise say.Failure("the trixie image could not be made")

    return Image(cache.entry("packages-image", key, make))


def bootstrap(folder, packages):
    root.bootstrap(folder, "packages-image", stock.default().suite, packages)
    chroot = Chroot(os.path.join(folder, "root"))
    chroot.run("apt-get", "-q", "update")
    chosen = [chroot.newest(OLD_SERIES, ""), chroot.newest(None, stock.default().release)]
    wanted = [package for pair in chosen for package in kernel_packages(*pair)]
    chroot.run(*INSTALL, "--download-only", *wanted)
    with open(os.path.join(folder, "kernels"), "w") as file:
        file.writelines(f"{release} {version}\n" for release, version in chosen)
    return 0


class Chroot:
    """The image while it is made: what is done in it stays. Only in the namespaces of namespace.run()."""

    def __init__(self, folder):
        self.folder = folder
        self.log = cache.log("packages-image")
        open(self.log, "w").close()
        namespace.mount("proc", folder + "/proc", "proc")
        for name in ("resolv.conf", "hosts"):
            shutil.copy(f"/etc/{name}", f"{folder}/etc/{name}")

    def run(self, *argv):
        say.long_command(" ".join(argv[:3]), argv, self.log, popen=lambda *args, **options: subprocess.Popen(
            *args, preexec_fn=lambda: os.chroot(self.folder), cwd="/", env=tools.ENVIRONMENT, **options))

    def output(self, *argv):
        return subprocess.run(argv, preexec_fn=lambda: os.chroot(self.folder), cwd="/", env=tools.ENVIRONMENT,
                              stdout=subprocess.PIPE, text=True, check=True).stdout

    def newest(self, series, release):
        """A release and its version: the one that is wanted, if it is there, or else the newest of its series."""
        series = series or re.match(r"\d+\.\d+", release)[0]
        pattern = rf"^linux-headers-{re.escape(series)}\.[0-9]+{re.escape(FLAVOUR)}$"
        found = [line.split()[0].removeprefix("linux-headers-")
                 for line in self.output("apt-cache", "--names-only", "search", pattern).splitlines()]
        if not found:
            raise say.Failure(f"the archive has no kernel of the series {series}")
        if release not in found:
            release = max(found, key=lambda name: int(re.match(r"\d+\.\d+\.(\d+)", name)[1]))
        shown = self.output("apt-cache", "show", "--no-all-versions", f"linux-headers-{release}")
        return release, re.search(r"^Version: (.*)$", shown, re.MULTILINE)[1]
