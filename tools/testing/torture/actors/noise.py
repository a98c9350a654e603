# SPDX-License-Identifier: GPL-2.0
"""Who writes anything at all to the node, and calls any ioctl."""

import errno
import fcntl
import os
import select

from harness import control, tss, wire

from .clients import Client, lives

# Commands that would change the machine's TPM for everybody, as their owner or the firmware may:
# NV and PCR definitions, hierarchies, Clear, clock, lockout, startup and shutdown, upgrades.
CHANGES = {0x11F, 0x120, 0x121, 0x122, 0x124, 0x125, 0x126, 0x127, 0x128, 0x129, 0x12A, 0x12B, 0x12C, 0x12D, 0x12E,
           0x12F, 0x130, 0x132, 0x139, 0x13A, 0x13F, 0x140, 0x141, 0x144, 0x145}
# What the driver and the VFS may say.
ALLOWED = {errno.EINVAL, errno.E2BIG, errno.EBUSY, errno.EAGAIN, errno.EPIPE, errno.ENOTTY, errno.EFAULT,
           errno.EPERM, errno.ETIMEDOUT}
LARGEST = 5000
# Seconds until one who does not wait no longer looks for a response.
PATIENCE = 0.2


def templates():
    """Good commands, to be spoilt."""
    return (tss.START, tss.create_primary(wire.ECC), wire.command(wire.GET_TEST_RESULT),
            wire.command(wire.FLUSH_CONTEXT, (0x80000000,)), wire.command(wire.CONTEXT_SAVE, (0x02000000,)),
            wire.command(wire.CONTEXT_LOAD, parameters=bytes(64)),
            wire.command(wire.POLICY_GET_DIGEST, (0x03000001,)),
            wire.command(wire.GET_CAPABILITY, parameters=bytes.fromhex("000000018000000000000010")),
            wire.command(wire.SEQUENCE_UPDATE, (0x80000001,), wire.sized(b"x"), (wire.PASSWORD,)),
            wire.command(wire.HASH_SEQUENCE_START, parameters=bytes.fromhex("0000000b")))


def spoilt(rng):
    """Random bytes, or a good command with some bits, its size or its end changed."""
    if rng.random() < 0.3:
        return rng.randbytes(rng.choice((0, 1, 9, 10, 11, 64, 4096, 4097, LARGEST)))
    command = bytearray(rng.choice(templates()))
    for _ in range(rng.randrange(4)):
        bit = rng.randrange(len(command) * 8)
        command[bit // 8] ^= 1 << bit % 8
    if rng.random() < 0.3:
        del command[rng.randrange(len(command)):]
    if rng.random() < 0.3:
        command += rng.randbytes(rng.randrange(100))
    return bytes(command)


def is_harmless(command):
    return len(command) < wire.HEADER.size or wire.code_of(command) not in CHANGES


def call(tpm, rng):
    """Any ioctl, and the right ones with any argument."""
    request = rng.choice((control.GET_INFO, control.SET_POLICY, control.RESERVE, control.GET_LOST,
                          rng.randrange(1 << 32)))
    size = request >> 16 & 0x3FFF
    if rng.random() < 0.2:
        # Nowhere, and an address of the kernel's.
        fcntl.ioctl(tpm.fd, request, rng.choice((0, 8, -4096)))
    else:
        fcntl.ioctl(tpm.fd, request, bytearray(rng.randbytes(max(size, 8))))


def noise(row, rng):
    """What comes back does not matter here, but that others do not notice."""
    def life():
        with Client(row, rng, flags=rng.choice((0, os.O_NONBLOCK))) as client:
            for _ in range(rng.randrange(1, 40)):
                if row.ledger.is_paused():
                    return
                try:
                    once(row, rng, client.tpm)
                except OSError as error:
                    if error.errno not in ALLOWED:
                        raise
    lives(row, rng, life)


def once(row, rng, tpm):
    if rng.random() < 0.2:
        row.add("ioctls")
        call(tpm, rng)
        return
    data = spoilt(rng)
    if not is_harmless(data):
        return
    row.add("noise_writes")
    row.add("noise_bytes", len(data))
    tpm.write(data)
    if rng.random() < 0.9:
        select.select([tpm.fd], [], [], PATIENCE)
        while tpm.read(rng.choice((1, 10, 100, tss.LARGEST, tss.LARGEST, tss.LARGEST))):
            pass
