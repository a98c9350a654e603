# SPDX-License-Identifier: GPL-2.0
"""The clients: each uses a node in its own way until it is told to end, and is killed at any time.

What a client holds must be what it made, always. It may be told that a session
was lost or that there is none for it, since many want more than their share.
"""

import contextlib
import errno
import os
import select

from harness import control, tss, wire

LOST = {wire.MANAGER | base + position for base in (wire.REFERENCE_H0, wire.REFERENCE_S0) for position in range(7)}
NONE_FREE = {wire.MANAGER | wire.SESSION_HANDLES}
# What becomes of a descriptor under the policy "close", and of a chip that is pulled out.
GONE = {errno.EPIPE}
# A node that is just given back, or whose chip is.
NOT_THERE = {errno.ENXIO, errno.ENOENT, errno.ENODEV}
# What one client keeps at most.
OBJECTS, SESSIONS, SEQUENCES = 8, 3, 2


class Over(Exception):
    """This descriptor is of no use any more, for a good reason."""


class Client:
    """An open node, and what was made by it."""

    def __init__(self, row, rng, node=tss.NODE, gone=(), flags=0):
        self.row, self.rng = row, rng
        self.gone = {*GONE, *gone}
        try:
            self.tpm = self.opened(node, flags)
        except OSError as error:
            if error.errno in NOT_THERE:
                raise Over from None
            raise
        self.keys, self.sessions, self.sequences = [], [], []

    def opened(self, node, flags):
        return tss.Tpm(node, flags)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.tpm.close()

    @contextlib.contextmanager
    def careful(self, *things):
        """What may happen to a session, and to nothing else: things are a list and one of its members."""
        try:
            yield
            self.row.add("commands")
        except wire.Rc as answer:
            if answer.code in LOST and things:
                things[0].remove(things[1])
                self.row.add("sessions_lost")
            elif answer.code in NONE_FREE and not things:
                self.row.add("sessions_refused")
            else:
                raise
        except OSError as error:
            if error.errno not in self.gone:
                raise
            raise Over from None

    def some(self, things):
        return self.rng.choice(things) if things else None

    def make_key(self):
        if len(self.keys) < OBJECTS:
            with self.careful():
                self.keys.append(tss.Key(self.tpm, self.rng.randbytes(16)))

    def check_key(self):
        key = self.some(self.keys)
        if key:
            with self.careful():
                key.check(self.rng.randbytes(8))
                self.row.add("keys_checked")

    def flush_key(self):
        key = self.some(self.keys)
        if key:
            with self.careful():
                key.flush()
            self.keys.remove(key)

    def move_key(self):
        """Saves a key's context, flushes the key, and loads it again: it has another handle then."""
        key = self.some(self.keys)
        if key:
            with self.careful():
                context = self.tpm.save(key.handle)
                key.flush()
                key.handle = self.tpm.load(context)

    def start_session(self):
        if len(self.sessions) < SESSIONS:
            with self.careful():
                handle = self.tpm.start()
                session = tss.Session.__new__(tss.Session)
                session.tpm, session.handle, session.digest = self.tpm, handle, bytes(32)
                self.sessions.append(session)

    def check_session(self):
        session = self.some(self.sessions)
        if session:
            with self.careful(self.sessions, session):
                session.check()
                self.row.add("sessions_checked")

    def mark_session(self):
        session = self.some(self.sessions)
        if session:
            with self.careful(self.sessions, session):
                # A policy can be bound to one locality: afterwards the TPM refuses another.
                if session.digest == bytes(32):
                    session.mark(self.rng.randrange(32))

    def flush_session(self):
        session = self.some(self.sessions)
        if session:
            with self.careful(self.sessions, session):
                session.flush()
                self.sessions.remove(session)

    def move_session(self):
        """Saves a session, by which it leaves this descriptor, and claims it again."""
        session = self.some(self.sessions)
        if session:
            with self.careful(self.sessions, session):
                context = self.tpm.save(session.handle)
                self.sessions.remove(session)
                self.claim(session, context)

    def claim(self, session, context):
        """Until then it is nobody's, and may be taken by whoever needs one."""
        try:
            session.handle = self.tpm.load(context)
            self.sessions.append(session)
        except wire.Rc:
            self.row.add("sessions_lost")

    def use_sequence(self):
        if len(self.sequences) < SEQUENCES:
            with self.careful():
                self.sequences.append(tss.Hash(self.tpm))
        else:
            with self.careful():
                self.some(self.sequences).update(self.rng.randbytes(self.rng.randrange(1, 64)))

    def complete_sequence(self):
        sequence = self.some(self.sequences)
        if sequence:
            with self.careful():
                sequence.complete()
                self.row.add("sequences_checked")
            self.sequences.remove(sequence)

    def make_primary(self):
        with self.careful():
            self.tpm.flush(self.tpm.primary(wire.ECC))

    def list_handles(self):
        with self.careful():
            listed = self.tpm.handles(wire.FIRST_TRANSIENT)
            held = sorted(thing.handle for thing in self.keys + self.sequences)
            if listed != held:
                raise AssertionError(f"a space lists {listed}, and holds {held}")

    def ask(self):
        with self.careful():
            control.info(self.tpm)
            control.lost(self.tpm)
            self.row.add("ioctls", 2)

    def step(self):
        self.rng.choice((
            self.make_key, self.check_key, self.check_key, self.flush_key, self.move_key, self.start_session,
            self.check_session, self.check_session, self.mark_session, self.flush_session, self.move_session,
            self.use_sequence, self.use_sequence, self.complete_sequence, self.make_primary, self.list_handles,
            self.ask))()


