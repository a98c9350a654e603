# SPDX-License-Identifier: GPL-2.0
"""Must-show 8: the module as it is without CONFIG_TCG_TPM_RM_EXHAUSTION."""

import errno
import fcntl
import os

from harness import control, debugfs, expect, module, tss, users, wire
from harness.runner import NOTHING, test


@test(control=NOTHING)
def without_the_option_there_are_no_ioctls():
    with tss.Tpm() as tpm:
        for request in (control.GET_INFO, control.SET_POLICY, control.RESERVE, control.GET_LOST, 0):
            with expect.fails_with(errno.ENOTTY):
                fcntl.ioctl(tpm.fd, request, bytes(256))
        tpm.random()


@test(control=NOTHING)
def without_the_option_nobody_waits():
    """The TPM's own answer is passed on, and nobody loses anything."""
    with users.opened(users.ALICE) as tpm, users.opened(users.BOB) as other:
        sessions = [tss.Session(tpm, number) for number in range(64)]
        with expect.answered(wire.SESSION_HANDLES):
            other.start()
        for session in sessions:
            session.check()
        sessions[0].flush()
        other.start()


@test(control=NOTHING)
def without_the_option_the_other_parameter_is_there():
    expect.equal(module.parameter("max_objects"), "256", "max_objects")


@test(control=NOTHING)
def without_the_option_less_is_shown():
    with tss.Tpm() as tpm:
        keys = [tss.Key(tpm, b"%d" % number) for number in range(5)]
        session = tss.Session(tpm)
        row = debugfs.space_of(os.getpid())
        expect.equal((row["objects"], row["sessions"], row["commands"]), ("5", "1", "7"), "what the space has")
        expect.equal({"policy", "wait", "sessions_lost"} & set(row), set(), "what is shown beside that")
        expect.equal({"waiting", "session_numbers"} & set(debugfs.values("chip")), set(), "what is shown of the chip")
        expect.equal(debugfs.rows("sessions")[f"{session.handle:#x}"]["owner"], "space", "whose the session is")
        for key in keys:
            key.check()
