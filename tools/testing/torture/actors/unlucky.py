# SPDX-License-Identifier: GPL-2.0
"""A client for whom the driver gets no memory, now and then: it is told so, and that is all."""

import errno

from harness import tss, wire

from .clients import NONE_FREE, Client, lives

# Of a hundred allocations and copies, so many fail.
PERCENT = 10
# How often the same is tried.
ATTEMPTS = 1000


def persist(row, attempt):
    """Until there is memory. What fails for want of it has cost nothing, so it can be done again."""
    for _ in range(ATTEMPTS):
        try:
            return attempt()
        except OSError as error:
            if error.errno not in (errno.ENOMEM, errno.EFAULT):
                raise
            row.add("allocations_failed")
    raise AssertionError(f"there was no memory {ATTEMPTS} times in a row")


def unlucky(row, rng):
    """Has keys and a session, which stay what they are."""
    def life():
        with persist(row, lambda: Client(row, rng)) as client:
            tpm = client.tpm
            keys = [persist(row, lambda: tss.Key(tpm, rng.randbytes(16))) for _ in range(3)]
            try:
                handle = persist(row, tpm.start)
            except wire.Rc as answer:
                if answer.code not in NONE_FREE:
                    raise
                handle = None
            for _ in range(rng.randrange(1, 20)):
                key = rng.choice(keys)
                with client.careful():
                    persist(row, key.check)
                row.add("keys_checked")
            if handle is not None:
                with client.careful([handle], handle):
                    persist(row, lambda: tpm.flush(handle))
    lives(row, rng, life)
