# SPDX-License-Identifier: GPL-2.0
"""What an administrator sees in debugfs: all that is there, at any time, and nothing that is secret."""

import contextlib
import errno
import os
import threading
import time

from harness import chip, debugfs, expect, module, scarcity, tss, users, wire
from harness.runner import NOTHING, note, test
from harness.users import ALICE, BOB
from harness.workers import is_over, workers

MANY = 150
ROUNDS = 2


@contextlib.contextmanager
def process(user, work):
    """A process of a user that does some work on a descriptor, and keeps that until the body is done."""
    os.chmod(tss.NODE, 0o666)
    reader, writer = os.pipe()
    stop, stopper = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.close(stopper)
            os.setgroups([])
            os.setuid(user)
            with tss.Tpm() as tpm:
                kept = work(tpm)
                os.write(writer, b"x")
                os.read(stop, 1)
                del kept
        finally:
            os._exit(0)
    os.close(writer)
    os.close(stop)
    try:
        assert os.read(reader, 1), "a process of the test died"
        yield pid
    finally:
        os.close(stopper)
        os.close(reader)
        os.waitpid(pid, 0)


def shown(row, **wanted):
    """That some values are as they should be."""
    wanted = {name: str(value) for name, value in wanted.items()}
    expect.equal({name: row.get(name) for name in wanted}, wanted, f"what is shown in {row}")


def sessions_of(space):
    return [row for row in debugfs.rows("sessions").values() if row["space"] == space["space"]]


@test(control=NOTHING)
def what_two_processes_have_is_shown():
    def much(tpm):
        return [tss.Key(tpm, b"%d" % number) for number in range(7)], [tss.Session(tpm) for _ in range(5)]

    def little(tpm):
        return tss.Key(tpm, b"key"), tss.Session(tpm)

    before = debugfs.values("chip")
    with process(ALICE, much) as alice, process(BOB, little) as bob:
        first, second = debugfs.space_of(alice), debugfs.space_of(bob)
        # A key is one command, a session with its mark two.
        shown(first, uid=ALICE, commands=7 + 2 * 5, objects=7, objects_lost=0, sessions=5,
              sessions_lost=0, sessions_reserved=0, policy="fail", wait="none", wait_ms=0)
        shown(second, uid=BOB, commands=1 + 2, objects=1, sessions=1)
        whole = debugfs.values("chip")
        shown(whole, state="served", barrier="installed", waiting=0, numbers_kept=0, sessions_detached=0,
              session_numbers=scarcity.NUMBERS, spaces=int(before["spaces"]) + 2)
        for name in ("objects_loaded", "sessions_loaded"):
            expect.equal(int(first[name]) + int(second[name]), int(whole[name]), f"{name} of both")
        # Nobody else was there, and each has used three times as much as there is room for, or nearly.
        expect.equal(whole["objects_loaded"], whole["object_slots"], "how many objects are loaded")
        expect.equal(sorted(row["place"] for row in sessions_of(first) + sessions_of(second)),
                     ["loaded"] * int(whole["sessions_loaded"]) + ["saved"] * (6 - int(whole["sessions_loaded"])),
                     "where the sessions are")
        for row in sessions_of(first):
            shown(row, owner="space", uid=ALICE)
    assert not debugfs.spaces_of(alice) and not debugfs.spaces_of(bob), "spaces that were closed are shown"


@test(control=NOTHING)
def sessions_are_shown_detached_and_lost():
    scarcity.terms(lease=scarcity.SHORT)
    with users.opened(ALICE) as tpm:
        handle = tpm.start()
        tpm.save(handle)
        row = debugfs.rows("sessions")[f"{handle:#x}"]
        shown(row, owner="detached", place="saved", space=-1, uid=ALICE)
        shown(debugfs.values("chip"), sessions_detached=1)
        tpm.flush(handle)
        assert f"{handle:#x}" not in debugfs.rows("sessions"), "a session that was flushed is shown"
        first, *_ = scarcity.take_all(tpm)
        with users.opened(BOB) as other:
            other.start()
            alice = next(row for row in debugfs.rows("spaces").values() if row["uid"] == str(ALICE))
            shown(alice, sessions=scarcity.FOR_USERS - 1, sessions_lost=1)
            shown(debugfs.rows("sessions")[f"{first:#x}"], owner="space", uid=BOB)


@test(control=NOTHING)
def who_waits_is_shown():
    scarcity.terms()
    with users.opened(ALICE) as tpm:
        scarcity.take_all(tpm)
        waiters = scarcity.queue(BOB)
        bob = next(row for row in debugfs.rows("spaces").values() if row["uid"] == str(BOB))
        shown(bob, wait="waiting", sessions=0)
        assert 0 < int(bob["wait_ms"]) <= scarcity.LONG, f"the wait can last {bob['wait_ms']} ms"
        shown(debugfs.values("chip"), waiting=1)
        for waiter in waiters:
            waiter.close()
        shown(debugfs.values("chip"), waiting=0)


@test(control=NOTHING)
def lost_objects_are_shown():
    with tss.Tpm() as tpm, tss.Tpm() as other:
        tpm.primary()
        tss.Key(tpm, b"key")
        other.clear()
        ours = max(debugfs.spaces_of(os.getpid()), key=lambda row: int(row["commands"]))
        shown(ours, objects=1, objects_lost=1)


