# SPDX-License-Identifier: GPL-2.0
"""What may be wrong with a machine: what is said of it, and that nothing else fails because of it."""

import os

from results import says, silent

PREPARED = "/var/cache/tpmrm-dkms"
SKIPPED = 77
# Says that it is another compiler than the one it stands for.
OTHER_RUSTC = "#!/bin/sh\necho 'rustc 1.99.0 (0123456789 2026-01-01)'\n"
# Stands for the program that makes the metadata, which takes minutes: counts its runs.
COUNTED = "#!/bin/sh\necho run >>/tmp/runs\nsleep 2\nmkdir $3/rust $3/scripts\necho 'all 1 Rust symbols are there'\n"
# Enough for the folder, not for what is to come into it.
SMALL = "mount -t tmpfs -o size=100m tmpfs"


class Trouble:
    """A machine on which both kernels have a module; every test has one of its own to spoil."""

    def __init__(self, results, machine, trixie, own):
        self.results = results
        self.machine = machine
        self.release, self.version = trixie.new
        self.series = ".".join(self.release.split(".")[:2])
        # The version of the package.
        self.own = own
        self.number = 0
        self.command = f"/usr/lib/tpmrm-dkms/prepare {self.release} /lib/modules/{self.release}/build"

    def copy(self):
        self.number += 1
        return self.machine.copy(f"trouble-{self.number}")

    def prepare(self, machine):
        """Runs what DKMS runs before it builds."""
        return machine.sh(f"cd /tmp && exec {self.command}")

    def passed_over(self, machine, *words):
        status, said = self.prepare(machine)
        says(said, f"tpmrm: no module for kernel {self.release}: ", *words)
        assert status == SKIPPED, f"status {status}"

    def write(self, machine, path, text):
        target = machine.inside(path)
        # The file may be a link to one that others use.
        if os.path.lexists(target):
            os.unlink(target)
        with open(target, "w") as file:
            file.write(text)
        os.chmod(target, 0o755)

    def another_compiler(self):
        machine = self.copy()
        self.write(machine, "/usr/bin/rustc", OTHER_RUSTC)
        self.passed_over(machine, "it was built by rustc 1.85", "but /usr/bin/rustc is rustc 1.99.0")
        machine.sh(f"dkms unbuild tpmrm/{self.own} -k {self.release}")
        status, said = machine.sh(f"dkms autoinstall -k {self.release}")
        assert status == 0, f"DKMS fails with status {status}: {said[-500:]}"
        says(said, "was skipped for module(s) tpmrm")
        _, said = machine.sh("/usr/lib/tpmrm-dkms/report")
        says(said, f"tpmrm: kernel {self.release} has no module", "but /usr/bin/rustc is rustc 1.99.0")

    def no_compiler(self):
        machine = self.copy()
        os.unlink(machine.inside("/usr/bin/bindgen"))
        self.passed_over(machine, "there is no /usr/bin/bindgen (install bindgen)")

    def another_source(self):
        machine = self.copy()
        machine.sh(f"sed -i '/^Package: linux-source-{self.series}$/,/^$/s/^Version: .*/Version: 7.0-1/' "
                   "/var/lib/dpkg/status")
        self.passed_over(machine, f"its headers are of version {self.version}, linux-source-{self.series} is of 7.0-1 ",
                         f"(install linux-source-{self.series}={self.version})")

    def no_space(self):
        machine = self.copy()
        machine.sh(f"rm -rf {PREPARED}/* && {SMALL} {PREPARED}")
        self.passed_over(machine, "preparing it failed: error: ", " MB free, and ",
                         f"all of it is in {PREPARED}/{self.release}.log")
        _, said = machine.sh(f"/usr/lib/tpmrm-dkms/report {self.release}")
        found = set(os.listdir(machine.inside(PREPARED)))
        assert found == {f"{self.release}.log", "lock"}, f"{found} is left"
        # What is built stays.
        says(said, f"tpmrm: kernel {self.release} has a module")

    def killed(self):
        machine = self.copy()
        machine.sh(f"rm -rf {PREPARED}/{self.release}")
        _, said = machine.sh(
            f"cd /tmp; setsid {self.command} & "
            f"until [ -d {PREPARED}/partial.*/linux/scripts ]; do sleep 0.2; done; "
            f"kill -9 -$!; wait; ls {PREPARED}")
        says(said, "partial.")
        assert not os.path.exists(machine.inside(f"{PREPARED}/{self.release}"))
        self.write(machine, "/usr/lib/tpmrm-dkms/metadata", COUNTED)
        status, said = self.prepare(machine)
        assert status == 0, said
        left = [name for name in os.listdir(machine.inside(PREPARED)) if name.startswith("partial")]
        assert not left, f"{left} is still there"

    def two_at_once(self):
        machine = self.copy()
        self.write(machine, "/usr/lib/tpmrm-dkms/metadata", COUNTED)
        one, other = (f"(mkdir /tmp/{name} && cd /tmp/{name} && {self.command})" for name in (1, 2))
        status, said = machine.sh(f"{one} & {other}; second=$?; wait $! && [ $second = 0 ] && "
                                  "readlink /tmp/1/kdir /tmp/2/kdir && cat /tmp/runs")
        assert status == 0, said
        assert said.count("run\n") == 1, f"made more than once: {said}"
        assert said.count(f"{PREPARED}/{self.release}\n") == 2, said

    def kernel_removed(self):
        machine = self.copy()
        status, said = machine.sh(f"apt-get -y purge linux-image-{self.release} linux-headers-{self.release}")
        assert status == 0, said[-1000:]
        found = os.listdir(machine.inside(PREPARED))
        silent(" ".join(found), self.release)

    def run(self):
        for function in (self.another_compiler, self.no_compiler, self.another_source, self.no_space, self.killed,
                         self.two_at_once, self.kernel_removed):
            with self.results.test(f"packages_trouble_{function.__name__}"):
                function()


def run(results, machine, trixie, own):
    Trouble(results, machine, trixie, own).run()
