# SPDX-License-Identifier: GPL-2.0
"""The module's parameters and the node's ioctls: their values, and what is refused."""

import contextlib
import ctypes
import errno
import fcntl
import os
import struct
import subprocess

from harness import control, expect, module, scarcity, tss, users
from harness.runner import NOTHING, Skip, test
from harness.users import ALICE

# The default, and the least and largest value.
BOUNDS = {
    "session_lease_ms": (2000, 100, 600000),
    "session_wait_ms": (5000, 0, 3600000),
    "kernel_reserve": (2, 0, 16),
    "max_sessions_per_user": (64, 1, 65535),
    "max_objects": (256, 1, 65535),
    "idle_ms": (1000, 0, 3600000),
}
POLICIES = ("fail", "close", "never")
libc = ctypes.CDLL(None, use_errno=True)


@test(control=NOTHING)
def parameters_have_defaults():
    wanted = {name: str(default) for name, (default, _, _) in BOUNDS.items()} | {"session_policy": "fail"}
    expect.equal({name: module.parameter(name) for name in wanted}, wanted, "the parameters")
    for name in wanted:
        mode = os.stat(f"{module.FOLDER}/parameters/{name}").st_mode & 0o777
        expect.equal(oct(mode), oct(0o644), f"the mode of {name}")


@test(control=NOTHING)
def parameters_have_bounds():
    for name, (default, least, largest) in BOUNDS.items():
        for value in (least, largest, default):
            module.set_parameter(name, value)
            expect.equal(module.parameter(name), str(value), name)
        for value in (least - 1, largest + 1, -1, 1 << 32, 1 << 64, "some", ""):
            with expect.fails_with(errno.EINVAL):
                module.set_parameter(name, f"{value}\n")
            expect.equal(module.parameter(name), str(default), f"{name} after {value!r}")


@test(control=NOTHING)
def the_policy_is_a_word():
    for word in (*POLICIES, "fail"):
        module.set_parameter("session_policy", f"{word}\n")
        expect.equal(module.parameter("session_policy"), word, "the policy")
    for word in ("", "FAIL", "failed", "1", "never " + "x" * 2000):
        with expect.fails_with(errno.EINVAL):
            module.set_parameter("session_policy", f"{word}\n")
        expect.equal(module.parameter("session_policy"), "fail", f"the policy after {word[:10]!r}")


@contextlib.contextmanager
def unloaded():
    module.unload()
    try:
        yield
    finally:
        if not module.is_loaded():
            module.load(module.file())


@test(control=NOTHING)
def parameters_are_given_at_insmod():
    with unloaded():
        for name, (_, least, largest) in BOUNDS.items():
            for value in (least - 1, largest + 1, "some"):
                with expect.fails_with(errno.EINVAL):
                    module.load(module.file(), f"{name}={value}")
                assert not module.is_loaded(), f"the module is loaded with {name}={value}"
        with expect.fails_with(errno.EINVAL):
            module.load(module.file(), "session_policy=always")
        module.load(module.file(), "session_lease_ms=1234 session_policy=close max_objects=7")
        found = [module.parameter(name) for name in ("session_lease_ms", "session_policy", "max_objects")]
        expect.equal(found, ["1234", "close", "7"], "the parameters")
        with users.opened(ALICE) as tpm:
            expect.equal(control.info(tpm).policy, control.CLOSE, "the policy")
        module.unload()


@test(control=NOTHING)
def only_root_sets_parameters():
    with users.as_user(ALICE):
        with expect.fails_with(errno.EACCES):
            module.set_parameter("session_lease_ms", 200)
        expect.equal(module.parameter("session_lease_ms"), "2000", "what everybody can read")


@test(control=NOTHING)
def a_user_has_so_many_sessions_at_most():
    """Who wants more takes them from itself."""
    scarcity.terms(lease=scarcity.SHORT, max_sessions_per_user=3)
    with users.opened(ALICE) as one, users.opened(ALICE) as two, users.opened(users.BOB) as other:
        first, *_ = scarcity.take(one, 2), scarcity.take(two, 1)
        two.start()
        expect.equal(control.lost(one) + control.lost(two), first[:1], "the lost sessions")
        scarcity.take(other, 3)
        expect.equal(control.info(one).lost + control.info(two).lost, 1, "the number of lost sessions")


@test(control=NOTHING)
def ioctls_that_are_not_known():
    with tss.Tpm() as tpm:
        for request in (control.request(control.READ, 4, control.INFO), control.GET_INFO + 0x100,
                        control.request(control.READ, 0, control.PAIR), 0x5401, 0):
            with expect.fails_with(errno.ENOTTY):
                fcntl.ioctl(tpm.fd, request, bytes(1024))


