# SPDX-License-Identifier: GPL-2.0
"""Runs the programs of samples/, which scripts/demo has built."""

import os
import subprocess

TREE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
FOLDER = os.path.join(TREE, "build/samples")


def run(name, *arguments):
    """Its status and what it says."""
    done = subprocess.run([os.path.join(FOLDER, name), *arguments], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    return done.returncode, done.stdout


def last(said):
    lines = said.strip().splitlines()
    return lines[-1] if lines else "it says nothing"
