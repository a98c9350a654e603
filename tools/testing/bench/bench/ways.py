# SPDX-License-Identifier: GPL-2.0
"""The four ways to the TPM, in the guest: where a program finds each, and what has to run for it."""

import contextlib
import os
import subprocess
import time

from harness import module, tss

# What the client program opens. Its descriptors on the node stay with who served it when they were opened.
TARGETS = {
    "tpmrm": tss.NODE,
    "c": tss.NODE,
    "abrmd": "tabrmd:bus_type=system",
    "raw": tss.RAW,
}
BUS_NAME = "com.intel.tss2.Tabrmd"
# Seconds.
START_LIMIT = 60
PARAMETERS = "idle_ms=1000"


def tcti(way):
    """What tpm2-tools open."""
    target = TARGETS[way]
    return f"device:{target}" if target.startswith("/") else target


def load_module():
    """From now on the node is served by the module."""
    module.load(module.file(), PARAMETERS)
    if not module.serves(tss.NODE):
        raise RuntimeError(f"{tss.NODE} is not served by the module")


def start_bus():
    os.makedirs("/run/dbus", exist_ok=True)
    subprocess.run(["dbus-daemon", "--system", "--fork", "--nopidfile"], check=True)


@contextlib.contextmanager
def daemon():
    """The user space resource manager, which has the raw node for itself while it runs."""
    process = subprocess.Popen(["tpm2-abrmd", "--allow-root", f"--tcti=device:{tss.RAW}"], stdin=subprocess.DEVNULL)
    try:
        until = time.monotonic() + START_LIMIT
        while not has_owner():
            if process.poll() is not None or time.monotonic() > until:
                raise RuntimeError("tpm2-abrmd does not start")
            time.sleep(0.2)
        yield
    finally:
        process.terminate()
        process.wait()


def has_owner():
    """Whether the daemon has said that it is there."""
    answer = subprocess.run(["dbus-send", "--system", "--print-reply=literal", "--dest=org.freedesktop.DBus", "/",
                             "org.freedesktop.DBus.NameHasOwner", f"string:{BUS_NAME}"],
                            stdout=subprocess.PIPE, text=True, check=True).stdout
    return "true" in answer


def serving(way):
    """What has to run while a way is used, beside the module."""
    return daemon() if way == "abrmd" else contextlib.nullcontext()