@test(control=NOTHING)
def ioctls_refuse_what_is_reserved():
    with tss.Tpm() as tpm:
        for request in (control.SET_POLICY, control.RESERVE):
            with expect.fails_with(errno.EINVAL):
                fcntl.ioctl(tpm.fd, request, control.PAIR.pack(0, 1))
        for policy in (control.NEVER + 1, 0xFFFFFFFF):
            with expect.fails_with(errno.EINVAL):
                control.set_policy(tpm, policy)
        with expect.fails_with(errno.EINVAL):
            fcntl.ioctl(tpm.fd, control.GET_LOST, struct.pack("=4I", 0, 0, 0, 1) + bytes(4 * control.LISTED))
        expect.equal(control.info(tpm).policy, control.FAIL, "the policy")


@test(control=NOTHING)
def ioctls_of_a_bad_pointer():
    with tss.Tpm() as tpm:
        for request in (control.GET_INFO, control.SET_POLICY, control.RESERVE, control.GET_LOST):
            for pointer in (0, 8, 1 << 63):
                result = libc.ioctl(tpm.fd, ctypes.c_ulong(request), ctypes.c_void_p(pointer))
                found = (result, errno.errorcode.get(ctypes.get_errno()))
                expect.equal(found, (-1, "EFAULT"), f"request {request:#x} with pointer {pointer:#x}")
        tpm.random()


@test(control=NOTHING)
def information_of_a_new_descriptor():
    with tss.Tpm() as tpm:
        wanted = control.Info(version=1, policy=control.FAIL, reserved=0, lost=0, flags=0)
        for _ in range(2):
            expect.equal(control.info(tpm), wanted, "what is told")
        expect.equal(control.lost(tpm), [], "the lost sessions")
        tpm.random()
        expect.equal(control.info(tpm), wanted, "what is told")


@test(control=NOTHING)
def ioctls_during_a_command():
    """They tell as ever, but what waits for a session itself is refused."""
    scarcity.terms()
    with users.opened(ALICE) as tpm:
        scarcity.take_all(tpm)
        waiter, = scarcity.queue(users.BOB)
        control.info(waiter.tpm)
        expect.equal(control.lost(waiter.tpm), [], "the lost sessions")
        control.set_policy(waiter.tpm, control.NEVER)
        with expect.fails_with(errno.EBUSY):
            control.reserve(waiter.tpm, 1)
        waiter.close()


def compat(*arguments):
    return subprocess.run([os.path.join(os.environ["TPMRM_PROGRAMS"], "compat"), *map(str, arguments)],
                          stdout=subprocess.PIPE, text=True, check=False)


@test()
def ioctls_keep_their_numbers():
    """What programs were compiled with must stay good. The size of the argument is a part of each."""
    wanted = {"version": 1, "GET_INFO": control.GET_INFO, "SET_POLICY": control.SET_POLICY,
              "RESERVE": control.RESERVE, "GET_LOST": control.GET_LOST}
    found = dict(line.split() for line in compat().stdout.splitlines())
    expect.equal({name: int(value) for name, value in found.items()}, wanted, "the numbers")


def as_32_bit_program(request, *words):
    """The errno of an ioctl, and the words that its argument points to afterwards."""
    done = compat(request, *words)
    if done.returncode < 0:
        raise Skip("this kernel runs no 32-bit programs")
    return done.returncode, [int(word) for word in done.stdout.split()]


@test(control=NOTHING)
def ioctls_of_32_bit_programs():
    expect.equal(as_32_bit_program(control.GET_INFO, *[9] * 8), (0, [1, control.FAIL, 0, 0, 0, 0, 0, 0]), "GET_INFO")
    expect.equal(as_32_bit_program(control.SET_POLICY, control.CLOSE, 0), (0, [control.CLOSE, 0]), "SET_POLICY")
    expect.equal(as_32_bit_program(control.SET_POLICY, control.CLOSE, 1)[0], errno.EINVAL, "SET_POLICY")
    expect.equal(as_32_bit_program(control.RESERVE, 1, 0)[0], errno.EPERM, "RESERVE")
    expect.equal(as_32_bit_program(control.GET_LOST, *[0] * 64), (0, [0] * 64), "GET_LOST")
    expect.equal(as_32_bit_program(control.GET_LOST + 1, 0)[0], errno.ENOTTY, "an unknown one")
