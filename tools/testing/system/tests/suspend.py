# SPDX-License-Identifier: GPL-2.0
"""The machine sleeps, its TPM loses its power, and no client notices."""

import contextlib
import os
import signal
import struct

from harness import chip, expect, foreign, ima, module, scarcity, sleep, tss, users, wire
from harness.counters import counters
from harness.runner import NOTHING, note, test
from harness.users import ALICE, BOB, CAROL
from harness.workers import apart, is_over, workers

ROUNDS = int(os.environ.get("TPMRM_ROUNDS", "3"))
CLIENTS = 2
QUEUED = 12
LATECOMER = "latecomer"
# Its stages, by their numbers.
STAGES = ("while it falls asleep", "while the TPM sleeps", "before the TPM is awake", "while it wakes up")


def empty(raw, when):
    for first in (wire.FIRST_TRANSIENT, wire.FIRST_LOADED_SESSION):
        expect.equal(raw.handles(first), [], f"what the raw node sees {when}")


def visitor(board, number):
    """A program that opens, uses and closes the node again and again."""
    def work(stop):
        while not is_over(stop):
            phase = board.phase()
            board.enter(number, phase)
            with tss.Tpm() as tpm:
                (tss.Key(tpm, b"key") if phase == foreign.NO_SESSIONS else tss.Session(tpm, 1)).check()
            board.done(number, 2)
    return work


def kernel(board, number):
    """The kernel at full speed: it reads and extends PCRs."""
    def work(stop):
        others = foreign.Foreigner(None, board)
        while not is_over(stop):
            board.enter(number, board.phase())
            others.read_pcr()
            others.extend_pcr()
            board.done(number, 2)
    return work


@test(control=NOTHING, limit=120 + 20 * ROUNDS)
def g1_g9_clients_the_kernel_and_the_raw_node_work_as_if_nobody_slept():
    """Clients hold keys, sessions and sequences, and never stop."""
    sleep.need()
    ima.start()
    board = foreign.Board(CLIENTS + 2)
    before = counters()
    programs = [foreign.client(board, number) for number in range(CLIENTS)]
    with workers(*programs, visitor(board, CLIENTS), kernel(board, CLIENTS + 1)), tss.Tpm(tss.RAW) as raw:
        others = foreign.Foreigner(raw, board)
        for number in range(ROUNDS):
            others.round(5 * number)
            done = board.commands()
            sleep.suspend()
            empty(raw, f"after sleep {number + 1}")
            others.round(5 * number)
            expect.equal([now > then for now, then in zip(board.commands(), done)], [True] * (CLIENTS + 2),
                         "whether they go on")
    expect.equal(ima.found().hex(), ima.wanted().hex(), "the PCR that the kernel extended")
    after = counters()
    *clients, kernels = board.commands()
    note(f"{ROUNDS} sleeps among {sum(clients)} commands of clients, {kernels} of the kernel and {others.total()} of "
         f"the raw node and the kernel in turn; {after['loads'] - before['loads']} contexts were loaded again")


@test(control=NOTHING)
def g9_what_stays_is_taken_out_before_the_machine_sleeps_and_stays_again_afterwards():
    sleep.need()
    module.set_parameter("idle_ms", 600000)
    with tss.Tpm() as tpm:
        things = [tss.Key(tpm, b"key"), tss.Session(tpm, 1)]
        for number in range(ROUNDS):
            before = counters()
            for thing in things * 2:
                thing.check()
            expect.equal(counters()["rests"] - before["rests"], 0, "how often what stays had to leave")
            sleep.suspend()
            after = counters()
            expect.equal(after["rests"] - before["rests"], 1, f"the same after sleep {number + 1}")
            for thing in things * 2:
                thing.check()
            expect.equal(counters()["loads"] - after["loads"], 2, "the contexts that were loaded again")


@test()
def g1_what_a_client_holds_survives():
    """Objects, sessions and a sequence, in the TPM and as contexts in the client's hand."""
    sleep.need()
    with tss.Tpm() as tpm:
        keys = [tss.Key(tpm, b"key %d" % number) for number in range(2)]
        sessions = [tss.Session(tpm, number) for number in range(3)]
        sequence = tss.Hash(tpm)
        object_context, session_context = tpm.save(keys[0].handle), tpm.save(sessions[0].handle)
        for _ in range(ROUNDS):
            sequence.update(b"before")
            sleep.suspend()
            sequence.update(b"after")
            for thing in keys + sessions[1:]:
                thing.check()
        expect.equal(tpm.load(session_context), sessions[0].handle, "the session that was saved")
        keys[0].flush()
        keys[0].handle = tpm.load(object_context)
        for thing in keys + sessions:
            thing.check()
        sequence.complete()


