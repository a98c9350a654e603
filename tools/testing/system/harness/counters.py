# SPDX-License-Identifier: GPL-2.0
"""What the driver says that it has done."""

import os

FILE = "/sys/kernel/debug/tpmrm/tpmrm0/counters"


def counters():
    if not os.path.ismount("/sys/kernel/debug"):
        os.system("mount -t debugfs none /sys/kernel/debug")
    with open(FILE) as file:
        return {name: int(value) for name, value in (line.split() for line in file)}
