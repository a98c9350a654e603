# SPDX-License-Identifier: GPL-2.0
"""Must-show 6: those who wait for a session, in which order they are served, and how a wait ends."""

import contextlib
import errno
import os
import signal
import threading
import time

from harness import chip, expect, module, scarcity, tss, users, wire
from harness.runner import NOTHING, test
from harness.scarcity import Waiter, Writer
from harness.users import ALICE, BOB, CAROL

REFUSED = wire.MANAGER | wire.SESSION_HANDLES


class Taken:
    """All sessions are a user's, who loses none of them, and gives one away at a time."""

    def __init__(self, path=tss.NODE):
        scarcity.terms()
        self.tpm = users.opened(ALICE, path)
        self.held = scarcity.take_all(self.tpm)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.tpm.close()

    def give(self):
        self.tpm.flush(self.held.pop())


@test(control=NOTHING)
def a_session_is_waited_for_until_one_is_flushed():
    with Taken() as taken:
        waiter, = scarcity.queue(BOB)
        expect.equal(expect.events(waiter.tpm), set(), "the events during the wait")
        with expect.fails_with(errno.EAGAIN):
            waiter.tpm.read()
        with expect.fails_with(errno.EBUSY):
            waiter.tpm.write(tss.START)
        taken.give()
        handle = waiter.handle()
        expect.equal(expect.events(waiter.tpm), {"OUT"}, "the events when the answer was read")
        waiter.tpm.flush_queued(handle)
        waiter.close()


@test(control=NOTHING)
def a_session_is_waited_for_until_a_descriptor_is_closed():
    with Taken() as taken:
        waiters = scarcity.queue(BOB, CAROL)
        taken.tpm.close()
        for waiter in waiters:
            waiter.handle()
            waiter.close()


@test(control=NOTHING)
def a_session_is_waited_for_until_a_command_ends_one():
    """The last one that names it: it does not ask for the session to continue."""
    with Taken() as taken:
        taken.give()
        session = taken.tpm.start(wire.HMAC_SESSION)
        waiter, = scarcity.queue(BOB)
        answer = taken.tpm.transact(wire.command(wire.GET_RANDOM, parameters=b"\0\x08", sessions=(session,),
                                                 attributes=wire.AUDIT))
        wire.body_of(wire.GET_RANDOM, answer)
        waiter.handle()
        waiter.close()


@test(control=NOTHING)
def a_reader_waits_for_a_queued_command():
    with Taken() as taken:
        waiter, = scarcity.queue(BOB)
        os.set_blocking(waiter.tpm.fd, True)
        found = []
        thread = threading.Thread(target=lambda: found.append(waiter.tpm.read()))
        thread.start()
        chip.wait_for("a read", lambda: scarcity.sleeps(f"self/task/{thread.native_id}", scarcity.SYS_READ))
        taken.give()
        thread.join()
        tss.started(found[0])
        waiter.close()


@test(control=NOTHING)
def first_come_first_served_within_a_user():
    with Taken() as taken:
        waiters = scarcity.queue(*[BOB] * 6)
        for waiter in waiters:
            taken.give()
            expect.equal(scarcity.next_served(waiters), waiter, "who is served next")
            waiter.handle()
        for waiter in waiters:
            waiter.close()


@test(control=NOTHING)
def users_are_served_in_turn():
    """However many of them wait, and whoever came first."""
    with Taken() as taken:
        bob, carol = scarcity.queue(*[BOB] * 6), scarcity.queue(*[CAROL] * 2)
        for waiter in (bob[0], carol[0], bob[1], carol[1], *bob[2:]):
            taken.give()
            expect.equal(scarcity.next_served(bob + carol), waiter, "who is served next")
            waiter.handle()
        for waiter in bob + carol:
            waiter.close()


@test(control=NOTHING)
def blocking_writers_are_served_in_turn():
    with Taken() as taken:
        writers = []
        for user in (BOB, BOB, CAROL, CAROL):
            writers.append(Writer(user))
            scarcity.settled()
        left = list(writers)
        for number in (0, 2, 1, 3):
            taken.give()
            expect.equal(scarcity.next_served(left), writers[number], "who is served next")
            left.remove(writers[number])
        for writer in writers:
            writer.has_session()


@test(control=NOTHING)
def a_signal_ends_the_wait():
    with Taken() as taken:
        writer = Writer(BOB)
        scarcity.settled()
        writer.kill(signal.SIGUSR1)
        expect.equal(writer.result(), "EINTR", "what comes of the write")
        # The queue goes on without it.
        waiter, = scarcity.queue(BOB)
        taken.give()
        waiter.handle()
        waiter.close()


@test(control=NOTHING)
def a_signal_with_sa_restart_does_not_end_the_wait():
    """Nor does it cost the place."""
    with Taken() as taken:
        writer = Writer(BOB, restart=True)
        scarcity.settled()
        waiter, = scarcity.queue(BOB)
        for _ in range(5):
            writer.kill(signal.SIGUSR1)
            scarcity.settled()
        chip.wait_for("a write that sleeps", lambda: scarcity.sleeps(writer.pid, scarcity.SYS_WRITE))
        taken.give()
        writer.has_session()
        # Its session was flushed when its process ended.
        waiter.handle()
        waiter.close()


