# SPDX-License-Identifier: GPL-2.0
"""What one descriptor can hold, and what that costs."""

import contextlib
import os
import re
import resource
import statistics
import time

from harness import memory, tss

from . import sample
from .step import Fails, first_code, step

OBJECTS = 200
SESSIONS = 60
DESCRIPTORS = 1000
MOST_BYTES = 1024
# How often GetRandom is called to be counted, and how often that is done to time it.
COUNTED = 10
TURNS = 6
# The kernel looks after a millisecond whether the TPM is done, or at once, by chance.
MOST_MS = 3


def held(program, wanted):
    """Lets a sample hold as many of its things as it can."""
    status, said = sample.run(program, str(wanted))
    found = re.search(r"held (\d+) of", said)
    if found is None:
        raise Fails(sample.last(said))
    if status == 0 and int(found[1]) == wanted:
        return found[1]
    raise Fails(f"{found[1]}, then {first_code(said)}")


@step(f"objects held in one descriptor, of {OBJECTS}", measure=True)
def objects():
    return held("many-objects", OBJECTS)


@step(f"sessions held in one descriptor, of {SESSIONS}", measure=True)
def sessions():
    return held("many-sessions", SESSIONS)


@contextlib.contextmanager
def holding_three():
    """A descriptor with three objects and three sessions, as many as any driver can hold."""
    with tss.Tpm() as tpm:
        things = [tss.Key(tpm, b"key %d" % number) for number in range(3)]
        things += [tss.Session(tpm, number) for number in range(3)]
        for thing in things:
            thing.check()
        yield tpm


@step("TPM commands for one GetRandom, holding 3 objects and 3 sessions", measure=True)
def getrandom_commands():
    """The host finds them between the marks, in the TPM's own log."""
    with holding_three() as tpm, tss.Tpm(tss.RAW) as raw:
        raw.mark("begin getrandom")
        for _ in range(COUNTED):
            tpm.random()
        raw.mark("end getrandom")


def times(tpm):
    """Milliseconds that each of a few GetRandoms takes."""
    took = []
    for _ in range(COUNTED):
        began = time.perf_counter()
        tpm.random()
        took.append((time.perf_counter() - began) * 1000)
    return took


@step("time of that GetRandom, against raw /dev/tpm0", measure=True)
def getrandom_time():
    alone, managed = [], []
    with holding_three() as tpm:
        # In turn, as the machine may be slower at one time than at another.
        for _ in range(TURNS):
            with tss.Tpm(tss.RAW) as raw:
                alone += times(raw)
            managed += times(tpm)
    alone, managed = statistics.median(alone), statistics.median(managed)
    shown = f"{managed:.1f} ms against {alone:.1f} ms"
    if managed > alone + MOST_MS:
        raise Fails(shown)
    return shown


def bytes_each(opener):
    before = memory.unreclaimable()
    opened = [opener() for _ in range(DESCRIPTORS)]
    return (memory.unreclaimable() - before) / DESCRIPTORS, opened


@step("kernel memory of an idle open descriptor", measure=True)
def idle_descriptor():
    resource.setrlimit(resource.RLIMIT_NOFILE, (3 * DESCRIPTORS, 3 * DESCRIPTORS))
    # What any file costs is not the driver's doing.
    general, files = bytes_each(lambda: os.open("/dev/null", os.O_RDWR))
    cost, tpms = bytes_each(tss.Tpm)
    for fd in files:
        os.close(fd)
    for tpm in tpms:
        tpm.close()
    shown = f"{max(0, round(cost - general))} bytes"
    if cost - general > MOST_BYTES:
        raise Fails(shown)
    return shown


@step("poll() while the TPM makes an RSA key")
def poll():
    status, said = sample.run("poll-loop")
    if status != 0:
        stuck = re.search(r"right after it: .*after (\d+) ms", said)
        raise Fails(f"blocks until the key is made, {stuck[1]} ms" if stuck else sample.last(said))
    waits, wait = map(int, re.search(r"nothing for (\d+) times (\d+) ms", said).groups())
    return f"returns at once, says POLLIN {waits * wait} ms later"