def lives(row, rng, work, node=tss.NODE):
    """One descriptor after the other, until everybody is told to end, or there is no node any more."""
    while not row.ledger.is_paused() and os.path.exists(node):
        try:
            work()
        except Over:
            select.select([], [], [], rng.random() / 20)


def honest(row, rng, node=tss.NODE, gone=()):
    """Uses everything that there is, in any order."""
    def life():
        with Client(row, rng, node, gone) as client:
            for _ in range(rng.randrange(5, 200)):
                if row.ledger.is_paused():
                    return
                client.step()
    lives(row, rng, life, node)


def greedy(row, rng):
    """Wants far more sessions than its share, reserves some, and leaves some saved, as nobody's."""
    def life():
        with Client(row, rng) as client:
            with contextlib.suppress(OSError):
                control.set_policy(client.tpm, rng.choice((control.DEFAULT, control.FAIL, control.CLOSE)))
                row.add("ioctls")
            for _ in range(rng.randrange(2, 30)):
                if row.ledger.is_paused():
                    return
                with client.careful():
                    handle = client.tpm.start()
                    if rng.random() < 0.2:
                        leave(client, handle)
            with client.careful():
                reserve(client.tpm, rng.randrange(4))
                row.add("ioctls")
    lives(row, rng, life)


def leave(client, handle):
    """Saves a session and forgets it."""
    try:
        client.tpm.save(handle)
    except wire.Rc as answer:
        if answer.code not in LOST:
            raise
        client.row.add("sessions_lost")


def reserve(tpm, count):
    """That takes the policy "never", which this one may not have."""
    try:
        control.reserve(tpm, count)
    except OSError as error:
        if error.errno not in (errno.EPERM, errno.ETIMEDOUT, errno.EINVAL, errno.EPIPE):
            raise


def queued(row, rng):
    """Does not wait for the TPM; polls for some answers, and closes before others."""
    commands = (tss.create_primary(wire.ECC), tss.START, wire.command(wire.GET_TEST_RESULT),
                wire.command(wire.GET_RANDOM, parameters=b"\0\x10"))

    def life():
        with Client(row, rng, flags=os.O_NONBLOCK) as client:
            for _ in range(rng.randrange(1, 12)):
                with client.careful():
                    client.tpm.write(rng.choice(commands))
                    row.add("queued")
                    if rng.random() < 0.15:
                        return
                    answer(client.tpm)
    lives(row, rng, life)


def answer(tpm):
    """Reads what came of a queued command. Where there is a response, there is no waiting for it; but a hang-up for a
    lost session can come while the command is under way."""
    poller = select.poll()
    poller.register(tpm.fd, select.POLLIN)
    while True:
        [(_, events)] = poller.poll()
        try:
            return tpm.read()
        except BlockingIOError:
            if events & select.POLLIN:
                raise
            select.select([], [], [], 0.01)
