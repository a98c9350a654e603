# SPDX-License-Identifier: GPL-2.0
"""G9: the kernel and raw users find numbers for sessions, while users hold all of theirs and more wait."""

import contextlib
import ctypes
import gzip
import os

from harness import chip, control, expect, foreign, module, scarcity, tss, users, wire
from harness.counters import counters
from harness.runner import FAILS, NOTHING, Skip, note, test
from harness.users import ALICE, BOB, CAROL
from harness.workers import workers

HWRNG = "/sys/class/misc/hw_random"
PERSISTENT = 0x81000001
SYS_ADD_KEY, SYS_KEYCTL = 248, 250
KEYCTL_READ = 11
PROCESS_KEYRING = -2


def configured(option):
    """Whether the kernel has an option."""
    release = os.uname().release
    if os.path.exists(f"/boot/config-{release}"):
        with open(f"/boot/config-{release}") as file:
            return f"{option}=y\n" in file
    if not os.path.exists("/proc/config.gz"):
        return False
    with gzip.open("/proc/config.gz", "rt") as file:
        return f"{option}=y\n" in file


def saved(raw, count):
    """Starts sessions and saves them, as a TPM has room for a few only that are not."""
    contexts = {}
    for _ in range(count):
        handle = raw.start()
        contexts[handle] = raw.save(handle)
    return contexts


@contextlib.contextmanager
def users_have_all(path=tss.NODE):
    """Nobody gives anything away, and two more users wait. Who has all, and the sessions."""
    scarcity.terms()
    with users.opened(ALICE, path) as tpm:
        held = scarcity.take_all(tpm)
        waiters = scarcity.queue(BOB, CAROL, BOB, path=path)
        yield tpm, held
        expect.equal([waiter.is_over() for waiter in waiters], [False] * 3, "whether the wait is over")
        for waiter in waiters:
            waiter.close()


@test(control=FAILS)
def g9_the_raw_node_starts_two_sessions():
    """Must-show 5, as far as a kernel without a session of its own can show it."""
    hogs = [users.opened(ALICE) for _ in range(22)]
    with contextlib.ExitStack() as stack:
        if module.is_loaded():
            stack.enter_context(users_have_all())
        else:
            for number in range(64):
                hogs[number % len(hogs)].start()
        with tss.Tpm(tss.RAW) as raw:
            sessions = [tss.Session(raw, number) for number in range(2)]
            for session in sessions:
                session.check()
            for session in sessions:
                session.flush()
    for tpm in hogs:
        tpm.close()


@test(control=NOTHING, limit=120)
def g9_the_reserve_is_a_parameter():
    for reserve in (1, 16):
        module.set_parameter("kernel_reserve", reserve)
        with users_have_all(), tss.Tpm(tss.RAW) as raw:
            for handle in saved(raw, reserve):
                raw.flush(handle)


@test(control=NOTHING)
def g9_without_a_reserve_users_have_all():
    module.set_parameter("kernel_reserve", 0)
    with users_have_all(), tss.Tpm(tss.RAW) as raw:
        with expect.answered(wire.SESSION_HANDLES):
            raw.start()


@test(control=NOTHING)
def g9_a_larger_reserve_takes_nothing_from_anybody():
    """But what is given back is not given out again."""
    scarcity.terms(lease=scarcity.SHORT, wait=300)
    with users.opened(ALICE) as tpm, users.opened(BOB) as other:
        held = scarcity.take_all(tpm)
        module.set_parameter("kernel_reserve", 6)
        for handle in held:
            tpm.call(wire.POLICY_GET_DIGEST, (handle,))
        control.set_policy(tpm, control.NEVER)
        for handle in held[:4]:
            tpm.flush(handle)
        with expect.answered(wire.MANAGER | wire.SESSION_HANDLES):
            other.start()
        tpm.flush(held[4])
        other.start()


