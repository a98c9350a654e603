# SPDX-License-Identifier: GPL-2.0
"""What waits for a TPM at work, and what does not: on a chip that works for as long as the test wants."""

import errno
import os
import select
import signal
import struct
import threading
import time

from harness import chip, expect, module, tss, wire
from harness.runner import FAILS, NOTHING, note, test

HARMLESS = wire.command(wire.GET_TEST_RESULT)


def busy(relay):
    """A thread whose command keeps the chip at work, and its descriptor."""
    tpm = relay.open()
    thread = threading.Thread(target=tpm.test_result, daemon=True)
    thread.start()
    relay.wait_until_held()
    return tpm, thread


@test(control=FAILS)
def poll_and_reads_of_a_queued_command_do_not_wait():
    with chip.Relay() as relay, relay.open(os.O_NONBLOCK) as tpm:
        with relay.holding():
            tpm.write(HARMLESS)
            relay.wait_until_held()
            expect.equal(expect.events(tpm), set(), "the events while the TPM works")
            with expect.fails_with(errno.EAGAIN):
                tpm.read()
            with expect.fails_with(errno.EBUSY):
                tpm.write(HARMLESS)
        expect.equal(expect.awaited(tpm), {"IN"}, "the events in the end")
        wire.body_of(wire.GET_TEST_RESULT, tpm.read())


@test()
def poll_waits_until_the_answer_is_there():
    with chip.Relay() as relay, relay.open(os.O_NONBLOCK) as tpm:
        found = []
        with relay.holding():
            tpm.write(HARMLESS)
            relay.wait_until_held()
            thread = threading.Thread(target=lambda: found.append(expect.awaited(tpm)))
            thread.start()
            chip.wait_for("a poll()", lambda: expect.in_poll(thread))
        thread.join()
        expect.equal(found, [{"IN"}], "what woke the poller")
        wire.body_of(wire.GET_TEST_RESULT, tpm.read())


@test()
def epoll_tells_of_each_answer_once():
    with chip.Relay() as relay, relay.open(os.O_NONBLOCK) as tpm, select.epoll() as poll:
        poll.register(tpm.fd, select.EPOLLIN | select.EPOLLET)
        for _ in range(3):
            expect.equal(poll.poll(0), [], "the events before the command")
            tpm.write(HARMLESS)
            expect.equal(poll.poll(), [(tpm.fd, select.EPOLLIN)], "the events in the end")
            wire.body_of(wire.GET_TEST_RESULT, tpm.read())


@test(control=FAILS)
def other_descriptors_do_not_wait_for_a_command():
    with chip.Relay() as relay, relay.open() as other, relay.open(os.O_NONBLOCK) as queued:
        with relay.holding():
            tpm, thread = busy(relay)
            expect.equal(expect.events(other), {"OUT"}, "the events of an idle descriptor")
            expect.equal(other.read(), b"", "its read")
            queued.write(HARMLESS)
            expect.equal(expect.events(queued), set(), "the events of a queued command")
            with expect.fails_with(errno.EAGAIN):
                queued.read()
            # Opening and closing one that was never used.
            relay.open().close()
        thread.join()
        expect.equal(expect.awaited(queued), {"IN"}, "the events in the end")
        queued.read()
        tpm.close()


@test(control=FAILS)
def a_shared_descriptor_does_not_wait_where_it_must_not():
    """Another thread's command is at work on the very descriptor."""
    with chip.Relay() as relay:
        with relay.holding():
            tpm, thread = busy(relay)
            expect.equal(expect.events(tpm), set(), "the events while the TPM works")
            with expect.fails_with(errno.EBUSY):
                tpm.write(HARMLESS)
            # The blocking write goes on as it was.
            os.set_blocking(tpm.fd, False)
            with expect.fails_with(errno.EAGAIN):
                tpm.read()
            os.set_blocking(tpm.fd, True)
        thread.join()
        tpm.close()


@test(control=FAILS)
def a_signal_ends_a_write_that_waits_for_its_turn():
    with chip.Relay() as relay:
        with relay.holding():
            tpm, thread = busy(relay)
            before = len(relay.seen)
            with interrupted_write(relay, HARMLESS) as child:
                expect.equal(child(), errno.EINTR, "the error of the write")
        thread.join()
        tpm.close()
        # Nothing came of the interrupted command: it was never sent.
        expect.equal([wire.code_of(seen) for seen in relay.seen[before:] if wire.code_of(seen) == wire.GET_TEST_RESULT],
                     [], "the commands that came")


