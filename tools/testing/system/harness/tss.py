# SPDX-License-Identifier: GPL-2.0
"""A small TSS: one class for an open node, one method for each thing the tests do with a TPM."""

import contextlib
import hashlib
import hmac
import os
import select
import struct

from . import wire
from .wire import sized

NODE = "/dev/tpmrm0"
RAW = "/dev/tpm0"
LARGEST = 4096
# userWithAuth, and what a key is for.
USE = 0x40
SIGN = 0x40000
PARENT = 0x30072


class Tpm:
    """An open descriptor of a node."""

    def __init__(self, path=NODE, flags=0):
        self.fd = None
        self.fd = os.open(path, os.O_RDWR | os.O_CLOEXEC | flags)

    def close(self):
        if self.fd is not None:
            os.close(self.fd)
            self.fd = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def __del__(self):
        self.close()

    def write(self, data):
        return os.write(self.fd, data)

    def read(self, size=LARGEST):
        return os.read(self.fd, size)

    def transact(self, data):
        """Sends a command as it is, returns the response as it is."""
        self.write(data)
        return self.read()

    def call(self, code, handles=(), parameters=b"", sessions=()):
        """Sends a command; returns what follows the header of a good response."""
        return wire.body_of(code, self.transact(wire.command(code, handles, parameters, sessions)))

    def handle(self, *arguments, **more):
        """Sends a command that answers with a handle first."""
        return struct.unpack_from(">I", self.call(*arguments, **more))[0]

    def random(self, size=8):
        return self.call(wire.GET_RANDOM, parameters=struct.pack(">H", size))[2:]

    def test_result(self):
        """Nothing in the kernel sends this command, so it can be told from the rest."""
        return self.call(wire.GET_TEST_RESULT)

    def mark(self, text):
        """A command that says something to whoever reads the TPM's log."""
        self.call(wire.HASH, parameters=sized(text.encode()) + struct.pack(">HI", wire.SHA256, wire.NO_HIERARCHY))

    def flush(self, handle):
        # The handle is a parameter, by the specification.
        self.call(wire.FLUSH_CONTEXT, parameters=struct.pack(">I", handle))

    def flush_queued(self, handle):
        """The same by a descriptor that does not block."""
        self.write(wire.command(wire.FLUSH_CONTEXT, (handle,)))
        select.select([self.fd], [], [])
        wire.body_of(wire.FLUSH_CONTEXT, self.read())

    def save(self, handle):
        return self.call(wire.CONTEXT_SAVE, (handle,))

    def load(self, context):
        return self.handle(wire.CONTEXT_LOAD, parameters=context)

    def start(self, kind=wire.POLICY_SESSION):
        """Starts a session that is bound to nothing."""
        return started(self.transact(start_command(kind)))

    def read_public(self, handle):
        return self.call(wire.READ_PUBLIC, (handle,))

    def primary(self, kind=wire.ECC):
        """A storage key of the owner, which TPM2_Clear kills."""
        return struct.unpack_from(">I", wire.body_of(wire.CREATE_PRIMARY, self.transact(create_primary(kind))))[0]

    def primary_queued(self, kind=wire.ECC):
        """The same by a descriptor that does not block."""
        self.write(create_primary(kind))
        select.select([self.fd], [], [])
        return struct.unpack_from(">I", wire.body_of(wire.CREATE_PRIMARY, self.read()))[0]

    def clear(self):
        self.call(wire.CLEAR, (wire.PLATFORM,), sessions=(wire.PASSWORD,))

    def capability(self, what, first, count):
        """The answer to one GetCapability: whether there is more, and the raw list."""
        body = self.call(wire.GET_CAPABILITY, parameters=struct.pack(">III", what, first, count))
        more, kind, number = struct.unpack_from(">BII", body)
        assert kind == what, f"asked for capability {what}, got {kind}"
        width = 4 if what == wire.HANDLES else 8
        assert len(body) == 9 + number * width, f"{number} entries in {len(body)} bytes"
        return more, body[9:]

    def handles(self, first, count=254):
        _, found = self.capability(wire.HANDLES, first, count)
        return list(struct.unpack(f">{len(found) // 4}I", found))

    def every_handle(self, first):
        """All handles of a kind, however many the TPM puts in one answer."""
        found = []
        while True:
            more, part = self.capability(wire.HANDLES, first, 254)
            part = struct.unpack(f">{len(part) // 4}I", part)
            found += part
            if not more:
                return found
            assert part, "there is more, and none of it came"
            # Saved sessions are listed by the numbers that they had while they were loaded.
            first = first & 0xFF000000 | part[-1] + 1 & 0x00FFFFFF

    def property(self, number):
        _, found = self.capability(wire.PROPERTIES, number, 1)
        name, value = struct.unpack_from(">II", found)
        assert name == number, f"asked for property {number:#x}, got {name:#x}"
        return value


def start_command(kind):
    """The command for a session that is bound to nothing and has no secret, so that its HMACs are empty."""
    return wire.command(wire.START_AUTH_SESSION, (wire.NO_HIERARCHY, wire.NO_HIERARCHY),
                        sized(bytes(16)) + sized(b"") + struct.pack(">BHH", kind, wire.NULL, wire.SHA256))


