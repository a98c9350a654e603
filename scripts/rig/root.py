# SPDX-License-Identifier: GPL-2.0
"""Roots, made by mmdebstrap.

The trixie root has all: compilers, QEMU, swtpm and what guests run. A kernel of
another suite has a root with that suite's compilers, which only builds for it.
"""

import os
import re

from . import cache, mirror, namespace, say, stock as stocks

HERE = os.path.dirname(os.path.abspath(__file__))
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
BUILDERS = os.path.join(HERE, "build-packages")
# Bump when the root is made in another way than before.
RECIPE = "1"


def packages(path=os.path.join(HERE, "packages"), compiler=""):
    """The packages that a list names, with the compiler in its place."""
    with open(path) as file:
        lines = [line.partition("#")[0].strip() for line in file]
    return [compiler if line == "COMPILER" else line for line in lines if line]


def path(extra=()):
    """The folder of the trixie root, made if it is not in the cache; extra packages make it another root."""
    default = stocks.default()
    builders, others = packages(BUILDERS, default.compiler), packages()
    # Some are on both lists.
    names = [*(name for name in builders if name not in others), *others, *extra]
    return entry("root", default.suite, names)


def builder(stock):
    """The folder of the root that builds modules for a stock kernel."""
    if stock == stocks.default():
        return path()
    return entry(f"root-{stock.name}", stock.suite, packages(BUILDERS, stock.compiler))


def entry(kind, suite, names):
    def make(folder):
        mirror.install("mmdebstrap", "debian-archive-keyring")
        if namespace.run(lambda: bootstrap(folder, kind, suite, names)) != 0:
            raise say.Failure(f"the {suite} root could not be made")

    return os.path.join(cache.entry(kind, cache.digest(RECIPE, *names), make), "root")


def versions(root, names):
    """The versions of packages in a root. What was made by them depends on these, not on what else is there."""
    found = {}
    with open(os.path.join(root, "var/lib/dpkg/status")) as file:
        for paragraph in file.read().split("\n\n"):
            fields = dict(re.findall(r"^(Package|Version): (.*)$", paragraph, re.MULTILINE))
            found[fields.get("Package")] = fields.get("Version")
    return [f"{name} {found[name]}" for name in names]


def bootstrap(folder, kind, suite, names):
    log = cache.log(kind)
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
    command += [suite, os.path.join(folder, "root"), *mirror.sources(suite)]
    open(log, "w").close()
    say.long_command(f"making the {suite} root (one to four minutes)", command, log)
    return 0
