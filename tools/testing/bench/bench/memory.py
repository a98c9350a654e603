# SPDX-License-Identifier: GPL-2.0
"""Memory of the kernel for descriptors and objects, in the guest."""

import os
import resource

from harness import tss
from harness.memory import unreclaimable

IDLE = 1000
# Descriptors that have objects, and how many each; the C driver gives no more than three.
HOLDERS, EACH = 200, 3


def figures(way):
    """What each costs beside what any file does; descriptors are idle after a command."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (4 * IDLE, 4 * IDLE))
    before = unreclaimable()
    files = [os.open("/dev/null", os.O_RDWR) for _ in range(IDLE)]
    general = unreclaimable() - before
    before = unreclaimable()
    tpms = [tss.Tpm() for _ in range(IDLE)]
    for tpm in tpms:
        tpm.random()
    idle = unreclaimable() - before
    before = unreclaimable()
    for tpm in tpms[:HOLDERS]:
        for number in range(EACH):
            tss.Key(tpm, b"%d" % number)
    held = unreclaimable() - before
    for fd in files:
        os.close(fd)
    for tpm in tpms:
        tpm.close()
    return {"memory": way, "idle": (idle - general) / IDLE, "file": general / IDLE,
            "object": held / (HOLDERS * EACH), "total": idle}
