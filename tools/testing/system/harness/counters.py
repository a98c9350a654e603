# SPDX-License-Identifier: GPL-2.0
"""What the driver says that it has done."""

from . import debugfs


def counters():
    found = {name: int(value) for name, value in debugfs.values("counters").items()}
    del found["age_ms"]
    return found
