# SPDX-License-Identifier: GPL-2.0
"""One user takes all sessions that there are: what others get then, and what that user is told."""

import contextlib
import time

from harness import expect, module, scarcity, tss, users

from . import sample
from .step import Fails, alive, first_code, outcome, step

DESCRIPTORS = 22
LEAKED = 200
# Seconds: longer than three leases.
PATIENCE = 7


@contextlib.contextmanager
def hog():
    """Descriptors of a user with up to three sessions in each, as many as any driver gives."""
    count = scarcity.NUMBERS
    if module.is_loaded():
        count -= int(module.parameter("kernel_reserve"))
    with contextlib.ExitStack() as stack:
        tpms = [stack.enter_context(users.opened(users.ALICE)) for _ in range(DESCRIPTORS)]
        yield [tss.Session(tpms[number % DESCRIPTORS], number // DESCRIPTORS) for number in range(count)]


def start_soon(tpm):
    """Starts a session, and goes on trying for a while. Returns how many seconds that took."""
    began = time.monotonic()
    attempts = 0
    while time.monotonic() - began < PATIENCE:
        attempts += 1
        said = outcome(tpm.start)
        if said == "success":
            return time.monotonic() - began
        time.sleep(0.5)
    raise Fails(f"{said}, {attempts} times in {PATIENCE} s")


@step(f"{DESCRIPTORS} descriptors hold all sessions: another user starts one")
def another_user():
    with hog(), users.opened(users.BOB) as other:
        return f"after {start_soon(other):.1f} s"


@step("then: raw /dev/tpm0 starts two, as the kernel might")
def raw_user():
    with hog(), tss.Tpm(tss.RAW) as raw:
        for _ in range(2):
            said = outcome(raw.start)
            if said != "success":
                raise Fails(said)


@step("then: who loses one is told, and keeps the others")
def victim():
    with hog() as sessions, users.opened(users.BOB) as other:
        said = outcome(other.start)
        told = {session.tpm for session in sessions if "PRI" in expect.events(session.tpm)}
        lost = [session for session in sessions if outcome(session.check) != "success"]
        if said != "success":
            raise Fails(f"nobody loses one: the other user gets {said}")
        if len(lost) != 1 or told != {lost[0].tpm}:
            raise Fails(f"{len(lost)} are lost, {len(told)} descriptors are told")
        return f"POLLPRI; {outcome(lost[0].check)} for that one, and {alive(sessions)} are there"


@step("a program is told of its loss and goes on (sample session-loss)")
def program():
    status, said = sample.run("session-loss")
    if status != 0:
        raise Fails(first_code(said) or sample.last(said))


@step(f"sessions leaked one after the other (saved, abandoned), of {LEAKED}", measure=True)
def leaks():
    for number in range(LEAKED):
        with tss.Tpm() as tpm:
            said = outcome(lambda: tpm.save(tpm.start()))  # pylint: disable=cell-var-from-loop
        if said != "success":
            raise Fails(f"{number}, then {said}")
    return str(LEAKED)
