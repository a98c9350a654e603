# SPDX-License-Identifier: GPL-2.0
"""Chips that are plugged in, used, and pulled out in the middle of a command."""

import errno
import os
import shutil
import subprocess
import tempfile
import time

from harness import chip, wire

from .clients import Client, honest, lives
from .others import random_reader

# What a chip's own driver may say when it is pulled out.
PULLED = {errno.ECANCELED, errno.EIO, errno.ETIME, errno.ENODEV}
# How long a chip may take to be served, in seconds.
PATIENCE = 240


def are_possible():
    """Whether this machine has software TPMs."""
    return shutil.which("swtpm") is not None


class Chip:
    """A software TPM that is a chip, as soon as it is served."""

    def __init__(self):
        chip.need_proxy()
        self.before = chip.nodes()
        self.state = tempfile.mkdtemp()
        self.until = time.monotonic() + PATIENCE
        self.number = None
        self.users, self.was_used = [], False
        self.process = subprocess.Popen(
            ["swtpm", "chardev", "--vtpm-proxy", "--tpm2", "--tpmstate", f"dir={self.state}", "--log", "level=0"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    @property
    def node(self):
        return f"/dev/tpmrm{self.number}"

    def is_known(self):
        """Whether it is there, under a number."""
        if self.number is None:
            new = chip.nodes() - self.before
            if new:
                self.number = new.pop()
        return self.number is not None

    def is_served(self):
        """Whether it can be used by now."""
        if self.is_known() and os.path.exists(f"/sys/kernel/debug/tpmrm/tpmrm{self.number}"):
            os.chmod(self.node, 0o666)
            return True
        if time.monotonic() > self.until:
            raise AssertionError(f"a chip was not served within {PATIENCE} s")
        return False

    def works(self):
        """What is done with it: by clients, by one whose commands take long, and by the kernel."""
        node = self.node

        def at_chip(row, rng):
            honest(row, rng, node, PULLED)

        def slow(row, rng):
            def life():
                with Client(row, rng, node, PULLED) as client:
                    while not row.ledger.is_paused():
                        with client.careful():
                            client.tpm.flush(client.tpm.primary(wire.RSA))
                            row.add("chip_commands")
            lives(row, rng, life, node)

        return at_chip, slow, random_reader(self.number)

    def pull(self):
        """Kills the TPM: for the kernel it is pulled out."""
        self.process.kill()
        self.process.wait()
        shutil.rmtree(self.state)
