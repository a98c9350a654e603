# SPDX-License-Identifier: GPL-2.0
"""What becomes of who holds sessions that another one needs: `close`, `never`, and sessions that are kept."""

import contextlib
import errno
import os
import select
import threading
import time

from harness import chip, control, expect, module, scarcity, tss, users, wire
from harness.runner import NOTHING, test
from harness.users import ALICE, BOB, CAROL

from .loss import Scene

REFUSED = wire.MANAGER | wire.SESSION_HANDLES
HARMLESS = wire.command(wire.GET_TEST_RESULT)


def is_closed(tpm):
    """Must-show 4: it is over, as can be told at once and whatever is tried."""
    found = expect.events(tpm)
    assert {"HUP", "ERR"} <= found and not found & {"IN", "OUT"}, f"the events are {found}"
    for _ in range(2):
        with expect.fails_with(errno.EPIPE):
            tpm.write(HARMLESS)
        with expect.fails_with(errno.EPIPE):
            tpm.write(tss.START)
    expect.equal(control.info(tpm).flags & control.CLOSED, control.CLOSED, "the flags")


@test(control=NOTHING)
def close_ends_the_use_of_a_descriptor():
    with Scene(policy=control.CLOSE) as scene, users.opened(ALICE) as same_user:
        expect.equal(control.info(scene.victim).flags, 0, "the flags before")
        found = []
        thread = threading.Thread(target=lambda: found.append(expect.polled(scene.victim, select.POLLPRI, None)))
        thread.start()
        chip.wait_for("a poll()", lambda: expect.in_poll(thread))
        scene.lose()
        thread.join()
        assert len(found) == 1 and {"HUP", "ERR"} <= found[0], f"the poller was woken by {found}"
        is_closed(scene.victim)
        scene.other.test_result()
        same_user.flush(same_user.start())


@test(control=NOTHING)
def close_leaves_an_answer_to_be_read():
    with Scene(policy=control.CLOSE) as scene:
        scene.victim.write(HARMLESS)
        scene.lose()
        found = expect.events(scene.victim)
        assert {"IN", "HUP", "ERR"} <= found, f"the events are {found}"
        wire.body_of(wire.GET_TEST_RESULT, scene.victim.read())
        is_closed(scene.victim)


@test(control=NOTHING)
def close_is_for_queued_commands_too():
    with Scene(policy=control.CLOSE) as scene:
        scene.lose()
        os.set_blocking(scene.victim.fd, False)
        with expect.fails_with(errno.EPIPE):
            scene.victim.write(HARMLESS)


@test(control=NOTHING)
def close_by_the_module():
    """At run time, and for descriptors that are open already."""
    with Scene() as scene:
        expect.equal(control.info(scene.victim).policy, control.FAIL, "the policy")
        module.set_parameter("session_policy", "close")
        expect.equal(control.info(scene.victim).policy, control.CLOSE, "the policy")
        scene.lose()
        is_closed(scene.victim)


@test(control=NOTHING)
def a_descriptor_has_its_own_policy():
    with Scene(policy=control.FAIL) as scene:
        module.set_parameter("session_policy", "close")
        expect.equal(control.info(scene.victim).policy, control.FAIL, "the policy")
        lost = scene.lose()
        expect.equal(control.lost(scene.victim), [lost], "the lost sessions")
        scene.victim.test_result()
        control.set_policy(scene.victim, control.DEFAULT)
        expect.equal(control.info(scene.victim).policy, control.CLOSE, "the policy")
        scene.lose()
        is_closed(scene.victim)


def nobody_loses(scene):
    """Must-show 4: whoever wants a session is refused after the wait, and served if one is released."""
    wait = 0.4
    module.set_parameter("session_wait_ms", int(wait * 1000))
    for _ in range(2):
        began = time.monotonic()
        with expect.answered(REFUSED):
            scene.other.start()
        took = time.monotonic() - began
        assert took >= wait, f"it was refused after {took:.2f} s"
    module.set_parameter("session_wait_ms", scarcity.LONG)
    waiter, = scarcity.queue(BOB)
    scene.victim.flush(scene.kept.pop())
    waiter.handle()
    waiter.close()
    for handle in scene.kept:
        scene.victim.call(wire.POLICY_GET_DIGEST, (handle,))
    expect.equal((control.lost(scene.victim), expect.events(scene.victim)), ([], {"OUT"}), "what the victim was told")


@test(control=NOTHING, limit=120)
def never_by_the_module():
    with Scene() as scene:
        module.set_parameter("session_policy", "never")
        nobody_loses(scene)


@test(control=NOTHING, limit=120)
def never_by_ioctl():
    with Scene(policy=control.NEVER) as scene:
        expect.equal(control.info(scene.victim).policy, control.NEVER, "the policy")
        nobody_loses(scene)
        # Whoever has not chosen it is not spared.
        control.set_policy(scene.victim, control.FAIL)
        scene.lose()


