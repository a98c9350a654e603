# SPDX-License-Identifier: GPL-2.0
"""Who loses a session is told, and refused by name: neither the TPM nor anything else notices.

The session is lost because another user needs one and all numbers are taken.
"""

import contextlib
import select
import struct
import threading
import time

from harness import chip, control, expect, module, scarcity, tss, users, wire
from harness.runner import NOTHING, test
from harness.users import ALICE, BOB, CAROL

H0 = wire.MANAGER | wire.REFERENCE_H0
S0 = wire.MANAGER | wire.REFERENCE_S0
HMAC = wire.sized(b"data") + struct.pack(">H", wire.SHA256)


class Scene:
    """A victim with all the sessions that there are, and another user who takes some of them."""

    def __init__(self, path=tss.NODE, policy=control.DEFAULT):
        self.path = path
        module.set_parameter("session_lease_ms", scarcity.SHORT)
        self.victim = users.opened(ALICE, path)
        control.set_policy(self.victim, policy)
        self.kept = scarcity.take(self.victim)
        self.other = users.opened(BOB, path)
        self.others = []
        self.relay = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.other.close()
        self.victim.close()

    def lose(self):
        """The victim loses the session that it has not used for longest. Returns its handle."""
        self.others.append(self.other.start())
        return self.kept.pop(0)

    def flush_others(self):
        while self.others:
            self.other.flush(self.others.pop())


@contextlib.contextmanager
def recorded():
    """A scene on a chip of which it is known which commands arrive there."""
    with chip.Relay() as relay, Scene(relay.node) as scene:
        scene.relay = relay
        yield scene


@contextlib.contextmanager
def unseen(relay):
    """No command in the body reaches the TPM."""
    before = len(relay.seen)
    yield
    expect.equal([command.hex() for command in relay.seen[before:]], [], "the commands that came to the TPM")


@test(control=NOTHING)
def g6_a_lost_session_is_refused_by_name():
    """Must-show 2, wherever the session is named."""
    with recorded() as scene:
        key = tss.Key(scene.victim, b"key")
        lost = scene.lose()
        # Somebody else has the number now: it is no wonder that the TPM must not see it.
        expect.equal(scene.others, [lost], "the sessions of the other")
        victim = scene.victim
        policy_secret = wire.sized(b"") * 3 + struct.pack(">I", 0)
        for _ in range(2):
            with unseen(scene.relay):
                with expect.answered(H0):
                    victim.call(wire.POLICY_GET_DIGEST, (lost,))
                with expect.answered(H0):
                    victim.save(lost)
                with expect.answered(H0 + 1):
                    victim.call(wire.POLICY_SECRET, (wire.OWNER, lost), policy_secret, (wire.PASSWORD,))
                with expect.answered(S0):
                    victim.call(wire.HMAC, (key.handle,), HMAC, (lost,))
                with expect.answered(S0 + 1):
                    victim.call(wire.HMAC, (key.handle,), HMAC, (wire.PASSWORD, lost))
                with expect.answered(S0 + 2):
                    victim.call(wire.HMAC, (key.handle,), HMAC, (wire.PASSWORD, scene.kept[0], lost))
        key.check()
        for handle in scene.kept[:3]:
            victim.call(wire.POLICY_GET_DIGEST, (handle,))
        scene.other.call(wire.POLICY_GET_DIGEST, (lost,))


@test(control=NOTHING)
def g6_a_lost_session_counts_no_failed_authorization():
    """Must-show 2: though the object is protected against guessing, and another session would be counted."""
    with recorded() as scene:
        key = tss.Key(scene.victim, b"key")
        lost = scene.lose()
        before = scene.victim.property(wire.LOCKOUT_COUNTER)
        for _ in range(5):
            with expect.answered(S0):
                scene.victim.call(wire.HMAC, (key.handle,), HMAC, (lost,))
        expect.equal(scene.victim.property(wire.LOCKOUT_COUNTER), before, "the count of failed authorizations")
        # One that does fail is counted.
        answer = scene.victim.transact(wire.command(wire.HMAC, (key.handle,), HMAC, (wire.PASSWORD,),
                                                    password=b"wrong"))
        assert wire.code_of(answer) != 0, "a wrong password was good"
        expect.equal(scene.victim.property(wire.LOCKOUT_COUNTER), before + 1, "the count of failed authorizations")
        scene.victim.call(wire.DICTIONARY_ATTACK_LOCK_RESET, (wire.LOCKOUT,), sessions=(wire.PASSWORD,))
        expect.equal(scene.victim.property(wire.LOCKOUT_COUNTER), 0, "the count of failed authorizations")


