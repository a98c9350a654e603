# SPDX-License-Identifier: GPL-2.0
"""Must-show 6: whenever a client is killed, the TPM holds nothing of it afterwards."""

import os
import random
import signal
import time

from harness import expect, tss
from harness.runner import test

ROUNDS = 30
CLIENTS = 4


def client():
    """Makes and uses things as fast as it can, until it is killed."""
    flags = random.choice([0, os.O_NONBLOCK])
    while True:
        with tss.Tpm() as tpm:
            kept = [tss.Key(tpm, os.urandom(8)), tss.Session(tpm, 1), tss.Hash(tpm)]
            for number in range(random.randrange(1, 8)):
                kept[0].check()
                if number % 3 == 0:
                    tpm.flush(tpm.primary())
                kept[1].check()
                kept[2].update(b"data")
                tpm.flush(tpm.load(tpm.save(kept[0].handle)))
            if flags:
                # Killed with a command in the queue, or with its answer unread.
                os.set_blocking(tpm.fd, False)
                tpm.write(tss.create_primary())
                time.sleep(random.random() / 50)


def start():
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            random.seed()
            client()
        except BaseException as error:  # pylint: disable=broad-except
            os.write(2, f"a client failed: {error}\n".encode())
        finally:
            os._exit(status)
    return pid


def wait_for_the_dead(pids):
    ends = [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in pids]
    expect.equal(ends, [-signal.SIGKILL] * len(pids), "the ends of the clients")


def rounds(number):
    for _ in range(number):
        pids = [start() for _ in range(CLIENTS)]
        time.sleep(random.random() / 2)
        random.shuffle(pids)
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
            time.sleep(random.random() / 50)
        wait_for_the_dead(pids)
        with tss.Tpm(tss.RAW) as raw:
            expect.equal({kind: handles for kind, handles in tss.left_behind(raw).items() if handles}, {},
                         "what is left in the TPM")


@test(limit=180)
def g8_killed_clients_leave_nothing():
    rounds(ROUNDS)


@test(limit=180)
def g8_killed_clients_cost_others_nothing():
    with tss.Tpm() as tpm:
        things = [tss.Key(tpm, b"key"), tss.Session(tpm, 7)]
        for _ in range(ROUNDS // 3):
            pids = [start() for _ in range(CLIENTS)]
            for thing in things * 3:
                thing.check()
            for pid in pids:
                os.kill(pid, signal.SIGKILL)
            wait_for_the_dead(pids)
            for thing in things:
                thing.check()


@test(limit=120)
def g8_a_killed_thread_group_with_a_shared_fd():
    """The descriptor lives on in another process: then so does the space."""
    with tss.Tpm() as tpm:
        key = tss.Key(tpm, b"key")
        for _ in range(10):
            pid = os.fork()
            if pid == 0:
                while True:
                    key.check()
            time.sleep(random.random() / 20)
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            # A response that it did not read is dropped by reading it.
            tpm.read()
            key.check()
