# SPDX-License-Identifier: GPL-2.0
"""Runs guests: one retry when a boot hangs, and KVM only where it was seen to work."""

import dataclasses
import os

from .. import cache, namespace, say, tools
from .guest import FAILED, Guest, NoBoot, boot_limit

# The status by which a guest's namespaces tell that it did not boot.
NO_BOOT = 254
ATTEMPTS = 2


def launch(root, lower, options):
    """Runs a guest to its end; returns the status for the caller's own exit."""
    for attempt in range(1, ATTEMPTS + 1):
        status = namespace.run(lambda: once(root, lower, options))
        if status != NO_BOOT:
            return status
        say.line(f"the guest did not boot within {boot_limit(options)} s "
                 f"(attempt {attempt} of {ATTEMPTS})")
    return FAILED


def once(root, lower, options):
    view = tools.Root(root, [os.path.dirname(options.image)])
    try:
        return Guest(view, options, lower).run()
    except NoBoot as hung:
        tail = str(hung).splitlines()[-5:]
        if tail:
            print("\n".join(f"  {line}" for line in tail))
        return NO_BOOT


def accelerator(root, lower, options):
    """kvm or tcg: a probe boot decides, once for each boot of this machine and kernel."""
    if not os.access("/dev/kvm", os.R_OK | os.W_OK):
        return "tcg"
    with open("/proc/sys/kernel/random/boot_id") as file:
        key = cache.digest(file.read(), options.image)
    answer = os.path.join(cache.folder(), f"accelerator-{key}")
    with cache.lock("accelerator"):
        if not os.path.exists(answer):
            say.line("trying KVM with a boot of a few seconds")
            probe = dataclasses.replace(
                options, command=["true"], directory="/", module="", parameters=[], append=[], root="virtiofs",
                forward=0, tpm_log="", tpm_delay=0.0, tty=False, console="", accelerator="kvm")
            probe.timeout = boot_limit(probe)
            works = namespace.run(lambda: quietly(root, lower, probe)) == 0
            with open(answer + ".new", "w") as file:
                file.write("kvm" if works else "tcg")
            os.rename(answer + ".new", answer)
            if not works:
                say.line("KVM does not work here: guests are emulated")
    with open(answer) as file:
        return file.read()


def quietly(root, lower, options):
    """A probe's failure is an answer; what it says is not for the user."""
    silent = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silent, 1)
    os.dup2(silent, 2)
    return once(root, lower, options)
