# SPDX-License-Identifier: GPL-2.0
"""The tracepoints tell what happened, and nothing that is secret."""

import contextlib
import functools
import os
import re
import subprocess

from harness import expect, module, scarcity, tss, users, wire
from harness.runner import NOTHING, test
from harness.users import ALICE, BOB

TRACING = "/sys/kernel/tracing"
FOREIGN = wire.MANAGER | wire.REFERENCE_H0
LINE = re.compile(r"tpmrm_(\w+): tpmrm0 ?(.*)")


def write(name, value):
    with open(f"{TRACING}/{name}", "w") as file:
        file.write(value)


@contextlib.contextmanager
def tracing():
    """What is traced meanwhile, as a list of events and what they say."""
    if not os.path.ismount(TRACING):
        subprocess.run(["mount", "-t", "tracefs", "none", TRACING], check=True)
    write("trace", "")
    write("events/tpmrm/enable", "1")
    events = []
    try:
        yield events
    finally:
        write("events/tpmrm/enable", "0")
        with open(f"{TRACING}/trace") as file:
            events.extend(LINE.search(line).groups() for line in file if "tpmrm_" in line)


def said(events, name):
    return [text for found, text in events if found == name]


def one(lines, pattern):
    """That there is exactly one such line."""
    found = [line for line in lines if re.fullmatch(pattern, line)]
    expect.equal(len(found), 1, f"the number of lines {pattern!r} among {lines}")


@test(control=NOTHING)
def commands_errands_and_barriers_are_traced():
    with tss.Tpm() as tpm, tss.Tpm(tss.RAW) as raw:
        key = tss.Key(tpm, b"a secret that is not to be seen")
        with tracing() as events:
            raw.random()
            key.check()
            with expect.answered(FOREIGN):
                tpm.flush(wire.FIRST_LOADED_SESSION)
    said_by = functools.partial(said, events)
    one(said_by("command"), rf"space=\d+ code={wire.HMAC:#x} rc=0x0")
    one(said_by("command"), rf"space=\d+ code={wire.FLUSH_CONTEXT:#x} rc={FOREIGN:#x}")
    for errand in ("save", "flush", "load"):
        one(said_by("errand"), rf"{errand} handle=0x80000000 rc=0x0")
    expect.equal(len(said_by("barrier")), 1, "the commands of others before which something left")


@test(control=NOTHING)
def waits_evictions_and_losses_are_traced():
    module.set_parameter("session_lease_ms", scarcity.SHORT)
    with users.opened(ALICE) as victim, users.opened(BOB) as other:
        first, *_ = scarcity.take(victim)
        with tracing() as events:
            other.start()
    said_by = functools.partial(said, events)
    one(said_by("evict"), rf"session={first:#x} from_uid={ALICE} to_uid={BOB}")
    one(said_by("lost"), rf"space=\d+ handle={first:#x}")
    one(said_by("wait"), r"space=\d+ begins")
    one(said_by("wait"), r"space=\d+ granted")
