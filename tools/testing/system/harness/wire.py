# SPDX-License-Identifier: GPL-2.0
"""TPM 2.0 on the wire: numbers, commands and responses as bytes."""

import struct

NO_SESSIONS = 0x8001
SESSIONS = 0x8002

# Commands.
EVICT_CONTROL = 0x120
CLEAR = 0x126
CREATE_PRIMARY = 0x131
DICTIONARY_ATTACK_LOCK_RESET = 0x139
SEQUENCE_COMPLETE = 0x13E
POLICY_SECRET = 0x151
HMAC = 0x155
SEQUENCE_UPDATE = 0x15C
CONTEXT_LOAD = 0x161
CONTEXT_SAVE = 0x162
FLUSH_CONTEXT = 0x165
LOAD_EXTERNAL = 0x167
POLICY_LOCALITY = 0x16F
READ_PUBLIC = 0x173
START_AUTH_SESSION = 0x176
GET_CAPABILITY = 0x17A
GET_RANDOM = 0x17B
HASH = 0x17D
GET_TEST_RESULT = 0x17C
HASH_SEQUENCE_START = 0x186
POLICY_GET_DIGEST = 0x189
SET_LOCALITY = 0x20001000

# Algorithms.
RSA = 0x01
HMAC_SCHEME = 0x05
AES = 0x06
KEYEDHASH = 0x08
SHA256 = 0x0B
NULL = 0x10
ECC = 0x23
CFB = 0x43

# Handles.
OWNER = 0x40000001
NO_HIERARCHY = 0x40000007
PASSWORD = 0x40000009
LOCKOUT = 0x4000000A
PLATFORM = 0x4000000C
FIRST_TRANSIENT = 0x80000000
FIRST_LOADED_SESSION = 0x02000000
FIRST_SAVED_SESSION = 0x03000000

# Kinds of sessions.
HMAC_SESSION, POLICY_SESSION = 0, 1

# Response codes; the layer of a resource manager is added by whoever decides.
MANAGER = 11 << 16
COMMAND_CODE = 0x143
OBJECT_MEMORY = 0x902
SESSION_MEMORY = 0x903
SESSION_HANDLES = 0x905
REFERENCE_H0 = 0x910
REFERENCE_S0 = 0x918

HANDLES = 1
PROPERTIES = 6

# Properties.
MOST_ACTIVE_SESSIONS = 0x111
LOCKOUT_COUNTER = 0x20E

HEADER = struct.Struct(">HII")


class Rc(Exception):
    """A response code that is not success."""

    def __init__(self, command, code):
        super().__init__(f"command {command:#x} was answered {code:#x}")
        self.command = command
        self.code = code


def sized(data):
    """A TPM2B."""
    return struct.pack(">H", len(data)) + data


CONTINUE_SESSION, AUDIT = 0x01, 0x80


def command(code, handles=(), parameters=b"", sessions=(), attributes=CONTINUE_SESSION, password=b""):
    """A whole command; sessions are handles that authorize with a password, which is empty as a rule."""
    body = b"".join(struct.pack(">I", handle) for handle in handles)
    if sessions:
        # A nonce, the attributes and an HMAC or password.
        area = b"".join(struct.pack(">IHB", handle, 0, attributes) + sized(password) for handle in sessions)
        body += struct.pack(">I", len(area)) + area
    body += parameters
    tag = SESSIONS if sessions else NO_SESSIONS
    return HEADER.pack(tag, HEADER.size + len(body), code) + body


def code_of(message):
    """The command code of a command, or the response code of a response."""
    return HEADER.unpack_from(message)[2]


def first_word(message):
    """What follows the header: the first handle as a rule."""
    return struct.unpack_from(">I", message, HEADER.size)[0]


def response(code, body=b""):
    return HEADER.pack(NO_SESSIONS, HEADER.size + len(body), code) + body


def body_of(command_code, answer):
    """What follows the header of a good response."""
    if len(answer) < HEADER.size or HEADER.unpack_from(answer)[1] != len(answer):
        raise AssertionError(f"this is no response: {answer.hex() or 'nothing'}")
    if code_of(answer) != 0:
        raise Rc(command_code, code_of(answer))
    return answer[HEADER.size:]