def need(*options):
    missing = [option for option in options if not configured(option)]
    if missing:
        raise Skip(f"this kernel does not use the TPM so: {missing[0]} is off")


@contextlib.contextmanager
def storage_key():
    """A key that stays in the TPM, which the kernel can name."""
    with tss.Tpm() as tpm:
        key = tpm.primary()
        keep = wire.struct.pack(">I", PERSISTENT)
        tpm.call(wire.EVICT_CONTROL, (wire.OWNER, key), keep, (wire.PASSWORD,))
        try:
            yield
        finally:
            tpm.call(wire.EVICT_CONTROL, (wire.OWNER, PERSISTENT), keep, (wire.PASSWORD,))


# How many bytes the kernel's random number core keeps: a cache line.
FILL = 64


def add_key(name, payload):
    """A new trusted key in the keyring of this process."""
    key = module.libc.syscall(SYS_ADD_KEY, b"trusted", name.encode(), payload, len(payload), PROCESS_KEYRING)
    if key < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return key


def seal(name):
    """Has the kernel seal a new key in the TPM; returns what it made of it."""
    key = add_key(f"sealed {name}", b"new 32 keyhandle=%#x" % PERSISTENT)
    blob = ctypes.create_string_buffer(4096)
    size = module.libc.syscall(SYS_KEYCTL, KEYCTL_READ, key, blob, len(blob))
    assert size > 0, "the key cannot be read"
    return blob.raw[:size]


def unseal(name, blob):
    """Has the kernel unseal it."""
    add_key(f"unsealed {name}", b"load %s keyhandle=%#x" % (blob, PERSISTENT))


@test(control=NOTHING, limit=120)
def g9_the_kernel_seals_and_unseals_a_key():
    """Must-show 5: in sessions of its own, on which the key depends."""
    need("CONFIG_TCG_TPM2_HMAC", "CONFIG_TRUSTED_KEYS_TPM")
    with storage_key(), users_have_all():
        for number in range(3):
            unseal(number, seal(number))


def occupy(things):
    """Has all of these in the TPM, as many as it has room for."""
    # For the raw node the kernel ends its own session, which would take the room of one.
    with tss.Tpm(tss.RAW) as raw:
        raw.test_result()
    for thing in things:
        thing.check()
    before = counters()["loads"]
    for thing in things:
        thing.check()
    expect.equal(counters()["loads"] - before, 0, "what was not in the TPM any more")


@test(control=NOTHING, limit=120)
def g9_the_kernel_seals_and_unseals_a_key_while_all_slots_are_occupied():
    """By contexts that stay: for each step the kernel finds an empty TPM, and the client finds its own again."""
    need("CONFIG_TCG_TPM2_HMAC", "CONFIG_TRUSTED_KEYS_TPM")
    with storage_key(), tss.Tpm() as tpm:
        module.set_parameter("idle_ms", scarcity.LONG)
        things = [tss.Key(tpm, b"%d" % number) for number in range(foreign.SLOTS)]
        things += [tss.Session(tpm, number) for number in range(foreign.SLOTS)]
        for number in range(3):
            occupy(things)
            before = counters()["barriers"]
            blob = seal(number)
            expect.equal(counters()["barriers"] - before, 1, "how often all had to leave for the sealing")
            occupy(things)
            before = counters()["barriers"]
            unseal(number, blob)
            expect.equal(counters()["barriers"] - before, 1, "how often all had to leave for the unsealing")


@test(control=NOTHING, limit=240)
def g9_the_kernel_seals_and_unseals_keys_among_a_client_at_full_speed():
    need("CONFIG_TCG_TPM2_HMAC", "CONFIG_TRUSTED_KEYS_TPM")
    board = foreign.Board(1)
    with storage_key(), workers(foreign.client(board, 0)):
        chip.wait_for("the client's work", lambda: board.commands()[0] > 0)
        for number in range(20):
            before = board.commands()
            unseal(number, seal(number))
            chip.wait_for("more of the client's work", lambda: board.commands() > before)  # pylint: disable=cell-var-from-loop
    note(f"20 keys were sealed and unsealed among {board.commands()[0]} commands of a client")