class interrupted_write:  # pylint: disable=invalid-name
    """A process that writes a command, and is sent a signal once it waits."""

    def __init__(self, relay, command):
        reader, writer = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            status = 99
            try:
                status = self.write(relay, command, writer)
            finally:
                os._exit(status)
        os.close(writer)
        os.read(reader, 1)
        os.close(reader)

    @staticmethod
    def write(relay, command, writer):
        # A handler that raises: otherwise Python would write again.
        signal.signal(signal.SIGUSR1, interrupt)
        with relay.open() as tpm:
            try:
                os.write(writer, b"x")
                tpm.write(command)
            except InterruptedError:
                return errno.EINTR
        return 0

    def __enter__(self):
        return self.result

    def result(self):
        chip.wait_for("the write", lambda: state(self.pid) in "SD")
        # One signal may come before the write began.
        while True:
            os.kill(self.pid, signal.SIGUSR1)
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                return os.waitstatus_to_exitcode(status)
            select.select([], [], [], 0.05)

    def __exit__(self, *_):
        try:
            os.kill(self.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass


def interrupt(*_):
    raise InterruptedError


def state(pid):
    with open(f"/proc/{pid}/stat") as file:
        return file.read().rpartition(")")[2].split()[0]


@test(control=NOTHING)
def a_signal_ends_a_read_of_a_queued_command():
    with chip.Relay() as relay, relay.open(os.O_NONBLOCK) as tpm:
        signal.signal(signal.SIGALRM, interrupt)
        with relay.holding():
            tpm.write(HARMLESS)
            relay.wait_until_held()
            os.set_blocking(tpm.fd, True)
            signal.setitimer(signal.ITIMER_REAL, 0.2, 0.2)
            try:
                tpm.read()
                raise AssertionError("a signal did not end the read")
            except InterruptedError:
                pass
            signal.setitimer(signal.ITIMER_REAL, 0)
        # The command goes on, and its answer is not lost.
        wire.body_of(wire.GET_TEST_RESULT, tpm.read())


@test(control=NOTHING)
def g8_a_killed_process_does_not_wait_for_its_turn():
    with chip.Relay() as relay:
        with relay.holding():
            tpm, thread = busy(relay)
            child = os.fork()
            if child == 0:
                relay.open().test_result()
                os._exit(0)
            chip.wait_for("the write", lambda: state(child) in "SD")
            os.kill(child, signal.SIGKILL)
            expect.equal(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), -signal.SIGKILL, "the child's end")
        thread.join()
        tpm.close()
        expect.equal(relay.count(wire.GET_TEST_RESULT), 1, "the number of commands that came")


@test(control=NOTHING)
def a_close_takes_back_a_queued_command():
    with chip.Relay() as relay, relay.open(os.O_NONBLOCK) as first:
        with relay.holding():
            first.write(HARMLESS)
            relay.wait_until_held()
            second = relay.open(os.O_NONBLOCK)
            second.write(HARMLESS)
            second.close()
        expect.equal(expect.awaited(first), {"IN"}, "the events in the end")
        first.read()
        tss.Key(relay.open(), b"key").check()
        expect.equal(relay.count(wire.GET_TEST_RESULT), 1, "the number of commands that came")


@test(control=NOTHING)
def a_close_takes_back_a_command_that_waits_for_its_turn():
    """The worker has the command already, and waits for a descriptor that blocks."""
    with chip.Relay() as relay:
        with relay.holding():
            first, thread = busy(relay)
            second = relay.open(os.O_NONBLOCK)
            second.write(HARMLESS)
            # Long enough for the worker to take it; if it was not, this is the test before.
            time.sleep(0.5)
            closing = threading.Thread(target=second.close)
            closing.start()
            time.sleep(0.5)
        closing.join()
        thread.join()
        first.close()
        expect.equal(relay.count(wire.GET_TEST_RESULT), 1, "the number of commands that came")


@test(control=NOTHING)
def g8_a_close_during_a_command_waits_for_its_end():
    """The last descriptor is closed while a worker executes its command, which makes an object."""
    with chip.Relay() as relay:
        tpm = relay.open(os.O_NONBLOCK)
        with relay.holding(wire.CREATE_PRIMARY):
            tpm.write(tss.create_primary(wire.ECC))
            relay.wait_until_held()
            thread = threading.Thread(target=tpm.close)
            thread.start()
        thread.join()
        expect.equal(sum(map(len, tss.left_behind(relay.raw).values())), 0, "what is left in the TPM")


@test(control=NOTHING)
def g2_a_queue_of_descriptors_is_answered_in_full():
    count = 40
    with chip.Relay() as relay:
        tpms = [relay.open(os.O_NONBLOCK) for _ in range(count)]
        with relay.holding():
            for tpm in tpms:
                tpm.write(HARMLESS)
            relay.wait_until_held()
            expect.equal([expect.events(tpm) for tpm in tpms], [set()] * count, "the events while the TPM works")
        for tpm in tpms:
            expect.equal(expect.awaited(tpm), {"IN"}, "the events in the end")
            wire.body_of(wire.GET_TEST_RESULT, tpm.read())
            tpm.close()
        expect.equal(relay.count(wire.GET_TEST_RESULT), count, "the number of commands that came")


@test(control=FAILS)
def g1_a_full_tpm_is_answered_by_making_room():
    """The TPM says that it is full although it holds nothing of this manager's, and then no more."""
    with chip.Relay() as relay, relay.open() as tpm:
        for code, rc in ((wire.LOAD_EXTERNAL, wire.OBJECT_MEMORY), (wire.START_AUTH_SESSION, wire.SESSION_MEMORY)):
            key = tss.Key(tpm, b"key")
            before = relay.count(code)
            relay.answer(code, wire.response(rc))
            made = tss.Key(tpm, b"another") if code == wire.LOAD_EXTERNAL else tss.Session(tpm)
            expect.equal(relay.count(code) - before, 2, "how often the command was sent")
            made.check()
            key.check()


@test(limit=120)
def poll_of_a_queued_rsa_key():
    """Must-show 7, on the machine's TPM: the answer comes later than the write, and poll() tells when."""
    seen, rounds = 0, 5
    with tss.Tpm(flags=os.O_NONBLOCK) as tpm:
        for _ in range(rounds):
            tpm.write(tss.create_primary(wire.RSA))
            seen += "IN" not in expect.events(tpm)
            expect.equal(expect.awaited(tpm), {"IN"}, "the events in the end")
            body = wire.body_of(wire.CREATE_PRIMARY, tpm.read())
            tpm.flush_queued(struct.unpack_from(">I", body)[0])
    note(f"poll() saw {seen} of {rounds} key generations under way")
    if module.is_loaded():
        assert seen, "poll() never returned before the answer was there"
