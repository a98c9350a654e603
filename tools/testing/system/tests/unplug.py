# SPDX-License-Identifier: GPL-2.0
"""Chips that come and go, and several at once."""

import errno
import os
import struct
import threading

from harness import chip, expect, module, tss, wire
from harness.runner import FAILS, NOTHING, test

# The command that is under way when a chip goes may be told so in the words of the chip's driver.
CUT_SHORT = {errno.EPIPE, errno.ECANCELED}
HARMLESS = wire.command(wire.GET_TEST_RESULT)
RANDOM = wire.command(wire.GET_RANDOM, parameters=struct.pack(">H", 32))


@test()
def epipe_when_the_chip_is_gone():
    with chip.Relay() as relay, relay.open() as tpm:
        tss.Key(tpm, b"key").check()
        relay.unplug()
        for _ in range(2):
            with expect.fails_with(errno.EPIPE):
                tpm.write(RANDOM)
        expect.equal(tpm.read(), b"", "what there is to read")


@test(control=FAILS)
def poll_tells_that_the_chip_is_gone():
    with chip.Relay() as relay, relay.open() as tpm:
        expect.equal(expect.events(tpm), {"OUT"}, "the events before")
        relay.unplug()
        expect.equal(expect.events(tpm), {"HUP", "ERR"}, "the events afterwards")


@test(control=FAILS, limit=20)
def a_poller_is_woken_when_the_chip_goes():
    with chip.Relay() as relay, relay.open() as tpm:
        found = []
        thread = threading.Thread(target=lambda: found.append(expect.awaited(tpm)))
        thread.start()
        chip.wait_for("a poll()", lambda: expect.in_poll(thread))
        relay.unplug()
        thread.join()
        expect.equal(found, [{"HUP", "ERR"}], "what woke the poller")


@test()
def g2_an_answer_outlives_the_chip():
    with chip.Relay() as relay, relay.open() as tpm:
        tpm.write(RANDOM)
        relay.unplug()
        wire.body_of(wire.GET_RANDOM, tpm.read())


@test(control=NOTHING)
def a_chip_that_goes_during_a_command_ends_it():
    with chip.Relay() as relay, relay.open() as tpm:
        found = []
        relay.hold(wire.GET_TEST_RESULT)

        def test_result():
            try:
                tpm.test_result()
            except OSError as error:
                found.append(error.errno)

        thread = threading.Thread(target=test_result)
        thread.start()
        relay.wait_until_held()
        relay.unplug()
        thread.join()
        assert len(found) == 1 and CUT_SHORT.issuperset(found), f"the command failed with {found}"
        with expect.fails_with(errno.EPIPE):
            tpm.test_result()


@test(control=NOTHING)
def queued_commands_end_when_the_chip_goes():
    with chip.Relay() as relay:
        tpms = [relay.open(os.O_NONBLOCK) for _ in range(5)]
        relay.hold(wire.GET_TEST_RESULT)
        for tpm in tpms:
            tpm.write(HARMLESS)
        relay.wait_until_held()
        relay.unplug()
        for number, tpm in enumerate(tpms):
            # The hang-up alone is told at once; the queue may still be on its way to the command.
            chip.wait_for("the end of a queued command", lambda: "IN" in expect.events(tpm))  # pylint: disable=cell-var-from-loop
            try:
                tpm.read()
                raise AssertionError("a chip that is gone answered")
            except OSError as error:
                assert error.errno in (CUT_SHORT if number == 0 else {errno.EPIPE}), error
            tpm.close()


@test()
def descriptors_close_after_the_chip():
    with chip.Relay() as relay:
        tpms = [relay.open() for _ in range(5)]
        keys = [tss.Key(tpm, b"key") for tpm in tpms]
        sessions = [tss.Session(tpm) for tpm in tpms[:3]]
        relay.unplug()
        for tpm in tpms:
            tpm.close()
        expect.equal((len(keys), len(sessions)), (5, 3), "what was made")


@test(control=NOTHING)
def a_descriptor_of_a_chip_that_is_gone_keeps_the_module():
    with chip.Relay() as relay, relay.open() as tpm:
        before = module.references()
        relay.unplug()
        expect.equal(module.references(), before, "the references to the module")
        with expect.fails_with(errno.EAGAIN):
            module.unload()
        tpm.close()
        expect.equal(module.references(), before - 1, "the references to the module")


@test(control=NOTHING)
def a_chip_that_is_plugged_in_is_taken_over():
    for _ in range(3):
        with chip.Relay() as relay:
            before = module.references()
            with relay.open() as tpm:
                expect.equal(module.references(), before + 1, "the references to the module")
                keys = [tss.Key(tpm, bytes([number])) for number in range(8)]
                for key in keys:
                    key.check()


@test(limit=240)
def g4_chips_are_managed_one_by_one():
    with chip.Swtpm() as other, tss.Tpm() as here, other.open() as there:
        ours = [tss.Key(here, b"here %d" % number) for number in range(3)]
        theirs = [tss.Key(there, b"there %d" % number) for number in range(3)]
        session = tss.Session(there)
        for one, two in zip(ours, theirs):
            one.check()
            two.check()
        session.check()
        expect.equal(here.handles(wire.FIRST_LOADED_SESSION), [], "the sessions of the other chip")
        other.unplug()
        with expect.fails_with(errno.EPIPE):
            there.write(RANDOM)
        for key in ours:
            key.check()


@test(control=NOTHING, limit=240)
def chips_come_and_go_under_load():
    for _ in range(5):
        with chip.Relay() as relay:
            ends = []

            def work():
                with relay.open() as tpm:
                    try:
                        while True:
                            tpm.random()
                    except OSError as error:
                        ends.append(error.errno)

            threads = [threading.Thread(target=work) for _ in range(4)]
            for thread in threads:
                thread.start()
            chip.wait_for("some work", lambda: relay.count(wire.GET_RANDOM) > 20)
            relay.unplug()
            for thread in threads:
                thread.join()
            assert len(ends) == 4 and CUT_SHORT.issuperset(ends), f"the work ended with {ends}"
