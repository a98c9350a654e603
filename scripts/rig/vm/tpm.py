# SPDX-License-Identifier: GPL-2.0
"""The guest's TPM: a new swtpm with nothing in it, and something in front of it that slows it down."""

import os
import subprocess
import sys
import time

from .. import say


class Tpm:
    """A running swtpm; its socket is visible in the root."""

    def __init__(self, root, log, delay):
        self.socket = "/run/swtpm.sock"
        state = "/run/swtpm"
        os.makedirs(root.inside(state))
        # From level 2 on, the log has every command and response.
        with open(log or os.devnull, "wb") as file:
            self.process = root.popen(
                ["swtpm", "socket", "--tpm2", "--tpmstate", f"dir={state}",
                 "--ctrl", f"type=unixio,path={self.socket}", "--flags", "startup-clear",
                 "--log", f"fd={file.fileno()},level={20 if log else 1}"],
                pass_fds=[file.fileno()], stdin=subprocess.DEVNULL,
            )
        wait_for(root.inside(self.socket), self.process, "swtpm")
        if delay:
            self.slow_down(root, delay)

    def slow_down(self, root, delay):
        """Each command takes so many milliseconds longer."""
        behind, self.socket = self.socket, "/run/slow.sock"
        program = os.path.join(os.path.dirname(os.path.abspath(__file__)), "slow.py")
        argv = [sys.executable, program, root.inside(self.socket), root.inside(behind), str(delay)]
        self.slow = subprocess.Popen(argv, stdin=subprocess.DEVNULL)
        wait_for(root.inside(self.socket), self.slow, "what slows the TPM down")


def wait_for(path, process, what):
    """Waits until a program has made its socket."""
    until = time.monotonic() + 20
    while not os.path.exists(path):
        if process.poll() is not None or time.monotonic() > until:
            raise say.Failure(f"{what} does not start")
        time.sleep(0.02)
