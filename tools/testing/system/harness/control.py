# SPDX-License-Identifier: GPL-2.0
"""The ioctls of the node, written down once more: what programs were compiled with must stay good.

Beside include/uapi/linux/tpmrm.h, with whose numbers a test compares these.
"""

import dataclasses
import fcntl
import struct

TYPE = 0xBB
READ, WRITE = 2, 1
DEFAULT, FAIL, CLOSE, NEVER = range(4)
CLOSED = 1
LISTED = 60


def request(direction, number, form):
    return direction << 30 | form.size << 16 | TYPE << 8 | number


INFO = struct.Struct("=8I")
PAIR = struct.Struct("=2I")
LOST = struct.Struct(f"={4 + LISTED}I")

GET_INFO = request(READ, 0, INFO)
SET_POLICY = request(WRITE, 1, PAIR)
RESERVE = request(WRITE, 2, PAIR)
GET_LOST = request(READ | WRITE, 3, LOST)


@dataclasses.dataclass
class Info:
    """What a descriptor says of itself."""

    version: int
    policy: int
    reserved: int
    lost: int
    flags: int


def info(tpm):
    answer = INFO.unpack(fcntl.ioctl(tpm.fd, GET_INFO, bytes(INFO.size)))
    assert not any(answer[5:]), f"reserved fields are not zero: {answer[5:]}"
    return Info(*answer[:5])


def set_policy(tpm, policy):
    fcntl.ioctl(tpm.fd, SET_POLICY, PAIR.pack(policy, 0))


def reserve(tpm, sessions):
    fcntl.ioctl(tpm.fd, RESERVE, PAIR.pack(sessions, 0))


def lost_from(tpm, first):
    """The total, and as many of the lost handles as there is room for."""
    answer = LOST.unpack(fcntl.ioctl(tpm.fd, GET_LOST, LOST.pack(first, *[0] * (LOST.size // 4 - 1))))
    skipped, count, total, reserved, *handles = answer
    assert (skipped, reserved) == (first, 0), f"fields changed: {answer[:4]}"
    assert not any(handles[count:]), "there is something behind the handles"
    return total, handles[:count]


def lost(tpm):
    """All lost handles."""
    total, handles = lost_from(tpm, 0)
    while len(handles) < total:
        _, more = lost_from(tpm, len(handles))
        assert more, f"{total} are lost, and {len(handles)} are listed"
        handles += more
    return handles
