# SPDX-License-Identifier: GPL-2.0
"""The node as a character device: one command per write, and what is refused."""

import ctypes
import errno
import os
import struct
import threading

from harness import expect, tss, wire
from harness.runner import FAILS, passes_since, test

RANDOM = wire.command(wire.GET_RANDOM, parameters=struct.pack(">H", 32))
ANSWER = wire.HEADER.size + 2 + 32
libc = ctypes.CDLL(None, use_errno=True)


def with_size(size, length):
    """A command of some length whose header says another one."""
    whole = wire.HEADER.pack(wire.NO_SESSIONS, size, wire.GET_RANDOM) + struct.pack(">H", 32) + bytes(4096)
    return whole[:length]


def finished(tpm):
    """The descriptor has nothing to read and takes commands."""
    expect.equal(tpm.read(), b"", "what there is to read")
    expect.equal(len(tpm.transact(RANDOM)), ANSWER, "the length of a response")


@test()
def write_returns_the_bytes_written():
    with tss.Tpm() as tpm:
        expect.equal(tpm.write(RANDOM), len(RANDOM), "the result of the write")
        expect.equal(len(tpm.read()), ANSWER, "the length of the response")
        finished(tpm)


@test()
def busy_while_a_response_is_unread():
    with tss.Tpm() as tpm:
        tpm.write(RANDOM)
        for _ in range(2):
            with expect.fails_with(errno.EBUSY):
                tpm.write(RANDOM)
        expect.equal(len(tpm.read()), ANSWER, "the length of the response")
        finished(tpm)


@test()
def too_big_over_4096_bytes():
    with tss.Tpm() as tpm:
        for length in (4097, 5000, 65536):
            with expect.fails_with(errno.E2BIG):
                tpm.write(with_size(length, length))
        expect.equal(tpm.write(with_size(12, 4096)), 4096, "the result of the longest write")
        expect.equal(len(tpm.read()), ANSWER, "the length of the response")
        finished(tpm)


@test()
def invalid_shorter_than_the_size_field():
    with tss.Tpm() as tpm:
        for length in range(6):
            with expect.fails_with(errno.EINVAL):
                tpm.write(RANDOM[:length])
        finished(tpm)


@test(control=FAILS)
def invalid_shorter_than_the_header():
    with tss.Tpm() as tpm:
        for length in range(6, 10):
            # The rest of a whole header is there from before.
            tpm.transact(RANDOM)
            with expect.fails_with(errno.EINVAL):
                tpm.write(with_size(length, length))
        finished(tpm)


@test()
def invalid_shorter_than_its_own_size():
    with tss.Tpm() as tpm:
        for length in (10, 11):
            tpm.transact(RANDOM)
            with expect.fails_with(errno.EINVAL):
                tpm.write(RANDOM[:length])
        with expect.fails_with(errno.EINVAL):
            tpm.write(with_size(0xFFFFFFFF, 12))
        finished(tpm)


@test(control=FAILS)
def invalid_size_less_than_a_header():
    with tss.Tpm() as tpm:
        for size in range(10):
            with expect.fails_with(errno.EINVAL):
                tpm.write(with_size(size, 12))
        finished(tpm)


@test()
def bytes_after_the_command_are_ignored():
    with tss.Tpm() as tpm:
        expect.equal(tpm.write(RANDOM + b"\xff" * 100), len(RANDOM) + 100, "the result of the write")
        expect.equal(len(tpm.read()), ANSWER, "the length of the response")
        finished(tpm)


@test()
def bytes_after_the_command_are_no_handles():
    with tss.Tpm() as tpm:
        key = tss.Key(tpm, b"key")
        short = wire.command(wire.READ_PUBLIC)
        try:
            answer = tpm.transact(short + struct.pack(">I", key.handle))
        except OSError as error:
            expect.equal(error.errno, errno.EINVAL, "the error")
        else:
            assert wire.code_of(answer) != 0, "a command without its handle was executed"
        key.check()


@test()
def partial_reads_give_the_response_in_order():
    with tss.Tpm() as tpm:
        tpm.write(wire.command(wire.GET_CAPABILITY, parameters=struct.pack(">III", wire.PROPERTIES, 0x100, 3)))
        parts = []
        while part := tpm.read(7):
            parts.append(part)
        whole = b"".join(parts)
        expect.equal({len(part) for part in parts[:-1]}, {7}, "the lengths of the parts")
        expect.equal(wire.HEADER.unpack_from(whole)[1], len(whole), "the length of the response")
        expect.equal(struct.unpack_from(">II", whole, 11), (wire.PROPERTIES, 3), "what was answered")
        finished(tpm)


@test()
def a_write_after_a_partial_read_drops_the_rest():
    with tss.Tpm() as tpm:
        tpm.write(RANDOM)
        expect.equal(len(tpm.read(15)), 15, "the first part")
        tpm.write(RANDOM)
        answer = tpm.read()
        expect.equal(len(answer), ANSWER, "the length of the second response")
        expect.equal(wire.HEADER.unpack_from(answer), (wire.NO_SESSIONS, ANSWER, 0), "its header")
        finished(tpm)


@test()
def a_refused_write_drops_nothing():
    with tss.Tpm() as tpm:
        tpm.write(RANDOM)
        first = tpm.read(15)
        with expect.fails_with(errno.E2BIG):
            tpm.write(bytes(4097))
        expect.equal(len(first + tpm.read()), ANSWER, "the length of the response")
        finished(tpm)


# Before, an empty read took the response away.
@test(control=passes_since(7, 3))
def read_of_nothing_gives_nothing():
    with tss.Tpm() as tpm:
        expect.equal(tpm.read(), b"", "a read before any command")
        tpm.write(RANDOM)
        expect.equal(tpm.read(0), b"", "an empty read")
        expect.equal(len(tpm.read()), ANSWER, "the length of the response")
        expect.equal(tpm.read(), b"", "a read after the response")
        finished(tpm)


