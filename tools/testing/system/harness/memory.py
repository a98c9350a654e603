# SPDX-License-Identifier: GPL-2.0
"""How much memory of the kernel is in use, and for whom."""

import os
import time

GROUPS = "/sys/fs/cgroup"


def unreclaimable():
    """Bytes of slabs and of larger pieces that kmalloc() gave out."""
    with open("/proc/meminfo") as file:
        for line in file:
            name, value = line.split()[:2]
            if name == "SUnreclaim:":
                return int(value) * 1024
    raise AssertionError("/proc/meminfo has no SUnreclaim")


class Group:
    """A control group that a process can enter, to be charged apart from others."""

    def __init__(self, name):
        with open(f"{GROUPS}/cgroup.subtree_control", "w") as file:
            file.write("+memory")
        self.path = f"{GROUPS}/{name}-{os.getpid()}"
        os.mkdir(self.path)

    def enter(self):
        self.set("cgroup.procs", str(os.getpid()))

    def leave(self):
        """To where all others are."""
        with open(f"{GROUPS}/cgroup.procs", "w") as file:
            file.write(str(os.getpid()))

    def set(self, name, value):
        with open(f"{self.path}/{name}", "w") as file:
            file.write(value)

    def current(self):
        with open(f"{self.path}/memory.current") as file:
            return int(file.read())

    def slab(self):
        """Bytes of slabs that the group is charged."""
        # The kernel adds such figures up every two seconds.
        time.sleep(3)
        return self.statistic("slab")

    def statistic(self, wanted):
        with open(f"{self.path}/memory.stat") as file:
            for line in file:
                name, value = line.split()
                if name == wanted:
                    return int(value)
        raise AssertionError(f"memory.stat has no {wanted}")

    def events(self, wanted):
        with open(f"{self.path}/memory.events") as file:
            return dict(line.split() for line in file)[wanted]

    def remove(self):
        os.rmdir(self.path)