@test(control=NOTHING)
def a_loss_is_told_by_poll():
    """Must-show 2: at once, and until the victim has asked what it lost, or flushed it."""
    with Scene() as scene:
        expect.equal(expect.events(scene.victim), {"OUT"}, "the events before")
        found = []
        thread = threading.Thread(target=lambda: found.append(expect.polled(scene.victim, select.POLLPRI, None)))
        thread.start()
        chip.wait_for("a poll()", lambda: expect.in_poll(thread))
        first = scene.lose()
        thread.join()
        expect.equal(found, [{"PRI"}], "what woke the poller")
        for _ in range(2):
            expect.equal(expect.events(scene.victim), {"OUT", "PRI"}, "the events after the loss")
        expect.equal(control.lost(scene.victim), [first], "the lost sessions")
        expect.equal(expect.events(scene.victim), {"OUT"}, "the events after they were listed")
        second = scene.lose()
        expect.equal(expect.events(scene.victim), {"OUT", "PRI"}, "the events after another loss")
        scene.victim.flush(first)
        expect.equal(expect.events(scene.victim), {"OUT", "PRI"}, "the events with one lost session left")
        scene.victim.flush(second)
        expect.equal(expect.events(scene.victim), {"OUT"}, "the events after all were flushed")
        expect.equal(expect.events(scene.other), {"OUT"}, "the events of the other")


@test(control=NOTHING)
def epoll_tells_of_each_loss():
    with Scene() as scene, select.epoll() as poll:
        poll.register(scene.victim.fd, select.EPOLLPRI | select.EPOLLET)
        for _ in range(3):
            expect.equal(poll.poll(0), [], "the events before the loss")
            scene.lose()
            expect.equal(poll.poll(20), [(scene.victim.fd, select.EPOLLPRI)], "the events after it")


@test(control=NOTHING)
def a_loss_is_told_beside_an_unread_answer():
    with Scene() as scene:
        scene.victim.write(wire.command(wire.GET_TEST_RESULT))
        scene.lose()
        expect.equal(expect.events(scene.victim), {"IN", "PRI"}, "the events")
        wire.body_of(wire.GET_TEST_RESULT, scene.victim.read())


@test(control=NOTHING)
def lost_sessions_are_listed_until_they_are_flushed():
    with Scene() as scene:
        lost = [scene.lose() for _ in range(3)]
        expect.equal(control.info(scene.victim).lost, 3, "the number of lost sessions")
        expect.equal(control.lost(scene.victim), lost, "the lost sessions")
        for first in range(5):
            expect.equal(control.lost_from(scene.victim, first), (3, lost[first:]), f"what is listed from {first} on")
        scene.victim.flush(lost.pop(1))
        expect.equal(control.lost(scene.victim), lost, "the lost sessions")
        expect.equal(control.lost(scene.other), [], "the lost sessions of the other")
        for handle in lost:
            scene.victim.flush(handle)
        expect.equal(control.info(scene.victim).lost, 0, "the number of lost sessions")


@test(control=NOTHING)
def more_sessions_are_lost_than_one_list_has_room_for():
    """By as many users as there are numbers, of whom each wants one."""
    with Scene() as scene, contextlib.ExitStack() as stack:
        handles = list(scene.kept)
        for number in range(scarcity.FOR_USERS - 1):
            stack.enter_context(users.opened(2000 + number, scene.path)).start()
        expect.equal(control.lost(scene.victim), handles[:-1], "the lost sessions")
        total, listed = control.lost_from(scene.victim, 0)
        expect.equal((total, listed), (len(handles) - 1, handles[:control.LISTED]), "what is listed at once")


@test(control=NOTHING)
def g6_flushing_a_lost_session_needs_no_tpm():
    with recorded() as scene:
        lost = scene.lose()
        with unseen(scene.relay):
            scene.victim.flush(lost)
            # From now on it is a number as any other that the victim does not have.
            with expect.answered(H0):
                scene.victim.flush(lost)
            with expect.answered(H0):
                scene.victim.call(wire.POLICY_GET_DIGEST, (lost,))
        scene.other.call(wire.POLICY_GET_DIGEST, (lost,))


