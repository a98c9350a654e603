# SPDX-License-Identifier: GPL-2.0
"""Those beside the node: raw users, and the kernel itself."""

import ctypes
import errno
import os
import select

from harness import module, tss, wire

from .ledger import Awake

PCR = "/sys/class/tpm/tpm0/pcr-sha256/16"
PERSISTENT = 0x81000001
SYS_ADD_KEY, SYS_KEYCTL = 248, 250
KEYCTL_READ, KEYCTL_REVOKE = 11, 3
PROCESS_KEYRING = -2
# The kernel's own session may be there, when it has those.
KERNELS = 1


def pause(rng, seconds):
    select.select([], [], [], rng.random() * seconds)


def opened_raw(row):
    """The raw node, which only one can have open."""
    while not row.ledger.is_paused():
        try:
            return tss.Tpm(tss.RAW)
        except OSError as error:
            if error.errno != errno.EBUSY:
                raise
            select.select([], [], [], 0.01)
    return None


def raw_user(row, rng):
    """Finds an empty TPM, uses it, and leaves it empty."""
    while not row.ledger.is_paused():
        raw = opened_raw(row)
        if raw is None:
            return
        with raw:
            for _ in range(rng.randrange(1, 20)):
                look(raw, row)
                if rng.random() < 0.3:
                    use_key(raw, row, rng)
                if row.ledger.is_paused():
                    return
        pause(rng, 0.2)


def use_key(raw, row, rng):
    """Nobody takes a raw user's key away; but it does not live through a sleep."""
    awake = Awake(row.ledger)
    try:
        key = tss.Key(raw, rng.randbytes(16))
        key.check()
        pause(rng, 0.05)
        key.check()
        key.flush()
    except wire.Rc:
        if awake.is_whole():
            raise
    row.add("raw_objects")


def look(raw, row):
    """What a raw user sees of others: nothing."""
    objects = raw.handles(wire.FIRST_TRANSIENT)
    sessions = raw.handles(wire.FIRST_LOADED_SESSION)
    if objects or len(sessions) > KERNELS:
        raise AssertionError(f"a raw user sees objects {objects} and loaded sessions {sessions} of others")
    raw.random()
    row.add("raw_commands", 3)


def kernel_user(row, rng):
    """Reads PCRs, which the kernel does without a space; and seals and unseals keys, where it can."""
    sealing = can_seal()
    while not row.ledger.is_paused():
        with open(PCR) as file:
            if len(file.read().strip()) != 64:
                raise AssertionError("a PCR cannot be read")
        row.add("pcr_reads")
        if sealing and rng.random() < 0.2:
            seal(rng.randbytes(4).hex())
            row.add("trusted_keys")
        pause(rng, 0.1)


def add_key(name, payload):
    """A new trusted key in the keyring of this process."""
    key = module.libc.syscall(SYS_ADD_KEY, b"trusted", name.encode(), payload, len(payload), PROCESS_KEYRING)
    if key < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return key


def revoke(key):
    module.libc.syscall(SYS_KEYCTL, KEYCTL_REVOKE, key)


def seal(name):
    """A key that the TPM seals, and unseals again."""
    key = add_key(f"sealed {name}", b"new 32 keyhandle=%#x" % PERSISTENT)
    blob = ctypes.create_string_buffer(4096)
    size = module.libc.syscall(SYS_KEYCTL, KEYCTL_READ, key, blob, len(blob))
    if size <= 0:
        raise AssertionError("a sealed key cannot be read")
    revoke(add_key(f"unsealed {name}", b"load %s keyhandle=%#x" % (blob.raw[:size], PERSISTENT)))
    revoke(key)


def can_seal():
    """Whether this kernel has trusted keys of the TPM."""
    try:
        revoke(add_key("probe", b"new 32 keyhandle=%#x" % PERSISTENT))
    except OSError as error:
        if error.errno != errno.ENODEV:
            raise
        return False
    return True


def keep(tpm, handle):
    """Makes an object persistent, or a persistent one transient no more."""
    tpm.call(wire.EVICT_CONTROL, (wire.OWNER, handle), wire.struct.pack(">I", PERSISTENT), (wire.PASSWORD,))


def random_reader(number):
    """Who has the kernel take random numbers from a chip."""
    def reader(row, rng):
        with open("/sys/class/misc/hw_random/rng_current", "w") as file:
            file.write(f"tpm-rng-{number}")
        with open("/dev/hwrng", "rb", buffering=0) as numbers:
            # Without its chip, the kernel takes them from another one.
            while not row.ledger.is_paused() and os.path.exists(f"/dev/tpmrm{number}"):
                row.add("random_bytes", len(numbers.read(rng.choice((1, 16, 64)))))
                pause(rng, 0.05)
    return unless_gone(reader)


def unless_gone(work):
    """A chip may be pulled out at any time: that is an end as any other."""
    def ends(row, rng):
        try:
            work(row, rng)
        except OSError as error:
            if error.errno not in (errno.ENODEV, errno.EPIPE, errno.EIO, errno.EINVAL, errno.EAGAIN):
                raise
    ends.__name__ = work.__name__
    return ends