@test(control=NOTHING, limit=120)
def g2_queued_commands_are_answered_after_the_machine_slept():
    """Each takes long enough for the machine to be asleep before all of them are executed."""
    sleep.need()
    tpms = [tss.Tpm(flags=os.O_NONBLOCK) for _ in range(QUEUED)]
    for tpm in tpms:
        tpm.write(tss.create_primary(wire.RSA))
    sleep.suspend()
    left = sum("IN" not in expect.events(tpm) for tpm in tpms)
    note(f"{left} of {QUEUED} queued commands were left for when the machine was awake")
    assert left, "nothing was left to do"
    for tpm in tpms:
        expect.equal(expect.awaited(tpm), {"IN"}, "the events in the end")
        tpm.flush_queued(struct.unpack_from(">I", wire.body_of(wire.CREATE_PRIMARY, tpm.read()))[0])
        tpm.close()


@test(control=NOTHING, limit=120)
def g7_who_waits_for_a_session_waits_on():
    """And is served in the old order."""
    sleep.need()
    scarcity.terms()
    with users.opened(ALICE) as tpm:
        held = scarcity.take_all(tpm)
        first, = scarcity.queue(BOB)
        writer = scarcity.Writer(CAROL)
        scarcity.settled()
        second, = scarcity.queue(BOB)
        sleep.suspend()
        scarcity.settled()
        expect.equal([waiter.is_over() for waiter in (first, writer, second)], [False] * 3, "whether the wait is over")
        for handle in held:
            tpm.call(wire.POLICY_GET_DIGEST, (handle,))
        tpm.flush(held[0])
        expect.equal(scarcity.next_served([first, writer, second]), first, "who is served first")
        tpm.flush(held[1])
        expect.equal(scarcity.next_served([writer, second]), writer, "who is served next")
        tpm.flush(held[2])
        second.handle()
        writer.has_session()
        for waiter in (first, second):
            waiter.close()


@contextlib.contextmanager
def latecomer():
    """A module that holds descriptors, and closes them at a stage of the next sleep."""
    module.load(module.companion(LATECOMER))
    try:
        yield
    finally:
        module.unload(LATECOMER)


def setting(name):
    return f"/sys/module/{LATECOMER}/parameters/{name}"


def leave(tpm):
    """Closes a descriptor, of which the module has the last reference."""
    with open(setting("hold"), "w") as file:
        file.write(str(tpm.fd))
    tpm.close()


def closed():
    with open(setting("closed")) as file:
        return int(file.read())


def left():
    """How many objects, loaded and saved sessions the TPM has."""
    with tss.Tpm(tss.RAW) as raw:
        return [len(handles) for handles in tss.left_behind(raw).values()]


@test(control=NOTHING, limit=300)
def g3_g8_a_close_at_any_stage_of_the_sleep_leaves_nothing():
    """Also one after which nobody opens the node, and one with a command that was never executed."""
    sleep.need()
    with tss.Tpm() as other, latecomer():
        stays = [tss.Key(other, b"stays"), tss.Session(other, 9)]
        for stage, when in enumerate(STAGES):
            with open(setting("stage"), "w") as file:
                file.write(str(stage))
            busy = [tss.Tpm(flags=os.O_NONBLOCK) for _ in range(QUEUED)]
            holder = tss.Tpm()
            things = [tss.Key(holder, b"key"), tss.Session(holder, 1), tss.Session(holder, 2), tss.Hash(holder)]
            things[1].check()
            for tpm in busy:
                tpm.write(tss.create_primary(wire.RSA))
            before = closed()
            for tpm in (holder, *busy):
                leave(tpm)
            sleep.suspend()
            expect.equal(closed() - before, 1 + QUEUED, f"how many descriptors were closed {when}")
            # What could not be flushed is flushed a second later, by nobody's command.
            chip.wait_for(f"an end to what is left after a close {when}", lambda: left() == [0, 0, 1])
            with tss.Tpm(flags=os.O_NONBLOCK) as tpm:
                tpm.write(wire.command(wire.GET_RANDOM, parameters=struct.pack(">H", 8)))
                expect.equal(expect.awaited(tpm), {"IN"}, "the events after a queued command")
            for thing in stays:
                thing.check()
        for thing in stays:
            thing.flush()


@test(control=NOTHING)
def g8_who_dies_while_the_machine_falls_asleep_leaves_nothing():
    """Their descriptors are closed before, during or after the sleep."""
    sleep.need()
    for _ in range(ROUNDS):
        pids = [apart(hold) for _ in range(5)]
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        sleep.suspend()
        for pid in pids:
            os.waitpid(pid, 0)
        with tss.Tpm(tss.RAW) as raw:
            expect.equal(sum(map(len, tss.left_behind(raw).values())), 0, "what is left in the TPM")


def hold(ready):
    """A process that holds things and works until it is killed."""
    with tss.Tpm() as tpm:
        things = [tss.Key(tpm, b"key"), tss.Session(tpm, 1), tss.Key(tpm, b"another")]
        ready()
        while True:
            for thing in things:
                thing.check()