@test(control=NOTHING)
def all_of_many_spaces_are_shown():
    """Each time that there are more than before, room has to be made for them."""
    with contextlib.ExitStack() as stack:
        for _ in range(MANY):
            stack.enter_context(tss.Tpm()).test_result()
        expect.equal(len(debugfs.spaces_of(os.getpid())), MANY, "the number of spaces shown")
    expect.equal(debugfs.spaces_of(os.getpid()), [], "the spaces shown afterwards")


@test(control=NOTHING)
def reading_does_not_wait_for_a_command():
    with chip.Relay() as relay, relay.open() as tpm:
        key = tss.Key(tpm, b"key")
        before = debugfs.space_of(os.getpid(), relay.node)
        shown(before, objects=1, commands=1)
        with relay.holding():
            thread = threading.Thread(target=tpm.test_result)
            thread.start()
            relay.wait_until_held()
            # Whether somebody waits for what is held is told by the end of the body.
            for _ in range(3):
                for name in debugfs.FILES:
                    debugfs.text(name, relay.node)
            during = debugfs.values("chip", relay.node)
            shown(during, command=f"{wire.GET_TEST_RESULT:#x}", command_space=before["space"])
            assert "command_ms" in during, "how long it takes is not shown"
            shown(debugfs.space_of(os.getpid(), relay.node), space=before["space"], objects=1, commands=1)
        thread.join()
        key.flush()
        shown(debugfs.space_of(os.getpid(), relay.node), objects=0, commands=3)
        assert "command" not in debugfs.values("chip", relay.node), "a command is shown that has ended"


@test(control=NOTHING)
def only_root_can_read():
    debugfs.mount()
    for name in debugfs.FILES:
        path = debugfs.path(name)
        found = os.stat(path)
        expect.equal((oct(found.st_mode & 0o7777), found.st_uid), ("0o400", 0), f"mode and owner of {name}")
        with users.as_user(ALICE), expect.fails_with(errno.EACCES):
            os.open(path, os.O_RDONLY)
        with expect.fails_with(errno.EINVAL):
            with open(path, "w") as file:
                file.write("1")


@test(control=NOTHING)
def nothing_secret_is_shown():
    secret = b"a secret that is not to be seen"
    with tss.Tpm() as tpm:
        key = tss.Key(tpm, secret)
        primary = tpm.primary()
        session = tpm.start()
        secrets = [secret, tpm.save(key.handle), tpm.save(session), tpm.read_public(primary)]
        scarcity.take(tpm, 5)
        found = "".join(debugfs.text(name) for name in debugfs.FILES)
        tpm.flush(session)
    assert found.isascii() and found.replace("\n", "").isprintable(), "something that is no text is shown"
    for data in secrets:
        # Less than that may be the handle that a context begins with.
        for start in range(0, len(data) - 6):
            part = data[start:start + 6].hex()
            assert part == "0" * 12 or part not in found, f"{part} is shown"


@test(control=NOTHING)
def a_file_that_is_open_keeps_the_module():
    debugfs.mount()
    for name in debugfs.FILES:
        with open(debugfs.path(name)) as file:
            with expect.fails_with(errno.EAGAIN):
                module.unload()
            assert file.read(), f"{name} is empty"
    unloaded()
    assert not os.path.exists(debugfs.FOLDER), "there is a folder without the module"
    module.load(module.file())
    debugfs.values("chip")


@test(control=NOTHING)
def a_file_that_is_open_outlives_its_chip():
    debugfs.mount()
    with chip.Relay() as relay, relay.open() as tpm:
        tpm.test_result()
        with contextlib.ExitStack() as stack:
            files = [stack.enter_context(open(debugfs.path(name, relay.node))) for name in debugfs.FILES]
            relay.unplug()
            chip.wait_for("the end of its folder", lambda: not os.path.exists(debugfs.path("chip", relay.node)))
            for file in files:
                with expect.fails_with(errno.EIO):
                    file.read()


def unloaded():
    """Unloads the module when nobody reads."""
    def gone():
        try:
            module.unload()
        except OSError as error:
            assert error.errno == errno.EAGAIN, error
            return False
        return True
    chip.wait_for("the end of the module", gone)


@test(control=NOTHING, limit=120)
def readers_meet_everything_that_comes_and_goes():
    """Chips, spaces and the module itself come and go while everything is read."""
    def read(stop):
        while not is_over(stop):
            for folder, _, names in os.walk(debugfs.FOLDER):
                for name in names:
                    try:
                        with open(os.path.join(folder, name)) as file:
                            assert file.read().startswith("age_ms "), f"{name} is something else"
                    except OSError as error:
                        # It has gone, or is just going.
                        assert error.errno in (errno.ENOENT, errno.EIO, errno.ENXIO, errno.ENODEV), error
                    # The module cannot go while all three have something open.
                    time.sleep(0.005)

    def use(stop):
        while not is_over(stop):
            with contextlib.suppress(OSError, wire.Rc), tss.Tpm() as tpm:
                things = [tss.Key(tpm, b"%d" % number) for number in range(4)] + [tss.Session(tpm)]
                for thing in things:
                    thing.check()

    debugfs.mount()
    with workers(read, read, read):
        for _ in range(ROUNDS):
            with workers(use, use):
                with chip.Relay() as relay, relay.open() as tpm:
                    relay.hold(wire.GET_TEST_RESULT)
                    thread = threading.Thread(target=lambda: suppressed(tpm.test_result))  # pylint: disable=cell-var-from-loop
                    thread.start()
                    relay.wait_until_held()
                    relay.unplug()
                    thread.join()
            unloaded()
            module.load(module.file())
    note(f"{ROUNDS} chips and the module came and went while all was read")


def suppressed(work):
    with contextlib.suppress(OSError):
        work()
