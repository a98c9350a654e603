# SPDX-License-Identifier: GPL-2.0
"""The image as a machine: commands run in it natively, and it can be booted with the system that it has."""

import os
import shutil
import subprocess

from rig import kernel, namespace, root, tools
from rig.vm import launch
from rig.vm.guest import Guest, NoBoot
from rig.vm.options import Options

HERE = os.path.dirname(os.path.abspath(__file__))
# What is put into the guest for its lifetime.
PLACE = "/.rig"
PATIENCE = "systemd.default_timeout_start_sec=900 systemd.service_watchdogs=no systemd.getty_auto=no"
# Seconds for all that is done in a guest, which is emulated.
LIMIT = 3000
# Nobody is asked anything, and nobody needs an initramfs here.
QUIET = {"DEBIAN_FRONTEND": "noninteractive", "INITRD": "No"}


def accelerator():
    """kvm or tcg, as the rig found out for its own kernel."""
    base = root.path()
    stock = kernel.get(base)
    probe = Options(command=["true"], directory="/", image=stock.image)
    return launch.accelerator(base, [stock.files, base], probe)


class Machine(tools.Root):
    """An image with changes in memory. Further ones, for what is not to last, are made on top of it."""

    def __init__(self, view, name, lower, folders=()):
        self.scratch = view.scratch
        self.view = view
        self.name = name
        self.lower = lower
        self.path = view.overlay(name, lower)
        namespace.mount("proc", self.inside("/proc"), "proc")
        for folder in ("/dev", "/sys"):
            namespace.bind(folder, self.inside(folder))
        for folder in folders:
            self.show(folder, self.path)

    @property
    def layers(self):
        """All that it consists of, as another overlay wants it."""
        return [os.path.join(self.scratch, self.name, "upper"), *self.lower]

    def copy(self, name):
        """A machine that is as this one is now; this one must not change while it is used."""
        return Machine(self.view, name, self.layers)

    def sh(self, script):
        """Runs shell commands; returns the status and what was said."""
        process = self.popen(["sh", "-c", script], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                             stderr=subprocess.STDOUT, text=True, errors="replace", environment=QUIET)
        said, _ = process.communicate()
        return process.returncode, said

    def boot(self, release, script, kvm):
        """Boots a kernel that is installed, to run a script of the folder guest; returns the process that does that.

        The machine must not change until it has ended, so further steps need a copy.
        """
        child = os.fork()
        if child == 0:
            os._exit(namespace.run(lambda: self.attempts(release, script, kvm)))
        return child

    def attempts(self, release, script, kvm):
        namespace.mount("tmpfs", self.view.inside("/run"), "tmpfs")
        image = self.view.inside("/run/vmlinuz")
        shutil.copy(self.inside(f"/boot/vmlinuz-{release}"), image)
        options = Options(command=[f"{PLACE}/{script}"], directory="/", image="/run/vmlinuz", accelerator=kvm,
                          timeout=LIMIT)
        for attempt in (1, 2):
            try:
                return Booted(self, f"{script}-{release}-{attempt}", options).run()
            except NoBoot as hung:
                print("\n".join(str(hung).splitlines()[-5:]))
        return 1


class Booted(Guest):
    """A guest whose process 1 is the image's own."""

    def __init__(self, machine, name, options):
        self.name = name
        super().__init__(machine.view, options, machine.layers)

    def share_root(self, lower):
        top = self.root.overlay(self.name, lower)
        shutil.copytree(os.path.join(HERE, "guest"), top + PLACE)
        with open(f"{top}{PLACE}/command", "w") as file:
            file.write(self.options.command[0] + "\n")
        units = f"{top}/etc/systemd/system"
        os.makedirs(f"{units}/multi-user.target.wants", exist_ok=True)
        for link in (f"{units}/rig.service", f"{units}/multi-user.target.wants/rig.service"):
            os.symlink(f"{PLACE}/rig.service", link)
        os.makedirs(self.root.inside("/guest"), exist_ok=True)
        namespace.bind(top, self.root.inside("/guest"))

    def root_by_virtiofs(self):
        append, devices = super().root_by_virtiofs()
        # An emulated machine on a busy one is slower than systemd has patience; nobody logs in.
        return append.replace("init=/.rig/init", f"init={PLACE}/start {PATIENCE}"), devices
