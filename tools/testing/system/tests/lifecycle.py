# SPDX-License-Identifier: GPL-2.0
"""Lives of chips: several at once, there when the module is loaded, pulled out one by one, and reset."""

import contextlib
import errno
import os
import signal
import struct
import subprocess

from harness import chip, expect, module, scarcity, tss, users, wire
from harness.runner import NOTHING, test
from harness.users import ALICE, BOB, CAROL
from tests.loading import loaded, unloaded

LOST = wire.MANAGER | wire.REFERENCE_H0
STARTUP = 0x144
CLEAR = 0


class Resettable(chip.Swtpm):
    """A chip whose TPM can be switched off and on, as a machine does that is reset."""

    def __init__(self):
        self.control = f"/run/swtpm-{os.getpid()}"
        super().__init__("--ctrl", f"type=unixio,path={self.control}")

    def reset(self):
        """Nobody has saved anything, nor does the kernel know; somebody starts the TPM."""
        subprocess.run(["swtpm_ioctl", "--unix", self.control, "-i"], check=True)
        with tss.Tpm(f"/dev/tpm{self.number}") as raw:
            raw.call(STARTUP, parameters=struct.pack(">H", CLEAR))


def served(path):
    """A node serves more than a TPM has room for."""
    with tss.Tpm(path) as tpm:
        things = [tss.Key(tpm, b"%d" % number) for number in range(6)] + [tss.Session(tpm, 1)]
        for thing in things:
            thing.check()


@test(control=NOTHING, limit=300)
def all_chips_that_are_there_are_served_at_load():
    with chip.Swtpm() as one, chip.Swtpm() as other:
        nodes = [tss.NODE, one.node, other.node]
        for _ in range(2):
            module.unload()
            module.load(module.file())
            for path in nodes:
                assert module.serves(path), f"{path} is not served after the load"
                served(path)


@test(control=NOTHING, limit=300)
def g4_chips_go_one_by_one_and_the_others_stay():
    with chip.Swtpm() as one, chip.Swtpm() as other, contextlib.ExitStack() as stack:
        tpms = [stack.enter_context(tss.Tpm(path)) for path in (tss.NODE, one.node, other.node)]
        # The same numbers on each of them mean something else.
        keys = [tss.Key(tpm, b"chip %d" % number) for number, tpm in enumerate(tpms)]
        sessions = [tss.Session(tpm, number) for number, tpm in enumerate(tpms)]
        expect.equal(len({key.handle for key in keys}), 1, "how many handles the first objects have")
        for gone, unplug in ((2, other.unplug), (1, one.unplug)):
            unplug()
            with expect.fails_with(errno.EPIPE):
                keys[gone].check()
            for thing in keys[:gone] + sessions[:gone]:
                thing.check()


@test(control=NOTHING, limit=300)
def g3_g5_after_a_reset_what_was_there_is_lost_and_everything_goes_on():
    with Resettable() as there, there.open() as tpm, there.open() as other:
        spaces = [[tss.Key(one, b"key"), tss.Session(one, 1)] for one in (tpm, other)]
        for _ in range(2):
            for thing in sum(spaces, []):
                thing.check()
            there.reset()
            fresh = []
            for one, (key, session) in zip((tpm, other), spaces):
                one.random()
                for lost in (key, session):
                    with expect.answered(LOST):
                        lost.check()
                fresh.append([tss.Key(one, b"fresh"), tss.Session(one, 2)])
                assert fresh[-1][0].handle != key.handle, "the handle of a lost object means something else now"
            spaces = fresh
        for thing in sum(spaces, []):
            thing.check()


@test(control=NOTHING, limit=300)
def g7_who_waits_keeps_the_module_and_is_served_after_an_unload_was_refused():
    """One in poll(), one in write(). When they are killed or have closed, nothing keeps it any more."""
    scarcity.terms()
    with users.opened(ALICE) as tpm:
        held = scarcity.take_all(tpm)
        waiter, = scarcity.queue(BOB)
        writer, doomed = scarcity.Writer(CAROL), scarcity.Writer(CAROL)
        scarcity.settled()
        for _ in range(3):
            with expect.fails_with(errno.EAGAIN):
                module.unload()
        expect.equal([one.is_over() for one in (waiter, writer, doomed)], [False] * 3, "whether the wait is over")
        doomed.kill()
        expect.equal(doomed.end(), -signal.SIGKILL, "how the killed one ended")
        for handle in held[:2]:
            tpm.flush(handle)
        waiter.handle()
        writer.has_session()
        waiter.close()
    unloaded()
    loaded()
    assert module.serves(tss.NODE), "the module does not serve the node"
