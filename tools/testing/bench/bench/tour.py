# SPDX-License-Identifier: GPL-2.0
"""A tour of tpm2-tools, in the guest. Each step is a process, and finds what earlier ones made in files."""

import os
import subprocess
import tempfile

from harness import tss

from . import counters, ways

INDEX = "0x1500016"
PERSISTENT = "0x81010001"
SECRET = "what the policy guards"

# A step can be several tools, where one alone is not a thing that people do.
STEPS = {
    "getrandom": ["tpm2_getrandom --hex 16"],
    "pcrread": ["tpm2_pcrread sha256:0,1,2"],
    "pcrextend": ["tpm2_pcrextend 16:sha256=" + "5a" * 32],
    "hash": ["tpm2_hash -g sha256 -o hash message"],
    "createprimary": ["tpm2_createprimary -Q -C o -G ecc -c primary.ctx"],
    "create": ["tpm2_create -Q -G ecc -C primary.ctx -u key.pub -r key.priv"],
    "load": ["tpm2_load -Q -C primary.ctx -u key.pub -r key.priv -c key.ctx"],
    "readpublic": ["tpm2_readpublic -Q -c key.ctx"],
    "sign": ["tpm2_sign -c key.ctx -g sha256 -o signature message"],
    "verifysignature": ["tpm2_verifysignature -Q -c key.ctx -g sha256 -m message -s signature"],
    "start_hmac_session": ["tpm2_startauthsession --hmac-session -S hmac.ctx"],
    "sign_with_session": ["tpm2_sign -c key.ctx -g sha256 -o signature message -p session:hmac.ctx"],
    "sign_with_session_again": ["tpm2_sign -c key.ctx -g sha256 -o signature message -p session:hmac.ctx"],
    "flush_session": ["tpm2_flushcontext hmac.ctx"],
    "policy": ["tpm2_startauthsession -S trial.ctx",
               "tpm2_policycommandcode -Q -S trial.ctx -L policy TPM2_CC_Unseal",
               "tpm2_flushcontext trial.ctx"],
    "seal": ["tpm2_create -Q -C primary.ctx -i secret -L policy -u sealed.pub -r sealed.priv",
             "tpm2_load -Q -C primary.ctx -u sealed.pub -r sealed.priv -c sealed.ctx"],
    "start_policy_session": ["tpm2_startauthsession --policy-session -S session.ctx"],
    "satisfy_policy": ["tpm2_policycommandcode -Q -S session.ctx TPM2_CC_Unseal"],
    "unseal": ["tpm2_unseal -c sealed.ctx -p session:session.ctx"],
    "flush_policy_session": ["tpm2_flushcontext session.ctx"],
    "nvdefine": [f"tpm2_nvdefine -Q -C o -s 32 {INDEX}"],
    "nvwrite": [f"tpm2_nvwrite -Q -C o -i digest {INDEX}"],
    "nvread": [f"tpm2_nvread -C o -s 32 -o found {INDEX}"],
    "nvundefine": [f"tpm2_nvundefine -Q -C o {INDEX}"],
    "evictcontrol": [f"tpm2_evictcontrol -Q -C o -c primary.ctx {PERSISTENT}"],
    "use_persistent": [f"tpm2_create -Q -G ecc -C {PERSISTENT} -u key.pub -r key.priv"],
    "evictcontrol_back": [f"tpm2_evictcontrol -Q -C o -c {PERSISTENT}"],
}


class Marker:
    """A program that marks the TPM's log, on the way that is looked at."""

    def __init__(self, client, way):
        self.process = subprocess.Popen([client, "marks", ways.TARGETS[way]], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)

    def mark(self, text):
        self.process.stdin.write(f"{text}\n")
        self.process.stdin.flush()
        if self.process.stdout.readline() != f"{text}\n":
            raise RuntimeError("a mark was not made")

    def end(self):
        self.process.stdin.close()
        self.process.wait()


def folder():
    """What the tools find and leave."""
    path = tempfile.mkdtemp()
    for name, text in (("message", "a message"), ("secret", SECRET), ("digest", "d" * 32)):
        with open(os.path.join(path, name), "w") as file:
            file.write(text)
    return path


def run(tools, path, way):
    """Runs the tools of a step; returns what was wrong, or nothing."""
    environment = dict(os.environ, TPM2TOOLS_TCTI=ways.tcti(way), TSS2_LOG="all+none")
    for tool in tools:
        done = subprocess.run(tool.split(), cwd=path, env=environment, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
                              check=False)
        if done.returncode:
            return f"{tool.split()[0]}: {(done.stdout.strip().splitlines() or ['it fails'])[-1]}"
    return ""


def steps(client, way):
    """Makes the tour; yields what came of each step."""
    marker = Marker(client, way)
    path = folder()
    for name, tools in STEPS.items():
        mark = f"{way}_tour_{name}"
        marker.mark(f"begin {mark}")
        before = counters.sent() if way == "tpmrm" else 0
        wrong = run(tools, path, way)
        driver = counters.sent() - before if way == "tpmrm" else -1
        marker.mark(f"end {mark}")
        yield {"toured": name, "way": way, "wrong": wrong, "driver": driver}
    marker.end()
    if way == "raw":
        # Nobody has cleaned up behind the tools.
        with tss.Tpm(tss.RAW) as raw:
            tss.sweep(raw)
