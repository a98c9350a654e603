# SPDX-License-Identifier: GPL-2.0
"""More chips than the machine has, by the kernel's virtual TPM proxy.

A Relay is a chip in the test's hand: it passes commands to the machine's TPM,
and holds any of them for as long as the test wants. So a test can look at the
time in which a TPM works, however short that is, without a clock. A Swtpm is a
TPM of its own.
"""

import contextlib
import fcntl
import os
import select
import shutil
import struct
import subprocess
import tempfile
import threading
import time

from . import module, tss, wire

NEW_DEVICE = 0xC014A100
FLAG_TPM2 = 1
# Commands whose answer begins with the handle of what is in the TPM from then on, and those that end it.
MAKE = {wire.CREATE_PRIMARY, wire.LOAD_EXTERNAL, wire.CONTEXT_LOAD, wire.START_AUTH_SESSION, wire.HASH_SEQUENCE_START}
END = {wire.FLUSH_CONTEXT, wire.SEQUENCE_COMPLETE}


def longest_hold():
    """How long a command is held at most: for ever, to whoever does not wait for it.

    The C driver does wait, where it should not: it is held up for less long.
    """
    return 20 if module.is_loaded() else 4


def need_proxy():
    if not os.path.exists("/dev/vtpmx"):
        subprocess.run(["modprobe", "tpm_vtpm_proxy"], check=True)


def wait_for(what, condition, limit=60):
    until = time.monotonic() + limit
    while not condition():
        if time.monotonic() > until:
            raise AssertionError(f"waited {limit} s, and {what} did not happen")
        time.sleep(0.01)


def nodes():
    """The numbers of the chips that have nodes."""
    return {int(name.removeprefix("tpmrm")) for name in os.listdir("/sys/class/tpmrm")}


def wait_for_node(number):
    """Waits until a new chip is served, by the module if that is loaded."""
    path = f"/dev/tpmrm{number}"
    wait_for(f"a node {path}", lambda: os.path.exists(path) and module.serves(path))
    return path


class Relay:
    """A chip whose TPM is the machine's, with a gate in between."""

    def __init__(self):
        need_proxy()
        self.raw = tss.Tpm(tss.RAW)
        self.lock = threading.Condition()
        self.held = None
        self.until = 0
        self.waiting = 0
        self.plugged = True
        self.seen = []
        self.answers = {}
        self.made = set()
        with open("/dev/vtpmx", "rb+", buffering=0) as control:
            made = fcntl.ioctl(control, NEW_DEVICE, struct.pack("=5I", FLAG_TPM2, 0, 0, 0, 0))
        _, self.number, self.fd, _, _ = struct.unpack("=5I", made)
        self.wake, self.woken = os.pipe()
        self.server = threading.Thread(target=self.serve, daemon=True)
        self.server.start()
        self.node = wait_for_node(self.number)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.unplug()
        self.raw.close()

    def open(self, flags=0):
        return tss.Tpm(self.node, flags)

    def hold(self, code):
        """From now on, a command with this code does not reach the TPM."""
        with self.lock:
            self.held = code
            self.until = time.monotonic() + longest_hold()

    def release(self):
        with self.lock:
            self.held = None
            self.lock.notify_all()

    @contextlib.contextmanager
    def holding(self, code=wire.GET_TEST_RESULT):
        """Holds a command, and makes sure that it was held all the time."""
        self.hold(code)
        try:
            yield
            assert self.is_held(), "somebody waited for a command that was held, until it no longer was"
        finally:
            self.release()

    def is_held(self):
        with self.lock:
            return self.held is not None and time.monotonic() < self.until

    def wait_until_held(self):
        """Waits until a command is at the gate: then the chip is at work."""
        with self.lock:
            assert self.lock.wait_for(lambda: self.waiting > 0, 20), "no command came"

    def count(self, code):
        """How many commands with a code have come."""
        with self.lock:
            return sum(wire.code_of(command) == code for command in self.seen)

    def answer(self, code, *answers):
        """The next commands with a code are answered so, and do not reach the TPM."""
        with self.lock:
            self.answers.setdefault(code, []).extend(answers)

    def unplug(self):
        """The chip goes away, whatever it does at the moment."""
        with self.lock:
            if not self.plugged:
                return
            self.plugged = False
            self.lock.notify_all()
        os.write(self.woken, b"x")
        self.server.join()
        os.close(self.fd)
        self.lose_power()

    def lose_power(self):
        """What the chip has made goes with it, as of a TPM that is pulled out."""
        for handle in self.made:
            # A session may have ended by its last use.
            with contextlib.suppress(wire.Rc):
                self.raw.flush(handle)

    def serve(self):
        while self.plugged:
            ready, _, _ = select.select([self.fd, self.wake], [], [])
            if self.wake in ready:
                return
            command = os.read(self.fd, tss.LARGEST)
            answer = self.respond(command)
            if answer is not None:
                os.write(self.fd, answer)

    def respond(self, command):
        code = wire.code_of(command)
        if code == wire.SET_LOCALITY:
            return wire.response(0)
        with self.lock:
            self.seen.append(command)
            self.waiting += 1
            self.lock.notify_all()
            self.lock.wait_for(lambda: self.held != code or not self.plugged,
                               max(0, self.until - time.monotonic()) if self.held == code else None)
            self.waiting -= 1
            if not self.plugged:
                return None
            if self.answers.get(code):
                return self.answers[code].pop(0)
        answer = self.raw.transact(command)
        self.enter(code, command, answer)
        return answer

    def enter(self, code, command, answer):
        """Keeps in mind what is in the TPM by our doing."""
        if wire.code_of(answer) != 0:
            return
        if code in MAKE:
            self.made.add(wire.first_word(answer))
        elif code in END:
            self.made.discard(wire.first_word(command))


class Swtpm:
    """A chip with a software TPM of its own in the guest, which is given more options if there are some."""

    def __init__(self, *options):
        need_proxy()
        before = nodes()
        self.state = tempfile.mkdtemp()
        self.process = subprocess.Popen(
            ["swtpm", "chardev", "--vtpm-proxy", "--tpm2", "--tpmstate", f"dir={self.state}",
             "--log", "level=0", *options], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        wait_for("a new chip", lambda: nodes() - before, 120)
        self.number = (nodes() - before).pop()
        self.node = wait_for_node(self.number)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.unplug()
        shutil.rmtree(self.state)

    def open(self, flags=0):
        return tss.Tpm(self.node, flags)

    def unplug(self):
        """Kills the TPM: for the kernel it is pulled out."""
        self.process.kill()
        self.process.wait()
