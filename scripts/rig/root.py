# SPDX-License-Identifier: GPL-2.0
"""The trixie root: compilers, QEMU, swtpm and what guests run, made by mmdebstrap."""

import os
import re

from . import cache, mirror, namespace, say

HERE = os.path.dirname(os.path.abspath(__file__))
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
# Bump when the root is made in another way than before.
RECIPE = "1"


def packages(path=os.path.join(HERE, "packages")):
    """The packages that a list names."""
    with open(path) as file:
        lines = [line.partition("#")[0].strip() for line in file]
    return [line for line in lines if line]


def path(extra=()):
    """The folder of the root, made if it is not in the cache; extra packages make it another root."""
    names = [*packages(), *extra]

    def make(folder):
        mirror.install("mmdebstrap", "debian-archive-keyring")
        if namespace.run(lambda: bootstrap(folder, names)) != 0:
            raise say.Failure("the trixie root could not be made")

    return os.path.join(cache.entry("root", cache.digest(RECIPE, *names), make), "root")


def versions(root, names):
    """The versions of packages in a root. What was made by them depends on these, not on what else is there."""
    found = {}
    with open(os.path.join(root, "var/lib/dpkg/status")) as file:
        for paragraph in file.read().split("\n\n"):
            fields = dict(re.findall(r"^(Package|Version): (.*)$", paragraph, re.MULTILINE))
            found[fields.get("Package")] = fields.get("Version")
    return [f"{name} {found[name]}" for name in names]


def bootstrap(folder, names):
    log = cache.log("root")
    command = ["mmdebstrap", "--mode=root", "--variant=apt", f"--keyring={KEYRING}",
               "--include=" + ",".join(names),
               '--aptopt=APT::Install-Recommends "false"',
               '--aptopt=Acquire::Languages "none"']
    command += [f"--aptopt={option}" for option in mirror.options()]
    # Nobody reads these in a guest. The doc folder keeps its licences.
    command += ["--dpkgopt=path-exclude=/usr/share/man/*",
                "--dpkgopt=path-exclude=/usr/share/locale/*",
                "--dpkgopt=path-exclude=/usr/share/doc/*",
                "--dpkgopt=path-include=/usr/share/doc/*/copyright"]
    command += ["trixie", os.path.join(folder, "root"), *mirror.sources()]
    open(log, "w").close()
    say.long_command("making the trixie root (one to four minutes)", command, log)
    return 0
