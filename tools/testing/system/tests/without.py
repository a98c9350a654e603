# SPDX-License-Identifier: GPL-2.0
"""Must-show 8: the module as it is without CONFIG_TCG_TPM_RM_EXHAUSTION."""

import errno
import fcntl

from harness import control, expect, module, tss, users, wire
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
