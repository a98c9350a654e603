# SPDX-License-Identifier: GPL-2.0
"""Runs tests one after the other, each in a process of its own, and prints a line for each.

A test's process ends before its line is printed, so all descriptors of the test
are closed by then, and the TPM has to be empty (G8). Whatever a test does to
itself or hangs in, the tests after it run.
"""

import dataclasses
import os
import re
import select
import signal
import sys
import time
import traceback

from . import module, tss

# What a test says of the C driver, in whose guest it runs too, as control.
PASSES = "passes"
FAILS = "fails"
NOTHING = "nothing"


def passes_since(major, minor):
    """What becomes of a test when the C driver passes it from a release of the kernel on."""
    numbers = re.match(r"(\d+)\.(\d+)", os.uname().release).groups()
    return PASSES if tuple(map(int, numbers)) >= (major, minor) else FAILS


class Skip(Exception):
    """The test cannot be made here."""


@dataclasses.dataclass
class Test:
    """A test and what is known of it."""

    function: object
    control: str
    limit: int

    @property
    def name(self):
        return self.function.__name__


def test(control=PASSES, limit=60):
    """Makes a function a test. It may run for so many seconds, of which an emulated machine needs few.

    control is what becomes of the test when the C driver serves the node:
    that it FAILS shows that the test can fail.
    """
    return lambda function: Test(function, control, limit)


def of(module):
    """The tests of a module, in their order."""
    return [item for item in vars(module).values() if isinstance(item, Test)]


def note(text):
    """A figure or a remark: not a result."""
    print(f"system: {text}", file=sys.stderr, flush=True)


def run(tests, control):
    """Runs tests, and prints the results."""
    for item in tests:
        if control and item.control == NOTHING:
            continue
        began = time.monotonic()
        word, why = attempt(item, quiet=control and item.control == FAILS)
        took = time.monotonic() - began
        name = f"control_{item.name}" if control else item.name
        if control and item.control == FAILS:
            word, why = turned(name, word, why)
        print(f"{word} {name} - {why}" if why else f"{word} {name}", flush=True)
        if took > 5:
            note(f"{name} took {took:.0f} s")


def turned(name, word, why):
    """The result of a test that must fail with the C driver."""
    if word == "not ok":
        note(f"{name}: as it should, the C driver fails: {why}")
        return "ok", ""
    if word == "ok":
        return "not ok", "the C driver passes this test too: it does not tell the drivers apart"
    return word, why


def attempt(item, quiet=False):
    """Runs one test; returns the word for its result, and why."""
    before = module.parameters()
    word, why = in_process(item, quiet)
    put_back(before)
    remains = empty_the_tpm()
    if remains and word == "ok":
        return "not ok", f"leaves in the TPM {remains}"
    return word, why


def put_back(parameters):
    """The module's parameters that a test set are not for the next one."""
    for name, value in module.parameters().items():
        if parameters.get(name, value) != value:
            module.set_parameter(name, parameters[name])


def in_process(item, quiet):
    reader, writer = os.pipe()
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        os.close(reader)
        os.setsid()
        body(item, writer, quiet)
    os.close(writer)
    try:
        return supervise(item, child, reader)
    finally:
        os.close(reader)


def body(item, writer, quiet):
    """The test's own process."""
    result = "ok"
    try:
        item.function()
    except Skip as reason:
        result = f"skip\n{reason}"
    except BaseException as error:  # pylint: disable=broad-except
        if not quiet:
            traceback.print_exc()
        result = f"not ok\n{describe(error)}"
    os.write(writer, result.encode()[:4000])
    # Not by the way of sys.exit(): a thread may hang in the node.
    os._exit(0)


def describe(error):
    """An error in one line, with the line of the test where it came up."""
    text = " ".join(str(error).split()) or type(error).__name__
    if isinstance(error, OSError):
        text = f"{text} (unexpected)"
    frames = traceback.extract_tb(error.__traceback__)
    place = next((frame for frame in reversed(frames) if "/tests/" in frame.filename), None)
    return f"{text}, at {os.path.basename(place.filename)}:{place.lineno}" if place else text


def supervise(item, child, reader):
    """Waits for a test's process, and for as long as the test may take only."""
    ready, _, _ = select.select([reader], [], [], item.limit)
    said = os.read(reader, 65536).decode() if ready else ""
    # Whoever the test started and left behind goes with it.
    try:
        os.killpg(child, signal.SIGKILL)
    except ProcessLookupError:
        pass
    if not ended(child, 60):
        return "not ok", "hangs where it cannot be killed"
    if not ready:
        return "not ok", f"was not done after {item.limit} s"
    word, _, why = said.partition("\n")
    return (word, why) if word else ("not ok", "its process died")


def ended(child, limit):
    until = time.monotonic() + limit
    while time.monotonic() < until:
        pid, _ = os.waitpid(child, os.WNOHANG)
        if pid:
            return True
        time.sleep(0.005)
    return False


def empty_the_tpm():
    """Says what the TPM holds when it should hold nothing, and removes it."""
    if not os.path.exists(tss.RAW):
        return ""
    with raw() as node:
        found = tss.left_behind(node)
        tss.sweep(node)
    return ", ".join(f"{len(handles)} {kind}" for kind, handles in found.items() if handles)


def raw():
    """The raw node, which only one can have open: who was killed may still be closing it."""
    until = time.monotonic() + 30
    while True:
        try:
            return tss.Tpm(tss.RAW)
        except OSError:
            if time.monotonic() > until:
                raise
            time.sleep(0.01)
