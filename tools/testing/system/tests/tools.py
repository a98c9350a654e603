# SPDX-License-Identifier: GPL-2.0
"""tpm2-tools: each tool is a process of its own, which keeps what it needs in files."""

import os
import subprocess
import tempfile

from harness import expect, tss, wire
from harness.runner import test

SECRET = b"what nobody else may know"


class Folder:
    """A folder of files, in which tools are run."""

    def __init__(self):
        self.path = tempfile.mkdtemp()
        self.write("secret", SECRET)

    def write(self, name, data):
        with open(os.path.join(self.path, name), "wb") as file:
            file.write(data)

    def run(self, *argv):
        return subprocess.run(argv, cwd=self.path, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, check=False,
                              env=dict(os.environ, TPM2TOOLS_TCTI=f"device:{tss.NODE}"))

    def good(self, *argv):
        done = self.run(*argv)
        if done.returncode:
            raise AssertionError(f"{' '.join(argv)}: {done.stderr.decode().strip()}")
        return done.stdout


@test(limit=180)
def tools_keep_a_policy_session_in_a_file():
    """Must-show 4 by the tools that people use."""
    folder = Folder()
    folder.good("tpm2_createprimary", "-Q", "-C", "o", "-G", "ecc", "-c", "primary.ctx")
    folder.good("tpm2_startauthsession", "-S", "trial.ctx")
    folder.good("tpm2_policycommandcode", "-Q", "-S", "trial.ctx", "-L", "policy", "TPM2_CC_Unseal")
    folder.good("tpm2_flushcontext", "trial.ctx")
    folder.good("tpm2_create", "-Q", "-C", "primary.ctx", "-i", "secret", "-L", "policy", "-u", "public", "-r", "private")
    folder.good("tpm2_load", "-Q", "-C", "primary.ctx", "-u", "public", "-r", "private", "-c", "sealed.ctx")
    folder.good("tpm2_startauthsession", "--policy-session", "-S", "session.ctx")
    folder.good("tpm2_policycommandcode", "-Q", "-S", "session.ctx", "TPM2_CC_Unseal")
    expect.equal(folder.good("tpm2_unseal", "-c", "sealed.ctx", "-p", "session:session.ctx"), SECRET, "the secret")
    folder.good("tpm2_flushcontext", "session.ctx")
    assert folder.run("tpm2_unseal", "-c", "sealed.ctx", "-p", "session:session.ctx").returncode, \
        "a session is usable after it was flushed"


@test(limit=120)
def a_session_file_of_the_tools_is_not_lost_by_others():
    folder = Folder()
    folder.good("tpm2_startauthsession", "--policy-session", "-S", "session.ctx")
    with tss.Tpm() as tpm:
        for number in range(3):
            tss.Session(tpm, number).check()
    folder.good("tpm2_policylocality", "-Q", "-S", "session.ctx", "three")
    folder.good("tpm2_flushcontext", "session.ctx")
    with tss.Tpm(tss.RAW) as raw:
        expect.equal(raw.every_handle(wire.FIRST_SAVED_SESSION), [], "the sessions in the TPM")


@test(limit=120)
def tools_see_only_their_own():
    folder = Folder()
    with tss.Tpm() as tpm:
        tss.Key(tpm, b"key").check()
        expect.equal(folder.good("tpm2_getcap", "handles-transient").strip(), b"", "the objects that a tool sees")
    folder.good("tpm2_getrandom", "--hex", "8")
