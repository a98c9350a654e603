# SPDX-License-Identifier: GPL-2.0
"""Runs functions as tests, and what they need for it."""

import contextlib
import io
import os
import shutil
import subprocess
import sys
import tempfile
import traceback

TREE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
LIMIT = 300


def run(module):
    """Runs the tests of a module, which are its functions with names that begin with rig_."""
    failed = 0
    for name, function in list(vars(module).items()):
        if name.startswith("rig_") and callable(function):
            why = attempt(function)
            failed += bool(why)
            print(f"not ok {name} - {why}" if why else f"ok {name}", flush=True)
    return failed


def attempt(function):
    """Runs a test; returns what is wrong. Its words are shown only then."""
    words = io.StringIO()
    try:
        # Also standard output: what a test prints must not be taken for a result.
        with contextlib.redirect_stdout(words), contextlib.redirect_stderr(words):
            function()
        return ""
    except Exception as error:  # pylint: disable=broad-except
        print(words.getvalue(), end="", file=sys.stderr)
        traceback.print_exc()
        return " ".join(str(error).split())[:300] or type(error).__name__


def equal(found, wanted, what):
    if found != wanted:
        raise AssertionError(f"{what}: {found!r}, not {wanted!r}")


def says(text, *parts):
    """Each part must be in a text."""
    for part in parts:
        if part not in text:
            raise AssertionError(f"{part!r} is not in {text[-600:]!r}")


def lines(text):
    return [line for line in text.splitlines() if line.strip()]


@contextlib.contextmanager
def scratch():
    """A folder that is gone afterwards."""
    folder = tempfile.mkdtemp(prefix="tpmrm-")
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


def in_child(function):
    """Starts a function in a process of its own; returns the process's id."""
    child = os.fork()
    if child == 0:
        status = 99
        try:
            function()
            status = 0
        finally:
            os._exit(status)
    return child


def write(path, text, mode=0o644):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as file:
        file.write(text)
    os.chmod(path, mode)
    return path


def command(*argv, cwd=TREE, **environment):
    """Runs a program to its end, and returns it with its output."""
    return subprocess.run(argv, cwd=cwd, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True, errors="replace", timeout=LIMIT, check=False,
                          env=dict(os.environ, **environment))


def script(name):
    return os.path.join(TREE, "scripts", name)


def one_line(done, *parts):
    """A program must fail and say why in one line."""
    assert done.returncode != 0, f"{done.args} did not fail"
    equal(len(lines(done.stderr)), 1, f"the lines in {done.stderr!r}")
    says(done.stderr, *parts)
