# SPDX-License-Identifier: GPL-2.0
"""What others can do to a descriptor, and what it can do to itself."""

import json
import os
import re
import signal

from harness import tss, wire

from . import sample
from .step import Fails, alive, outcome, step

REFUSED = wire.MANAGER | wire.REFERENCE_H0
UNKNOWN = 0x80ABCDEF
ALICE, BOB = 1000, 1001


def refused(said):
    return said == f"{REFUSED:#x}"


@step("another descriptor flushes my session")
def foreign_flush():
    with tss.Tpm() as mine, tss.Tpm() as other:
        session = tss.Session(mine)
        said = outcome(other.flush, session.handle)
        kept = outcome(session.check)
    if kept != "success":
        raise Fails(f"it is lost, and answers {kept}")
    if not refused(said):
        raise Fails(f"{said}, not {REFUSED:#x}")
    return f"refused with {said}"


@step("another descriptor lists my three sessions")
def foreign_list():
    with tss.Tpm() as mine, tss.Tpm() as other:
        for number in range(3):
            tss.Session(mine, number)
        seen = sum(len(other.every_handle(first))
                   for first in (wire.FIRST_LOADED_SESSION, wire.FIRST_SAVED_SESSION))
    if seen:
        raise Fails(f"it sees {seen}")
    return "it sees none"


@step("what a foreign session is answered (sample refused-handle)")
def foreign_handle():
    status, said = sample.run("refused-handle")
    answers = re.findall(r"^the other (?:uses|authorizes).*: (0x\w+|success)", said, re.MULTILINE)
    kept = "the one that has it uses it: success" in said
    shown = f"{' and '.join(answers)}; in the end it is {'there' if kept else 'lost'}"
    if status != 0:
        raise Fails(shown)
    return shown


@step("an unknown handle, with 3 objects and 3 sessions held")
def unknown_handle():
    with tss.Tpm() as tpm:
        things = [tss.Key(tpm, b"key %d" % number) for number in range(3)]
        things += [tss.Session(tpm, number) for number in range(3)]
        said = outcome(tpm.read_public, UNKNOWN)
        left = alive(things)
    if said != "EINVAL" or left < len(things):
        raise Fails(f"{said}, and {len(things) - left} of 6 are lost")
    return f"{said}, and all 6 are still there"


@step("one of my 2 objects dies by somebody's TPM2_Clear")
def clear():
    with tss.Tpm() as tpm, tss.Tpm() as other:
        dead = tpm.primary()
        things = [tss.Key(tpm, b"key"), tss.Session(tpm)]
        other.clear()
        general = outcome(tpm.random)
        said = outcome(tpm.read_public, dead)
        left = alive(things)
    if general != "success":
        raise Fails(f"then all commands fail, even GetRandom: {general}")
    if left < len(things) or not refused(said):
        raise Fails(f"it answers {said}, and {len(things) - left} of 2 others are lost")
    return f"it answers {said}, all else works"


@step("a client is killed: what it leaves in the TPM")
def killed():
    ready, tell = os.pipe()
    pid = os.fork()
    if pid == 0:
        tpm = tss.Tpm()
        _ = [tss.Key(tpm, b"key %d" % number) for number in range(3)]
        _ = [tss.Session(tpm, number) for number in range(3)]
        os.write(tell, b"x")
        signal.pause()
    os.close(tell)
    made = os.read(ready, 1)
    os.close(ready)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    if not made:
        raise Fails("it died by itself")
    with tss.Tpm(tss.RAW) as raw:
        left = sum(map(len, tss.left_behind(raw).values()))
    if left:
        raise Fails(f"{left} things")
    return "nothing"


def as_user(user, function, *arguments):
    """What a function returns in a process of a user."""
    ours, theirs = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.setgroups([])
            os.setgid(user)
            os.setuid(user)
            os.write(theirs, json.dumps(function(*arguments)).encode())
        finally:
            os._exit(0)
    os.close(theirs)
    with os.fdopen(ours) as answer:
        text = answer.read()
    os.waitpid(pid, 0)
    return json.loads(text) if text else None


def save_one():
    with tss.Tpm() as tpm:
        session = tss.Session(tpm)
        tpm.save(session.handle)
        return session.handle


def flush_one(handle):
    with tss.Tpm() as tpm:
        return outcome(tpm.flush, handle)


def find_one(handle):
    """Whether a saved session is in the list; its number tells, whatever its kind is now."""
    with tss.Tpm() as tpm:
        return handle & 0xFFFFFF in [found & 0xFFFFFF for found in tpm.every_handle(wire.FIRST_SAVED_SESSION)]


@step("another user flushes a saved session of a client that exited")
def left_session_and_others():
    os.chmod(tss.NODE, 0o666)
    handle = as_user(ALICE, save_one)
    said = as_user(BOB, flush_one, handle)
    if not refused(said):
        raise Fails("it is gone" if said == "success" else f"{said}, not {REFUSED:#x}")
    return f"refused with {said}"


@step("its own user lists and flushes it")
def left_session():
    os.chmod(tss.NODE, 0o666)
    handle = as_user(ALICE, save_one)
    if not as_user(ALICE, find_one, handle):
        raise Fails("it is not listed")
    said = as_user(ALICE, flush_one, handle)
    if said != "success":
        raise Fails(said)
    if as_user(ALICE, find_one, handle):
        raise Fails("it is still listed after the flush")


@step("a session goes from process to process in a file")
def across():
    status, said = sample.run("session-across-processes", "/tmp/tour-session")
    if status != 0:
        raise Fails(sample.last(said))
