# SPDX-License-Identifier: GPL-2.0
"""A client for whom the driver gets no memory, now and then: it is told so, and that is all."""

import errno

from harness import tss

from .clients import Client, lives

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


class Persistent(tss.Tpm):
    """An open node, of which no call is given up."""

    def __init__(self, row, node, flags):
        self.row = row
        super().__init__(node, flags)

    def write(self, data):
        return persist(self.row, lambda: super(Persistent, self).write(data))

    def read(self, size=tss.LARGEST):
        """What could not be copied is still there."""
        return persist(self.row, lambda: super(Persistent, self).read(size))


class Unlucky(Client):
    """As any client, but for its luck."""

    def opened(self, node, flags):
        return persist(self.row, lambda: Persistent(self.row, node, flags))

    def ask(self):
        persist(self.row, super().ask)


def unlucky(row, rng):
    """Uses everything that there is, and everything stays what it is."""
    def life():
        with Unlucky(row, rng) as client:
            for _ in range(rng.randrange(5, 60)):
                if row.ledger.is_paused():
                    return
                client.step()
    lives(row, rng, life)
