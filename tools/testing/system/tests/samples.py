# SPDX-License-Identifier: GPL-2.0
"""The samples do what they say."""

import os
import subprocess

from harness import module, scarcity
from harness.runner import FAILS, NOTHING, PASSES, test

FOLDER = os.path.join(os.path.dirname(os.environ["TPMRM_PROGRAMS"]), "samples")


def works(name, *arguments):
    done = subprocess.run([os.path.join(FOLDER, name), *arguments], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    assert done.returncode == 0, f"{name} ended with status {done.returncode}: {done.stdout}"


@test(control=FAILS)
def sample_many_objects():
    works("many-objects")


@test(control=FAILS)
def sample_many_sessions():
    works("many-sessions")


@test(control=PASSES)
def sample_session_across_processes():
    works("session-across-processes", "/tmp/sample-session")


@test(control=FAILS)
def sample_refused_handle():
    works("refused-handle")


@test(control=NOTHING, limit=120)
def sample_poll_loop():
    works("poll-loop")


@test(control=FAILS)
def sample_session_loss():
    if module.is_loaded():
        scarcity.terms(lease=500, wait=5000)
    works("session-loss")
