# SPDX-License-Identifier: GPL-2.0
"""What descriptors cost in memory of the kernel, and who pays."""

import contextlib
import errno
import os
import resource
import signal

from harness import tss
from harness.memory import Group, unreclaimable
from harness.runner import FAILS, NOTHING, note, test

COUNT = 2000
LIMIT = 1024


def cost_of(opener):
    """Bytes that each descriptor takes, and the descriptors."""
    before = unreclaimable()
    opened = [opener() for _ in range(COUNT)]
    return (unreclaimable() - before) / COUNT, opened


@test(control=FAILS)
def an_idle_descriptor_costs_at_most_1_kib():
    resource.setrlimit(resource.RLIMIT_NOFILE, (3 * COUNT, 3 * COUNT))
    # What every descriptor costs, of whatever.
    general, nothing = cost_of(lambda: os.open("/dev/null", os.O_RDWR))
    cost, tpms = cost_of(tss.Tpm)
    note(f"an idle descriptor costs {cost - general:.0f} bytes, and {general:.0f} for any file")
    assert cost > general, "the measurement is broken: a descriptor costs nothing"
    assert cost - general <= LIMIT, f"an idle descriptor costs {cost - general:.0f} bytes"
    before = unreclaimable()
    for tpm in tpms:
        tpm.random()
    note(f"one that was used costs {(unreclaimable() - before) / COUNT:.0f} bytes more")
    for fd in nothing:
        os.close(fd)
    for tpm in tpms:
        tpm.close()
    left = (unreclaimable() - before) / COUNT
    assert left < general, f"a descriptor leaves {left:.0f} bytes behind"


@contextlib.contextmanager
def in_a_group(name):
    group = Group(name)
    group.enter()
    try:
        yield group
    finally:
        group.leave()
        group.remove()


@test(control=FAILS)
def contexts_are_charged_to_the_client():
    count, objects = 50, 3
    with in_a_group("charged") as group:
        before = group.slab()
        tpms = [tss.Tpm() for _ in range(count)]
        opened = group.slab()
        keys = [tss.Key(tpm, b"%d" % number) for tpm in tpms for number in range(objects)]
        made = group.slab()
        note(f"a group is charged {(opened - before) / count:.0f} bytes for a descriptor, "
             f"and {(made - opened) / len(keys):.0f} for an object")
        assert (made - opened) / len(keys) > 200, "objects are not charged to the group of the client"
        for tpm in tpms:
            tpm.close()
        left = group.slab() - before
        assert left < (made - before) / 2, f"{left} of {made - before} bytes stay charged after the close"


@test(control=NOTHING)
def contexts_of_queued_commands_are_charged_to_the_client():
    """A worker executes these commands, for the client."""
    count = 100
    with in_a_group("queued") as group, tss.Tpm(flags=os.O_NONBLOCK) as tpm:
        before = group.slab()
        for _ in range(count):
            tpm.primary_queued()
        made = group.slab()
        note(f"a group is charged {(made - before) / count:.0f} bytes for an object of a queued command")
        assert (made - before) / count > 200, "objects of queued commands are not charged to the client"


@test(control=NOTHING, limit=240)
def g3_a_client_without_memory_harms_nobody():
    """Its group may have so much only: it is killed, or it is told, and others do not notice."""
    with tss.Tpm() as other:
        things = [tss.Key(other, b"key"), tss.Session(other, 3)]
        group = Group("limited")
        pid = os.fork()
        if pid == 0:
            status = 99
            try:
                status = eat(group)
            finally:
                os._exit(status)
        while True:
            for thing in things:
                thing.check()
            done, status = os.waitpid(pid, os.WNOHANG)
            if done:
                break
        end = os.waitstatus_to_exitcode(status)
        note(f"a client without memory ended with {end}; oom_kill {group.events('oom_kill')}")
        assert end in (-signal.SIGKILL, errno.ENOMEM), f"the client ended with status {end}"
        for thing in things:
            thing.check()
        group.remove()


def eat(group):
    """Makes objects until memory ends."""
    group.enter()
    tss.Tpm().random()
    group.set("memory.max", str(group.current() + (1 << 20)))
    tpms = []
    try:
        while len(tpms) < 100:
            tpms.append(tss.Tpm())
            for number in range(200):
                tss.Key(tpms[-1], b"%d" % number)
    except OSError as error:
        return error.errno
    except MemoryError:
        return errno.ENOMEM
    return 0
