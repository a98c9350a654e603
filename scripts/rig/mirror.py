# SPDX-License-Identifier: GPL-2.0
"""Where Debian packages come from: the mirror that this machine's apt uses."""

import os
import subprocess

from . import say

FORMAT = "$(ORIGIN)|$(LABEL)|$(COMPONENT)|$(REPO_URI)"
# Whether a mirror may lag behind: what this machine accepts, the roots do.
AGE = ("Acquire::Check-Valid-Until", "Acquire::Check-Date")
# What is released is changed by suites beside it; what is not, is changed itself.
RELEASED = ("trixie",)


def sources(suite="trixie"):
    """The lines of a sources.list for a suite of Debian's."""
    archive, security = find()
    if archive is None:
        update()
        archive, security = find()
    if archive is None:
        raise say.Failure(
            "apt of this machine knows no Debian mirror; set TPMRM_MIRROR to the address of one"
        )
    lines = [f"deb {archive} {suite} main"]
    if suite in RELEASED:
        lines += [f"deb {archive} {suite}-{beside} main" for beside in ("updates", "backports")]
        if security is not None:
            lines.append(f"deb {security} {suite}-security main")
    return lines


def find():
    given = os.environ.get("TPMRM_MIRROR")
    if given:
        return given, None
    archive = security = None
    command = ["apt-get", "indextargets", "--format", FORMAT, "Created-By: Packages"]
    listing = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
    for target in listing.splitlines():
        origin, label, component, address = target.split("|")
        if origin != "Debian" or component != "main":
            continue
        if label == "Debian-Security":
            security = security or address
        elif label == "Debian":
            archive = archive or address
    return archive, security


def update():
    """Fetches this machine's package lists: without them apt names no mirror."""
    say.line("fetching the package lists of this machine")
    subprocess.run(["apt-get", "-qq", "update"], stdout=subprocess.DEVNULL, check=False)


def options():
    """Options of this machine's apt that decide how a mirror is reached, and how old it may be."""
    listing = subprocess.run(
        ["apt-config", "dump", "--format", "%F %v%n", "Acquire"],
        stdout=subprocess.PIPE, text=True, check=True,
    ).stdout
    found = []
    for option in listing.splitlines():
        name, _, value = option.partition(" ")
        if value and ("proxy" in name.lower() or name in AGE):
            found.append(f'{name} "{value}";')
    return found


def install(*packages):
    """Installs packages on this machine unless they are there."""
    missing = [package for package in packages if not installed(package)]
    if not missing:
        return
    say.line(f"installing {', '.join(missing)} on this machine")
    command = ["apt-get", "install", "-qq", "--no-install-recommends", *missing]
    environment = dict(os.environ, DEBIAN_FRONTEND="noninteractive")
    for attempt in (1, 2):
        done = subprocess.run(
            command, env=environment, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
        )
        if done.returncode == 0:
            return
        if attempt == 1:
            update()
    raise say.Failure(f"cannot install {' '.join(missing)}: {done.stdout.strip()[-400:]}")


def installed(package):
    query = subprocess.run(
        ["dpkg-query", "-W", "-f", "${db:Status-Status}", package],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=False,
    )
    return query.stdout == "installed"