@test(control=NOTHING)
def never_spares_the_descriptor_that_has_it():
    with users.opened(ALICE) as spared, users.opened(ALICE) as other, users.opened(BOB) as stranger:
        scarcity.terms(lease=scarcity.SHORT)
        control.set_policy(spared, control.NEVER)
        handles = scarcity.take(spared, 50)
        scarcity.take(other, scarcity.FOR_USERS - 50)
        scarcity.take(stranger, 5)
        expect.equal(control.info(other).lost, 5, "what a descriptor without it lost")
        expect.equal(control.info(spared).lost, 0, "what the descriptor with it lost")
        for handle in handles:
            spared.call(wire.POLICY_GET_DIGEST, (handle,))


@test(control=NOTHING)
def never_is_for_administrators():
    """Sessions that nobody can take away make everybody else wait."""
    with users.opened(CAROL) as tpm:
        with users.as_user(CAROL):
            with expect.fails_with(errno.EPERM):
                control.set_policy(tpm, control.NEVER)
            for policy in (control.FAIL, control.CLOSE, control.DEFAULT):
                control.set_policy(tpm, policy)
            with expect.fails_with(errno.EPERM):
                control.reserve(tpm, 1)
            module_wide = control.info(tpm).policy
        expect.equal(module_wide, control.FAIL, "the policy")
        control.set_policy(tpm, control.NEVER)
        expect.equal(control.info(tpm).policy, control.NEVER, "the policy")
    with users.opened(CAROL) as tpm:
        module.set_parameter("session_policy", "never")
        with users.as_user(CAROL):
            # That gives it nothing that it has not got.
            control.set_policy(tpm, control.NEVER)


@contextlib.contextmanager
def sparing(user, flags=0):
    with users.opened(user, flags=flags) as tpm:
        control.set_policy(tpm, control.NEVER)
        yield tpm


@test(control=NOTHING)
def reserved_sessions_are_there_when_they_are_wanted():
    scarcity.terms(lease=scarcity.SHORT, wait=400)
    with sparing(ALICE) as tpm, users.opened(BOB) as other:
        control.reserve(tpm, 5)
        expect.equal(control.info(tpm).reserved, 5, "the sessions that are kept")
        control.set_policy(other, control.NEVER)
        scarcity.take(other, scarcity.FOR_USERS - 5)
        with expect.answered(REFUSED):
            other.start()
        scarcity.take(tpm, 5)
        with expect.answered(REFUSED):
            tpm.start()


@test(control=NOTHING)
def reserved_sessions_are_taken_from_others():
    scarcity.terms(lease=scarcity.SHORT)
    with users.opened(BOB) as other, sparing(ALICE) as tpm:
        handles = scarcity.take(other)
        control.reserve(tpm, 8)
        expect.equal(control.lost(other), handles[:8], "what the other lost")
        expect.equal(control.info(tpm).reserved, 8, "the sessions that are kept")
        scarcity.take(tpm, 8)
        expect.equal(control.info(other).lost, 8, "what the other lost")


@test(control=NOTHING)
def reserved_sessions_are_given_back():
    scarcity.terms()
    with sparing(ALICE) as tpm, users.opened(BOB) as other:
        control.reserve(tpm, 20)
        scarcity.take(other, scarcity.FOR_USERS - 20)
        waiter, = scarcity.queue(BOB)
        control.reserve(tpm, 0)
        waiter.handle()
        expect.equal(control.info(tpm).reserved, 0, "the sessions that are kept")
        control.reserve(tpm, 10)
        tpm.close()
        scarcity.take(other, 19)
        waiter.close()


@test(control=NOTHING)
def what_cannot_be_reserved():
    scarcity.terms(wait=400)
    with users.opened(ALICE) as tpm:
        for policy in (control.DEFAULT, control.FAIL, control.CLOSE):
            control.set_policy(tpm, policy)
            with expect.fails_with(errno.EPERM):
                control.reserve(tpm, 1)
        control.set_policy(tpm, control.NEVER)
        for count in (scarcity.NUMBERS + 1, 0xFFFFFFFF):
            with expect.fails_with(errno.EINVAL):
                control.reserve(tpm, count)
        with users.opened(BOB) as other:
            scarcity.take(other)
            began = time.monotonic()
            with expect.fails_with(errno.ETIMEDOUT):
                control.reserve(tpm, 2)
            assert time.monotonic() - began >= 0.4, "it did not wait"
            os.set_blocking(tpm.fd, False)
            with expect.fails_with(errno.EAGAIN):
                control.reserve(tpm, 2)
            expect.equal(control.info(tpm).reserved, 0, "the sessions that are kept")
            # It left the queue.
            waiter, = scarcity.queue(CAROL)
            other.close()
            waiter.handle()
            waiter.close()
        control.reserve(tpm, 2)


@test(control=NOTHING)
def a_reservation_is_interrupted_by_a_signal():
    scarcity.terms()
    with users.opened(BOB) as other, sparing(ALICE) as tpm:
        handles = scarcity.take(other)
        pid = os.fork()
        if pid == 0:
            try:
                control.reserve(tpm, 3)
            finally:
                os._exit(99)
        chip.wait_for("an ioctl that sleeps", lambda: scarcity.sleeps(pid, scarcity.SYS_IOCTL))
        os.kill(pid, 9)
        expect.equal(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), -9, "the end of the process")
        expect.equal(control.info(tpm).reserved, 0, "the sessions that are kept")
        tpm.test_result()
        waiter, = scarcity.queue(CAROL)
        other.flush(handles[0])
        waiter.handle()
        waiter.close()
