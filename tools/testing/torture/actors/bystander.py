# SPDX-License-Identifier: GPL-2.0
"""Who minds his own business: whatever others do, what he has is there, and right.

He has less than his share of sessions, so that he may lose none, and is never
refused anything but a first session, when others have them all for good.
"""

import select

from harness import tss, wire

from .clients import NONE_FREE

KEYS, SESSIONS = 3, 2
# After so many updates a sequence is completed, and its hash compared.
UPDATES = 50


def bystander(row, rng):
    """Checks all that he has, again and again, until everybody is told to end."""
    with tss.Tpm() as tpm:
        keys = [tss.Key(tpm, rng.randbytes(24)) for _ in range(KEYS)]
        sessions = [session(tpm, row, number) for number in range(SESSIONS)]
        sessions = [one for one in sessions if one]
        sequence, updates = tss.Hash(tpm), 0
        while not row.ledger.is_paused():
            for thing in rng.sample(keys + sessions, len(keys + sessions)):
                thing.check()
                row.add("bystander_checks")
            sequence.update(rng.randbytes(rng.randrange(1, 200)))
            updates += 1
            if updates == UPDATES:
                sequence.complete()
                sequence, updates = tss.Hash(tpm), 0
            if rng.random() < 0.2:
                key = tss.Key(tpm, rng.randbytes(8))
                key.check()
                key.flush()
            if rng.random() < 0.1:
                # Long enough for what he has to leave the TPM.
                select.select([], [], [], rng.random() * 2)
        sequence.complete()
        for thing in keys + sessions:
            thing.check()


def session(tpm, row, mark):
    """A session, as soon as there is one."""
    while not row.ledger.is_paused():
        try:
            return tss.Session(tpm, mark)
        except wire.Rc as answer:
            if answer.code not in NONE_FREE:
                raise
            row.add("sessions_refused")
    return None