@test()
def fault_on_a_write_from_nowhere():
    with tss.Tpm() as tpm:
        result = libc.write(tpm.fd, ctypes.c_void_p(8), ctypes.c_size_t(12))
        expect.equal((result, errno.errorcode.get(ctypes.get_errno())), (-1, "EFAULT"), "the result")
        finished(tpm)


@test(control=FAILS)
def fault_on_a_read_to_nowhere_keeps_the_response():
    with tss.Tpm() as tpm:
        tpm.write(RANDOM)
        result = libc.read(tpm.fd, ctypes.c_void_p(8), ctypes.c_size_t(64))
        expect.equal((result, errno.errorcode.get(ctypes.get_errno())), (-1, "EFAULT"), "the result")
        expect.equal(len(tpm.read()), ANSWER, "the length of the response")
        finished(tpm)


@test(control=FAILS)
def a_gathered_write_is_one_command():
    with tss.Tpm() as tpm:
        expect.equal(os.writev(tpm.fd, [RANDOM[:4], RANDOM[4:11], RANDOM[11:]]), len(RANDOM), "the result")
        parts = [bytearray(10), bytearray(100)]
        expect.equal(os.readv(tpm.fd, parts), ANSWER, "the length of the response")
        expect.equal(wire.code_of(parts[0]), 0, "the response code")
        finished(tpm)


@test()
def there_is_no_position():
    with tss.Tpm() as tpm:
        for attempt in (lambda: os.lseek(tpm.fd, 0, os.SEEK_SET), lambda: os.pread(tpm.fd, 10, 0),
                        lambda: os.pwrite(tpm.fd, RANDOM, 0)):
            with expect.fails_with(errno.ESPIPE):
                attempt()
        finished(tpm)


@test()
def poll_tells_what_can_be_done():
    with tss.Tpm() as tpm:
        expect.equal(expect.events(tpm), {"OUT"}, "the events when idle")
        tpm.write(RANDOM)
        expect.equal(expect.events(tpm), {"IN"}, "the events with a response")
        tpm.read()
        expect.equal(expect.events(tpm), {"OUT"}, "the events when idle again")


@test(control=FAILS)
def poll_tells_that_a_partly_read_response_can_be_dropped():
    with tss.Tpm() as tpm:
        tpm.write(RANDOM)
        tpm.read(15)
        expect.equal(expect.events(tpm), {"IN", "OUT"}, "the events after a partial read")


@test()
def a_queued_command_is_answered():
    with tss.Tpm(flags=os.O_NONBLOCK) as tpm:
        for _ in range(3):
            expect.equal(tpm.write(RANDOM), len(RANDOM), "the result of the write")
            expect.equal(expect.awaited(tpm), {"IN"}, "the events in the end")
            expect.equal(len(tpm.read()), ANSWER, "the length of the response")
        expect.equal(expect.events(tpm), {"OUT"}, "the events when idle")


@test()
def a_queued_command_that_fails_is_reported_once():
    with tss.Tpm(flags=os.O_NONBLOCK) as tpm:
        tpm.write(wire.command(wire.FLUSH_CONTEXT, (0x80123456,)))
        expect.equal(expect.awaited(tpm), {"IN"}, "the events in the end")
        with expect.fails_with(errno.EINVAL):
            tpm.read()
        expect.equal(tpm.read(), b"", "a second read")
        expect.equal(expect.events(tpm), {"OUT"}, "the events when idle again")


@test()
def the_mode_may_change_between_commands():
    with tss.Tpm() as tpm:
        for blocking in (False, True, False):
            os.set_blocking(tpm.fd, blocking)
            tpm.write(RANDOM)
            expect.equal(expect.awaited(tpm), {"IN"}, "the events in the end")
            expect.equal(len(tpm.read()), ANSWER, "the length of the response")


@test()
def duplicates_share_the_command():
    with tss.Tpm() as tpm:
        other = os.dup(tpm.fd)
        tpm.write(RANDOM)
        with expect.fails_with(errno.EBUSY):
            os.write(other, RANDOM)
        expect.equal(len(os.read(other, 4096)), ANSWER, "the length of the response")
        os.close(other)
        finished(tpm)


@test()
def a_forked_process_shares_the_space():
    with tss.Tpm() as tpm:
        key = tss.Key(tpm, b"key")
        tpm.write(RANDOM)
        child = os.fork()
        if child == 0:
            good = len(tpm.read()) == ANSWER
            key.check()
            os._exit(0 if good else 1)
        expect.equal(os.waitpid(child, 0)[1], 0, "the status of the child")
        # Its end did not close the space.
        key.check()
        finished(tpm)


@test()
def threads_share_a_descriptor():
    rounds, count = 40, 4
    with tss.Tpm() as tpm:
        answers, wrong = [], []

        def worker():
            try:
                for _ in range(rounds):
                    while True:
                        try:
                            tpm.write(RANDOM)
                            break
                        except OSError as error:
                            expect.equal(error.errno, errno.EBUSY, "the error of a write")
                            take()
                    take()
            except Exception as error:  # pylint: disable=broad-except
                wrong.append(error)

        def take():
            answer = tpm.read()
            if answer:
                answers.append(answer)

        threads = [threading.Thread(target=worker) for _ in range(count)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        take()
        if wrong:
            raise wrong[0]
        expect.equal(len(answers), rounds * count, "the number of responses")
        expect.equal({len(answer) for answer in answers}, {ANSWER}, "their lengths")
        expect.equal(len(set(answers)), len(answers), "the number of different responses")