@test(control=NOTHING, limit=120)
def g9_the_kernel_takes_random_numbers():
    """Must-show 5: in a session of its own, again and again. The machine's own chip is no source of them."""
    need("CONFIG_TCG_TPM2_HMAC", "CONFIG_HW_RANDOM_TPM")
    with chip.Relay() as relay:
        with open(f"{HWRNG}/rng_current", "w") as file:
            file.write(f"tpm-rng-{relay.number}")
        with users_have_all(relay.node) as (tpm, held), open("/dev/hwrng", "rb", buffering=0) as rng:
            started = relay.count(wire.START_AUTH_SESSION)
            found = set()
            for _ in range(10):
                # As much as the kernel takes from a chip at a time, or it would have some left.
                found.add(rng.read(FILL))
                # The kernel ends its session for whoever uses the raw node.
                with tss.Tpm(f"/dev/tpm{relay.number}") as raw:
                    raw.test_result()
            expect.equal({len(some) for some in found}, {FILL}, "the lengths of random numbers")
            expect.equal(len(found), 10, "how many of them are different")
            started = relay.count(wire.START_AUTH_SESSION) - started
            note(f"for 10 random numbers the kernel started {started} sessions of its own")
            assert started >= 10, "the kernel needed fewer"
            for handle in held:
                tpm.call(wire.POLICY_GET_DIGEST, (handle,))


@test(control=NOTHING, limit=120)
def g7_sessions_of_the_raw_node_are_not_taken_while_it_is_open():
    """They count: so much less is there for users."""
    scarcity.terms(lease=scarcity.SHORT, wait=400)
    with users.opened(ALICE) as tpm, users.opened(BOB) as other:
        with tss.Tpm(tss.RAW) as raw:
            theirs = [tss.Session(raw, 1)]
            contexts = saved(raw, 10)
            control.set_policy(tpm, control.NEVER)
            held = scarcity.take(tpm, scarcity.FOR_USERS - 11)
            with expect.answered(wire.MANAGER | wire.SESSION_HANDLES):
                other.start()
            for handle, context in contexts.items():
                expect.equal(raw.load(context), handle, "the handle")
                raw.flush(handle)
            theirs[0].check()
            theirs[0].flush()
            # A number that was freed behind the driver's back is found.
            scarcity.take(other, 10)
        for handle in held:
            tpm.call(wire.POLICY_GET_DIGEST, (handle,))


@test(control=NOTHING)
def a_session_that_ends_behind_the_drivers_back_is_found():
    """Who waits gets its number, and who had it is told."""
    scarcity.terms(lease=300)
    with users.opened(ALICE) as tpm:
        control.set_policy(tpm, control.NEVER)
        held = scarcity.take_all(tpm)
        waiter, = scarcity.queue(BOB)
        with tss.Tpm(tss.RAW) as raw:
            raw.flush(held[7])
        waiter.handle()
        expect.equal(control.lost(tpm), [held[7]], "the lost sessions")
        waiter.close()


@test(control=NOTHING)
def g1_stray_sessions_are_reclaimed():
    """Sessions that somebody left in the TPM by the raw node, or a kernel before this one."""
    scarcity.terms(lease=1000)
    with tss.Tpm(tss.RAW) as raw:
        saved(raw, 30)
    with users.opened(ALICE) as tpm:
        scarcity.take(tpm)
        # Each of ours had a lease that began after theirs, or soon before.
        lost = control.info(tpm).lost
        note(f"beside 30 stray sessions, who takes all loses {lost}")
    with tss.Tpm(tss.RAW) as raw:
        left = tss.left_behind(raw)["saved sessions"]
        assert len(left) <= 2, f"{len(left)} of 30 stray sessions are left"
        tss.sweep(raw)
