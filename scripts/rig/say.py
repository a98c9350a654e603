# SPDX-License-Identifier: GPL-2.0
"""What the rig tells its user: one line for each step, and how far a long one is.

All of it goes to standard error: standard output belongs to the command that
the user runs.
"""

import os
import subprocess
import sys
import time

INTERVAL = 10


class Failure(Exception):
    """Ends the program with one line that says what is wrong."""


def line(text):
    print(f"rig: {text}", file=sys.stderr, flush=True)


def long_command(what, argv, log, popen=subprocess.Popen):
    """Runs argv with its output in the file log; tells now and then how far it is."""
    began = time.monotonic()
    line(f"{what} ...")
    with open(log, "ab") as out:
        process = popen(
            argv, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT
        )
    try:
        told = began
        while True:
            try:
                status = process.wait(timeout=0.5)
                break
            except subprocess.TimeoutExpired:
                if time.monotonic() - told >= INTERVAL:
                    told = time.monotonic()
                    line(f"{what}: {told - began:.0f} s, now: {last_line(log)}")
    except BaseException:
        process.terminate()
        process.wait()
        raise
    if status != 0:
        tail = "".join(f"\n    {text}" for text in last_lines(log, 15))
        raise Failure(f"{what} failed with status {status}; the end of {log}:{tail}")
    line(f"{what}: done in {time.monotonic() - began:.0f} s")


def last_lines(path, count):
    with open(path, "rb") as file:
        file.seek(max(0, os.fstat(file.fileno()).st_size - 8192))
        text = file.read().decode(errors="replace").replace("\r", "\n")
    return [part.rstrip() for part in text.split("\n") if part.strip()][-count:]


def last_line(path):
    lines = last_lines(path, 1)
    return lines[0].strip()[:100] if lines else ""


def main(function):
    """Runs a program's main function; a Failure is one line and status 2."""
    try:
        sys.exit(function())
    except Failure as failure:
        line(f"error: {failure}")
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)