@test(control=NOTHING)
def g8_a_killed_process_leaves_the_queue():
    with Taken() as taken:
        writers = [Writer(BOB) for _ in range(3)]
        scarcity.settled()
        waiter, = scarcity.queue(BOB)
        for writer in writers:
            writer.kill()
            expect.equal(writer.end(), -signal.SIGKILL, "the end of the process")
        taken.give()
        waiter.handle()
        waiter.close()


@test(control=NOTHING)
def g8_a_close_leaves_the_queue():
    with Taken() as taken:
        waiters = scarcity.queue(BOB, BOB, CAROL, BOB)
        before = module.references()
        for waiter in waiters[:2]:
            waiter.close()
        expect.equal(module.references(), before - 2, "the references to the module")
        for waiter in waiters[:1:-1]:
            taken.give()
        for waiter in waiters[2:]:
            waiter.handle()
            waiter.close()


@test(control=NOTHING, limit=120)
def nobody_else_waits_for_those_who_wait():
    """Many commands wait, and keep no worker from another one."""
    count = 100
    with Taken() as taken:
        waiters = [Waiter(BOB) for _ in range(count)]
        for _ in range(3):
            scarcity.settled()
        expect.equal([waiter.is_over() for waiter in waiters], [False] * count, "whether the wait is over")
        with tss.Tpm() as tpm:
            tss.Key(tpm, b"key").check()
        taken.give()
        scarcity.next_served(waiters).handle()
        for waiter in waiters:
            waiter.close()


@test(control=NOTHING)
def the_wait_ends_at_its_deadline():
    """With an answer to that client alone."""
    wait = 0.5
    with Taken() as taken:
        patient = scarcity.queue(CAROL)[0]
        module.set_parameter("session_wait_ms", int(wait * 1000))
        began = time.monotonic()
        waiter = Waiter(BOB)
        with expect.answered(REFUSED):
            waiter.handle()
        assert time.monotonic() - began >= wait, "it was refused too early"
        with users.opened(BOB) as tpm:
            began = time.monotonic()
            with expect.answered(REFUSED):
                tpm.start()
            assert time.monotonic() - began >= wait, "it was refused too early"
            tpm.test_result()
        expect.equal(patient.is_over(), False, "whether the wait of another is over")
        taken.give()
        patient.handle()
        patient.close()
        waiter.close()


@test(control=NOTHING)
def a_wait_of_no_time_is_a_refusal_at_once():
    with Taken():
        module.set_parameter("session_wait_ms", 0)
        with users.opened(BOB) as tpm:
            for _ in range(3):
                with expect.answered(REFUSED):
                    tpm.start()


@test(control=NOTHING)
def the_module_stays_while_somebody_waits():
    with Taken() as taken:
        waiter, = scarcity.queue(BOB)
        with expect.fails_with(errno.EAGAIN):
            module.unload()
        writer = Writer(BOB)
        taken.tpm.close()
        waiter.handle()
        waiter.close()
        writer.result()
    expect.equal(module.references(), 0, "the references to the module")
    module.unload()
    module.load(module.file())


@test(control=NOTHING)
def the_wait_ends_when_the_chip_goes():
    with chip.Relay() as relay, Taken(relay.node) as taken:
        waiters = scarcity.queue(BOB, CAROL, path=relay.node)
        writer = Writer(BOB, relay.node)
        scarcity.settled(relay.node)
        relay.unplug()
        expect.equal(writer.result(), "EPIPE", "what comes of the write")
        for waiter in waiters:
            chip.wait_for("the end of a queued command", waiter.is_over)
            with expect.fails_with(errno.EPIPE):
                waiter.tpm.read()
            waiter.close()
        taken.tpm.close()


@test(control=NOTHING)
def a_stopped_process_holds_nobody_up():
    """And it waits at its old place when it goes on."""
    with Taken() as taken:
        writer = Writer(BOB)
        scarcity.settled()
        writer.kill(signal.SIGSTOP)
        chip.wait_for("a stop", lambda: scarcity.state(writer.pid) == "T")
        waiters = scarcity.queue(BOB, BOB)
        taken.give()
        expect.equal(scarcity.next_served(waiters), waiters[0], "who is served while it is stopped")
        waiters[0].handle()
        writer.kill(signal.SIGCONT)
        chip.wait_for("a write that sleeps", lambda: scarcity.sleeps(writer.pid, scarcity.SYS_WRITE))
        scarcity.settled()
        taken.give()
        expect.equal(scarcity.next_served([writer, waiters[1]]), writer, "who is served afterwards")
        writer.has_session()
        waiters[1].handle()
        for waiter in waiters:
            waiter.close()


@test(control=NOTHING)
def many_wait_and_all_are_served():
    """Those who block and those who do not, of several users, while sessions come and go."""
    with contextlib.ExitStack() as stack, Taken() as taken:
        waiters = [Waiter((BOB, CAROL)[number % 2]) for number in range(30)]
        for waiter in waiters:
            stack.callback(waiter.close)
        writers = [Writer((BOB, CAROL)[number % 2]) for number in range(10)]
        for _ in range(40):
            taken.give()
        for waiter in waiters:
            waiter.handle()
        for writer in writers:
            writer.has_session()