def audit(tpm, session):
    """A use of an HMAC session that has no secret."""
    command = wire.command(wire.GET_RANDOM, parameters=b"\0\x08", sessions=(session,),
                           attributes=wire.AUDIT | wire.CONTINUE_SESSION)
    wire.body_of(wire.GET_RANDOM, tpm.transact(command))


@test(control=NOTHING)
def g5_the_first_number_never_means_something_else():
    """Must-show 3, as the thread has it: an application has 02000000, loses it, and starts sessions again."""
    with chip.Relay() as relay, users.opened(ALICE, relay.node) as app, users.opened(BOB, relay.node) as other:
        scarcity.terms(lease=scarcity.SHORT)
        held = [app.start(wire.HMAC_SESSION) for _ in range(scarcity.FOR_USERS)]
        lost = held.pop(0)
        expect.equal(lost, 0x02000000, "the application's first session")
        audit(app, lost)
        for handle in held:
            audit(app, handle)
        # Others use and free the number.
        expect.equal(other.start(wire.HMAC_SESSION), lost, "the other's session")
        audit(other, lost)
        other.flush(lost)
        # The TPM gives it to the application as well, which is not shown it.
        started = relay.count(wire.START_AUTH_SESSION)
        new = app.start(wire.HMAC_SESSION)
        expect.equal(relay.count(wire.START_AUTH_SESSION) - started, 2, "how often a session was started")
        assert new not in (lost, *held), f"{new:#x} is given to the application again"
        audit(app, new)
        # Nor is it shown the same number as that of a session of another kind.
        app.flush(held.pop())
        policy = app.start()
        assert policy & 0xFFFFFF not in {handle & 0xFFFFFF for handle in (lost, new, *held)}, f"{policy:#x} is given"
        with unseen(relay):
            for _ in range(2):
                with expect.answered(H0):
                    app.save(lost)
                with expect.answered(S0):
                    audit(app, lost)
            app.flush(lost)
        # Now the application knows, and the number is good for another session.
        app.flush(new)
        again = app.start(wire.HMAC_SESSION)
        expect.equal(again, lost, "the next session")
        for handle in (again, *held):
            audit(app, handle)


@test(control=NOTHING)
def g1_more_lost_numbers_than_the_tpm_loads():
    """All of them are free, and none may be given to the victim: it gets another one all the same."""
    with Scene() as scene:
        lost = [scene.lose() for _ in range(10)]
        scene.flush_others()
        for number in range(5):
            session = tss.Session(scene.victim, number)
            assert session.handle not in lost + scene.kept, f"{session.handle:#x} is given again"
            session.check()
            session.flush()
        expect.equal(control.lost(scene.victim), lost, "the lost sessions")


@test(control=NOTHING)
def detached_sessions_are_lost_first():
    """Nobody has them open; the victim's live ones stay, though they are older."""
    with Scene() as scene:
        scene.victim.save(scene.kept.pop())
        # It is the youngest of all: only when its lease is over can it be taken.
        time.sleep(scarcity.SHORT / 1000)
        scene.other.start()
        expect.equal(control.info(scene.victim).lost, 0, "the number of lost sessions")
        for handle in scene.kept:
            scene.victim.call(wire.POLICY_GET_DIGEST, (handle,))


@test(control=NOTHING)
def the_least_recently_used_session_is_lost():
    with Scene() as scene:
        for handle in scene.kept[:5]:
            scene.victim.call(wire.POLICY_GET_DIGEST, (handle,))
        # Until it may be any of them.
        time.sleep(scarcity.SHORT / 1000)
        scene.other.start()
        expect.equal(control.lost(scene.victim), [scene.kept[5]], "the lost sessions")


@test(control=NOTHING)
def the_largest_space_of_the_largest_user_loses():
    with users.opened(ALICE) as small, users.opened(BOB) as bystander, users.opened(ALICE) as large, \
            users.opened(CAROL) as other:
        few = scarcity.take(small, 5) + scarcity.take(bystander, 20)
        handles = scarcity.take(large, scarcity.FOR_USERS - len(few))
        module.set_parameter("session_lease_ms", scarcity.SHORT)
        # Until it may be any of them.
        time.sleep(scarcity.SHORT / 1000)
        other.start()
        expect.equal([control.lost(tpm) for tpm in (large, small, bystander)], [handles[:1], [], []],
                     "the lost sessions of the largest and of others")
