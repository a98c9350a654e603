# SPDX-License-Identifier: GPL-2.0
"""tpm2-tools: each tool is a process of its own, and opens the node for itself.

What one tool makes, the next one finds in a file. The last step puts all tools
behind one descriptor, as a daemon that serves several programs would.
"""

import functools
import os
import re
import subprocess
import sys
import tempfile

from harness import tss

from . import programs
from .step import Fails, first_code, step

KEYS = 8
SECRET = "what the policy guards"
HERE = os.path.dirname(os.path.abspath(__file__))


@functools.cache
def folder():
    """Where the tools keep their files."""
    path = tempfile.mkdtemp()
    for name, text in (("message", "a message"), ("secret", SECRET)):
        with open(os.path.join(path, name), "w") as file:
            file.write(text)
    return path


@functools.cache
def environment():
    return programs.environment()


def begin(tool, *arguments, tcti=f"device:{tss.NODE}"):
    return subprocess.Popen(["tpm2", tool, *arguments], cwd=folder(), stdin=subprocess.DEVNULL,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                            env=dict(environment(), TPM2TOOLS_TCTI=tcti))


def end(process):
    said, complained = process.communicate()
    if process.returncode:
        code = first_code(complained) or (complained.strip().splitlines() or ["no reason"])[-1]
        raise Fails(f"tpm2_{process.args[1]}: {code}")
    return said


def run(tool, *arguments, **more):
    return end(begin(tool, *arguments, **more))


@step("tpm2-tools: make a primary key")
def primary():
    run("createprimary", "-Q", "-G", "ecc", "-c", "primary.ctx")


@step(f"tpm2-tools: make and load {KEYS} keys, contexts in files")
def keys():
    for number in range(KEYS):
        run("create", "-Q", "-C", "primary.ctx", "-G", "ecc", "-c", f"{number}.ctx")


@step("tpm2-tools: sign with the first and the last, verify")
def sign():
    for number in (0, KEYS - 1):
        run("sign", "-Q", "-c", f"{number}.ctx", "-o", "signature", "message")
        run("verifysignature", "-Q", "-c", f"{number}.ctx", "-m", "message", "-s", "signature")


@step("tpm2-tools: seal a secret under a policy")
def seal():
    run("startauthsession", "-S", "trial.ctx")
    run("policycommandcode", "-Q", "-S", "trial.ctx", "-L", "policy", "TPM2_CC_Unseal")
    run("flushcontext", "trial.ctx")
    run("create", "-Q", "-C", "primary.ctx", "-i", "secret", "-L", "policy", "-c", "sealed.ctx")


def unseal(name):
    """A generator that starts one tool after the other, and waits for it when it goes on."""
    for tool, *arguments in (
            ("startauthsession", "--policy-session", "-S", name),
            ("policycommandcode", "-Q", "-S", name, "TPM2_CC_Unseal"),
            ("unseal", "-c", "sealed.ctx", "-p", f"session:{name}")):
        process = begin(tool, *arguments)
        yield
        said = end(process)
    if said != SECRET:
        raise Fails("the secret is another one")
    run("flushcontext", name)


@step("tpm2-tools: unseal by a policy session kept in a file")
def unseal_once():
    for _ in unseal("session.ctx"):
        pass


@step("tpm2-tools: two programs unseal at the same time")
def unseal_twice():
    # Both have started a tool before either of them waits.
    for _ in zip(unseal("one.ctx"), unseal("two.ctx")):
        pass


class OneDescriptor:
    """A process that has the node open once, and the way to it for all tools."""

    def __enter__(self):
        path = os.path.join(folder(), "socket")
        self.process = subprocess.Popen([sys.executable, os.path.join(HERE, "broker.py"), path], text=True,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.process.stdout.readline()
        self.tcti = f"cmd:socat - UNIX-CONNECT:{path}"
        return self

    def __exit__(self, *_):
        self.process.terminate()
        # An errno of the node cannot be told to a tool, which wants a response.
        complained = self.process.communicate()[1].split()
        if complained:
            raise Fails(f"the node says {complained[0]}")

    def run(self, tool, *arguments):
        return run(tool, *arguments, tcti=self.tcti)

    def objects(self):
        """The handles of the objects in the descriptor."""
        return re.findall(r"0x[0-9A-F]{8}", self.run("getcap", "handles-transient"))


@step(f"tpm2-tools: {KEYS} keys loaded in one descriptor, sign with two")
def keys_in_one_descriptor():
    loaded = 0
    try:
        with OneDescriptor() as shared:
            shared.run("createprimary", "-Q", "-G", "ecc", "-c", "unused.ctx")
            parent, = shared.objects()
            while loaded < KEYS:
                shared.run("create", "-Q", "-C", parent, "-G", "ecc", "-c", "unused.ctx")
                loaded += 1
            keys = [handle for handle in shared.objects() if handle != parent]
            for key in (keys[0], keys[-1]):
                shared.run("sign", "-Q", "-c", key, "-o", "signature", "message")
    except Fails as why:
        raise Fails(f"{loaded} keys, then {why}") from None
    if len(keys) != KEYS:
        raise Fails(f"{len(keys)} keys are listed")
