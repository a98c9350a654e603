# SPDX-License-Identifier: GPL-2.0
"""Must-show 8: loading and unloading the module, with and without those who use the node."""

import errno
import os
import time

from harness import expect, module, tss, wire
from harness.runner import NOTHING, note, test
from harness.workers import is_over, workers

TIMES = 100


def unloaded(attempts=100):
    """Unloads the module once nobody has its node open any more."""
    for _ in range(attempts):
        try:
            module.unload()
            return
        except OSError as error:
            if error.errno not in (errno.EAGAIN, errno.EBUSY):
                raise
            time.sleep(0.05)
    raise AssertionError("somebody keeps the module loaded")


def loaded():
    if not module.is_loaded():
        module.load(module.file())


def served_by_module():
    return module.is_loaded() and module.serves(tss.NODE)


@test(control=NOTHING)
def unloading_while_open_is_refused():
    with tss.Tpm() as tpm:
        key = tss.Key(tpm, b"key")
        for _ in range(3):
            with expect.fails_with(errno.EAGAIN):
                module.unload()
            key.check()
        assert served_by_module(), "the refused unload changed who serves the node"
        expect.equal(module.references(), 1, "the references to the module")
    expect.equal(module.references(), 0, "the references to the module")


@test(control=NOTHING)
def after_unloading_the_c_driver_serves():
    unloaded()
    try:
        with tss.Tpm() as tpm:
            tpm.random()
            keys = [tss.Key(tpm, b"%d" % number) for number in range(3)]
            for key in keys:
                key.check()
            with expect.answered(wire.OBJECT_MEMORY):
                tss.Key(tpm, b"one more than the C driver can have")
    finally:
        loaded()
    assert served_by_module(), "the module was loaded again, but does not serve"
    with tss.Tpm() as tpm:
        for number in range(4):
            tss.Key(tpm, b"%d" % number)


@test(control=NOTHING)
def a_descriptor_of_the_c_driver_goes_on():
    unloaded()
    try:
        with tss.Tpm() as old:
            keys = [tss.Key(old, b"old %d" % number) for number in range(3)]
            sessions = [tss.Session(old, number) for number in range(2)]
            loaded()
            with tss.Tpm() as new:
                more = [tss.Key(new, b"new %d" % number) for number in range(5)]
                for thing in keys + more + sessions + more + keys:
                    thing.check()
            unloaded()
            for thing in keys + sessions:
                thing.check()
    finally:
        loaded()


@test(control=NOTHING)
def the_node_keeps_its_name_and_number():
    before = os.stat(tss.NODE)
    unloaded()
    between = os.stat(tss.NODE)
    loaded()
    after = os.stat(tss.NODE)
    for found in (between, after):
        expect.equal((found.st_rdev, found.st_ino, found.st_mode), (before.st_rdev, before.st_ino, before.st_mode),
                     "the node's number, inode and mode")


@test(control=NOTHING, limit=300)
def load_and_unload_100_times():
    began = time.monotonic()
    for number in range(TIMES):
        unloaded()
        loaded()
        if number % 10 == 0:
            with tss.Tpm() as tpm:
                tss.Key(tpm, b"key").check()
    note(f"loading and unloading takes {(time.monotonic() - began) / TIMES * 1000:.0f} ms")


@test(control=NOTHING, limit=240)
def load_and_unload_while_programs_open_and_close():
    done = 0
    try:
        with workers(*[use] * 4):
            for _ in range(400):
                try:
                    module.unload()
                except OSError as error:
                    assert error.errno in (errno.EAGAIN, errno.EBUSY), error
                    time.sleep(0.01)
                    continue
                loaded()
                done += 1
                if done == 20:
                    break
    finally:
        loaded()
    note(f"unloaded {done} times while programs opened and closed the node")
    assert done > 0, "the module was never unloaded"


def use(stop):
    """A program that opens, uses and closes the node, whoever serves it."""
    while not is_over(stop):
        try:
            tpm = tss.Tpm()
        except OSError as error:
            # The kernel gives no reference to a module that is just being unloaded.
            assert error.errno == errno.ENXIO, error
            continue
        if os.getpid() % 2:
            tss.Key(tpm, b"key").check()
        tpm.close()
        time.sleep(0.02)
