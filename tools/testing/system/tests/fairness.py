# SPDX-License-Identifier: GPL-2.0
"""G7: a session within a bounded time, whatever other users do. Real processes of several users."""

import contextlib
import os
import re
import time

from harness import expect, module, scarcity, tss, users
from harness.runner import FAILS, NOTHING, note, test
from harness.users import ALICE, BOB, CAROL

# As many rounds as the run was told to make; else as many as there is time for.
ROUNDS = int(os.environ.get("TPMRM_ROUNDS", "0"))
SECONDS = 20000 if ROUNDS else 40
LEAST = 5
CLIENTS = 20
# Milliseconds of an emulated machine for all commands of those who wait together.
SERVICE = 3000


@contextlib.contextmanager
def crowd(user, *arguments):
    """Others that take sessions while the body runs, from when they have what they get at once."""
    with users.program(user, "crowd", *arguments) as process:
        try:
            said = process.stdout.readline()
            assert said.startswith("ready"), f"crowd {arguments} says {said!r}"
            yield
            expect.equal(process.poll(), None, f"the end of crowd {arguments}")
        finally:
            process.kill()


def outcome(user, *arguments):
    """Runs to its end, and returns the figures in its last line."""
    with users.program(user, "crowd", *arguments) as process:
        *complaints, last = process.stdout.read().splitlines()
    assert process.returncode == 0 and not complaints, f"{complaints[:3]}, {last}"
    return {name: int(value) for name, value in re.findall(r"(\w+) (\d+)", last)}


def among_hogs(lease, seconds):
    """Clients of one user beside two others of which none can have enough."""
    if module.is_loaded():
        module.set_parameter("session_lease_ms", lease)
    with crowd(ALICE, "hog", 40, 3), crowd(BOB, "spin", 50):
        found = outcome(CAROL, "clients", CLIENTS, ROUNDS or 100000, seconds)
    note(f"{CLIENTS} clients got a session each {found['rounds']} times in a row, none was refused; with a lease of "
         f"{lease} ms they waited up to {found['longest']} ms, in the median {found['median']} ms")
    expect.equal(found["refused"], 0, "the clients that were refused")
    assert found["rounds"] >= (ROUNDS or LEAST), f"{found['rounds']} rounds in {seconds} s"
    # They are as many as one user's fair share: all of them get theirs by the end of one lease.
    assert found["longest"] <= lease + SERVICE, f"a client waited {found['longest']} ms"


@test(control=FAILS, limit=SECONDS + 60)
def g7_a_third_user_gets_sessions_from_hogs():
    """Must-show 1, by the default lease."""
    among_hogs(2000, SECONDS)


@test(control=FAILS, limit=SECONDS + 60)
def g7_a_third_user_gets_sessions_from_hogs_at_a_high_rate():
    """The same with a lease that is soon over, so that everything happens more often."""
    among_hogs(200, SECONDS // 2)


@test(control=FAILS)
def g7_a_session_is_free_within_a_lease():
    """All are taken, by many descriptors of which each has no more than the C driver gives it."""
    hogs = [users.opened(ALICE) for _ in range(22)]
    count = 64 if not module.is_loaded() else 64 - int(module.parameter("kernel_reserve"))
    for number in range(count):
        hogs[number % len(hogs)].start()
    with users.opened(BOB) as other:
        began = time.monotonic()
        session = tss.Session(other, 3)
        note(f"with all {count} taken by another user, a session is there after {time.monotonic() - began:.2f} s")
        session.check()
        session.flush()
    for tpm in hogs:
        tpm.close()


@test(control=NOTHING)
def g7_nobody_loses_a_session_before_its_lease_is_over():
    lease = 3
    scarcity.terms(lease=lease * 1000)
    with users.opened(ALICE) as hog, users.opened(BOB) as other:
        began = time.monotonic()
        scarcity.take(hog)
        assert time.monotonic() - began < lease, "the machine is too slow for this test"
        other.start()
        took = time.monotonic() - began
    assert took >= lease, f"a session was lost after {took:.2f} s"


@test(control=NOTHING, limit=120)
def g7_a_user_with_few_sessions_loses_none():
    """While two others take from each other."""
    module.set_parameter("session_lease_ms", 500)
    with users.opened(CAROL) as tpm:
        sessions = [tss.Session(tpm, number) for number in range(10)]
        with crowd(ALICE, "hog", 40, 3), crowd(BOB, "spin", 50):
            for session in sessions * 3:
                session.check()


@test(control=FAILS, limit=SECONDS + 60)
def g1_g7_leaked_sessions_are_noticed_by_nobody():
    """Must-show 7: saved and abandoned, one after the other."""
    if module.is_loaded():
        module.set_parameter("session_lease_ms", scarcity.SHORT)
    with users.program(ALICE, "crowd", "leak", ROUNDS or 100000, SECONDS // 2) as process:
        clients = outcome(CAROL, "clients", 3, ROUNDS or 100000, SECONDS // 4)
        leaked = dict(re.findall(r"(\w+) (\d+)", process.stdout.read().splitlines()[-1]))
    with tss.Tpm(tss.RAW) as raw:
        tss.sweep(raw)
    note(f"{leaked['rounds']} sessions leaked, for the last of which {leaked['longest']} ms were waited at most; "
         f"others waited up to {clients['longest']} ms, in the median {clients['median']} ms")
    expect.equal(process.returncode, 0, "the status of who leaks them")
    assert int(leaked["rounds"]) >= (ROUNDS or 2 * scarcity.NUMBERS + 1), f"only {leaked['rounds']} were leaked"
    assert clients["longest"] <= scarcity.SHORT + SERVICE, f"a client waited {clients['longest']} ms"
