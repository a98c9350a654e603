# SPDX-License-Identifier: GPL-2.0
"""The package's life: installed, built for one kernel and the next, booted with each, removed."""

import os
import shutil

import image
import signature
from results import says, silent
from rig import cache, kernel, say

HERE = os.path.dirname(os.path.abspath(__file__))
TREE = os.path.dirname(os.path.dirname(os.path.dirname(HERE)))
PREPARED = "/var/cache/tpmrm-dkms"



def scripts_digest(folder):
    """All that a kernel's metadata are made by."""
    return cache.digest(*(line for name in sorted(os.listdir(folder))
                          for line in kernel.read_lines(os.path.join(folder, name))))


class Journey:
    """The steps; each needs those before it."""

    def __init__(self, results, machine, trixie, deb, kvm):
        self.results = results
        self.machine = machine
        self.trixie = trixie
        self.deb = deb
        self.kvm = kvm
        self.guests = {}
        self.version = os.path.basename(deb).split("_")[1]

    def packages(self, pair, *parts):
        release, version = pair
        series = ".".join(release.split(".")[:2])
        names = {"image": f"linux-image-{release}", "headers": f"linux-headers-{release}",
                 "source": f"linux-source-{series}"}
        return " ".join(f"{names[part]}={version}" for part in parts)

    def apt(self, packages):
        status, said = self.machine.sh(f"{' '.join(image.INSTALL)} {packages}")
        if status != 0:
            raise AssertionError(f"apt fails with status {status}: {said[-2000:]}")
        return said

    def built(self, release):
        folder = self.machine.inside(f"/lib/modules/{release}/updates/dkms")
        return os.path.isdir(folder) and any(name.startswith("tpmrm.ko") for name in os.listdir(folder))

    def install(self):
        """On a new trixie, whose own kernel has no Rust."""
        with self.results.test("packages_depend_on_what_trixie_has"):
            # By an empty list of what is installed.
            status, said = self.machine.sh(": >/tmp/nothing && apt-get -s --no-install-recommends "
                                           f"-o Dir::State::status=/tmp/nothing install {self.deb}")
            assert status == 0, said[-2000:]
        with self.results.test("packages_install_on_a_kernel_without_rust"):
            said = self.apt(self.deb)
            own = [name for name in os.listdir(self.machine.inside("/lib/modules")) if name.startswith("6.")]
            says(said, f"tpmrm: kernel {own[0]} has no module, so that the C driver serves there: "
                 "it is built without CONFIG_RUST")
            assert not self.built(own[0])

    def old_kernel(self):
        """A kernel with Rust comes, and its source after it."""
        release, version = self.trixie.old
        series = ".".join(release.split(".")[:2])
        with self.results.test("packages_say_which_source_a_kernel_needs"):
            said = self.apt(self.packages(self.trixie.old, "image", "headers"))
            says(said, f"tpmrm: kernel {release} has no module, so that the C driver serves there: "
                 f"its source is not here (install linux-source-{series}={version})")
            assert not self.built(release)
        self.seed(self.trixie.old)
        with self.results.test(f"packages_{release}_is_built_when_its_source_comes"):
            said = self.apt(self.packages(self.trixie.old, "source"))
            says(said, f"tpmrm: kernel {release} has a module")
            assert self.built(release), said
        self.keep(self.trixie.old)
        with self.results.test(f"packages_{release}_is_signed_by_the_owners_key"):
            signature.check(self.machine, release)
        self.boot(release, "in_use")

    def new_kernel(self):
        """The upgrade: image, headers and source at once."""
        release, _ = self.trixie.new
        self.seed(self.trixie.new)
        with self.results.test(f"packages_{release}_is_built_when_it_is_installed"):
            said = self.apt(self.packages(self.trixie.new, "image", "headers", "source"))
            says(said, f"tpmrm: kernel {release} has a module")
            assert self.built(release), said
        self.keep(self.trixie.new)
        with self.results.test(f"packages_{release}_is_signed_by_the_owners_key"):
            signature.check(self.machine, release)
        self.boot(release, "removed")

    def boot(self, release, script):
        """Boots what is there now; it goes on with a copy meanwhile."""
        self.guests[release] = self.machine.boot(release, script, self.kvm)
        self.machine = self.machine.copy(f"after-{script}")

    def arrive(self):
        """Waits for the guests, which have printed their own lines."""
        for release, child in self.guests.items():
            status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
            self.results.add(f"packages_{release}_boots", f"the guest ended with status {status}" if status else "")

    def entry(self, pair):
        """Where the metadata that the package made are kept for the next run."""
        key = cache.digest(*pair, os.path.basename(self.trixie.folder), scripts_digest(f"{TREE}/scripts/dkms"))
        return os.path.join(cache.folder(), f"packages-metadata-{key}")

    def seed(self, pair):
        """Puts in place what the same program has made before; it looks itself whether that is right."""
        entry = self.entry(pair)
        if os.path.isdir(entry):
            target = self.machine.inside(f"{PREPARED}/{pair[0]}")
            shutil.copytree(entry, target, symlinks=True)
            return
        say.line(f"the package prepares kernel {pair[0]} (two minutes or more)")

    def keep(self, pair):
        entry = self.entry(pair)
        made = self.machine.inside(f"{PREPARED}/{pair[0]}")
        if os.path.isdir(entry) or not os.path.isdir(made):
            return
        with cache.lock("packages-metadata"):
            partial = os.path.join(cache.folder(), "partial-packages-metadata")
            cache.remove(partial)
            shutil.copytree(made, partial, symlinks=True)
            os.rename(partial, entry)

    def other_tree(self, stock):
        """A kernel's tree that has Rust metadata needs nothing of Debian's."""
        with self.results.test("packages_dkms_builds_for_a_tree_with_metadata"):
            other = self.machine.copy("other")
            other.show(stock.folder, other.path)
            source = other.inside("/srv/tpmrm")
            for name in ("drivers", "include", "scripts"):
                shutil.copytree(f"{TREE}/{name}", f"{source}/{name}")
            for name in ("Kconfig", "Makefile", "dkms.conf"):
                shutil.copy(f"{TREE}/{name}", source)
            status, said = other.sh(
                "apt-get -y purge tpmrm-dkms && dkms add /srv/tpmrm && "
                f"dkms build tpmrm/{self.version} -k {stock.release} --kernelsourcedir {stock.tree}")
            assert status == 0, said[-2000:]
            built = f"/var/lib/dkms/tpmrm/{self.version}/{stock.release}/x86_64/module"
            assert os.path.isdir(other.inside(built)), said

    def removal(self):
        """Nothing is left."""
        with self.results.test("packages_purge_leaves_no_file"):
            gone = self.machine.copy("gone")
            status, said = gone.sh("apt-get -y purge tpmrm-dkms")
            assert status == 0, said[-2000:]
            # The package's own file is this tree's, and is not in the copy.
            _, left = gone.sh(f"find / -xdev -name '*tpmrm*' -not -path '{self.deb}'")
            silent(left, "tpmrm")