START = start_command(wire.POLICY_SESSION)


def started(answer):
    """The handle in the answer to StartAuthSession."""
    return struct.unpack_from(">I", wire.body_of(wire.START_AUTH_SESSION, answer))[0]


def primary_template(kind):
    """The parameters of CreatePrimary for a restricted decryption key."""
    if kind == wire.ECC:
        # AES-128-CFB; no scheme, curve P-256, no KDF; an empty point.
        details = struct.pack(">HHHHHHHH", wire.AES, 128, wire.CFB, wire.NULL, 3, wire.NULL, 0, 0)
    else:
        details = struct.pack(">HHHHHIH", wire.AES, 128, wire.CFB, wire.NULL, 2048, 0, 0)
    public = struct.pack(">HHIH", kind, wire.SHA256, PARENT, 0) + details
    return sized(sized(b"") + sized(b"")) + sized(public) + sized(b"") + struct.pack(">I", 0)


def create_primary(kind=wire.ECC):
    """The whole command."""
    return wire.command(wire.CREATE_PRIMARY, (wire.OWNER,), primary_template(kind), (wire.PASSWORD,))


class Key:
    """An HMAC key of the null hierarchy: cheap, and its results can be foretold."""

    def __init__(self, tpm, secret):
        self.tpm = tpm
        self.secret = secret
        seed = bytes(32)
        unique = hashlib.sha256(seed + secret).digest()
        sensitive = struct.pack(">H", wire.KEYEDHASH) + sized(b"") + sized(seed) + sized(secret)
        public = (struct.pack(">HHIHHH", wire.KEYEDHASH, wire.SHA256, USE | SIGN, 0, wire.HMAC_SCHEME, wire.SHA256)
                  + sized(unique))
        self.handle = tpm.handle(wire.LOAD_EXTERNAL, parameters=sized(sensitive) + sized(public)
                                 + struct.pack(">I", wire.NO_HIERARCHY))

    def check(self, data=b"tpmrm"):
        """Whether the handle stands for this very key."""
        body = self.tpm.call(wire.HMAC, (self.handle,), sized(data) + struct.pack(">H", wire.SHA256),
                             (wire.PASSWORD,))
        size = struct.unpack_from(">H", body, 4)[0]
        wanted = hmac.new(self.secret, data, hashlib.sha256).digest()
        assert body[6:6 + size] == wanted, f"{self.handle:#x} is another key"

    def flush(self):
        self.tpm.flush(self.handle)


class Session:
    """A policy session that bears a mark, so that its digest can be foretold."""

    def __init__(self, tpm, mark=0):
        self.tpm = tpm
        self.handle = tpm.start()
        self.digest = bytes(32)
        self.mark(mark)

    def mark(self, number):
        """Limits the session to a locality that nobody has."""
        locality = struct.pack(">B", 32 + number)
        self.tpm.call(wire.POLICY_LOCALITY, (self.handle,), locality)
        self.digest = hashlib.sha256(self.digest + struct.pack(">I", wire.POLICY_LOCALITY) + locality).digest()

    def check(self, tpm=None):
        """Whether the handle stands for this very session."""
        body = (tpm or self.tpm).call(wire.POLICY_GET_DIGEST, (self.handle,))
        assert body == sized(self.digest), f"{self.handle:#x} is another session"

    def flush(self):
        self.tpm.flush(self.handle)


class Hash:
    """A hash sequence: an object that every command changes."""

    def __init__(self, tpm):
        self.tpm = tpm
        self.state = hashlib.sha256()
        self.handle = tpm.handle(wire.HASH_SEQUENCE_START, parameters=sized(b"") + struct.pack(">H", wire.SHA256))

    def update(self, data):
        self.tpm.call(wire.SEQUENCE_UPDATE, (self.handle,), sized(data), (wire.PASSWORD,))
        self.state.update(data)

    def complete(self):
        """Ends the sequence; its handle is gone then."""
        parameters = sized(b"") + struct.pack(">I", wire.NO_HIERARCHY)
        body = self.tpm.call(wire.SEQUENCE_COMPLETE, (self.handle,), parameters, (wire.PASSWORD,))
        size = struct.unpack_from(">H", body, 4)[0]
        assert body[6:6 + size] == self.state.digest(), f"{self.handle:#x} is another sequence"


def left_behind(raw):
    """What is in the TPM, by the raw node: transient objects, and sessions loaded and saved."""
    return {
        "objects": raw.every_handle(wire.FIRST_TRANSIENT),
        "loaded sessions": raw.every_handle(wire.FIRST_LOADED_SESSION),
        "saved sessions": raw.every_handle(wire.FIRST_SAVED_SESSION),
    }


def sweep(raw):
    """Empties the TPM by the raw node."""
    for handles in left_behind(raw).values():
        for handle in handles:
            # Whoever was killed may be just flushing it.
            with contextlib.suppress(wire.Rc):
                raw.flush(handle)
