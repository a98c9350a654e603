# SPDX-License-Identifier: GPL-2.0
"""Lines for tests."""

import contextlib
import sys
import traceback


class Results:
    """What is printed, and whether anything failed."""

    def __init__(self):
        self.failed = False

    def add(self, name, why):
        """A test's line; without a reason it passed."""
        self.failed |= bool(why)
        print(f"not ok {name} - {why}" if why else f"ok {name}", flush=True)

    @contextlib.contextmanager
    def test(self, name):
        """What is done in here passes unless it raises something."""
        try:
            yield
        except Exception as error:  # pylint: disable=broad-except
            traceback.print_exc(file=sys.stderr)
            self.add(name, " ".join(str(error).split())[:300] or type(error).__name__)
        else:
            self.add(name, "")


def says(text, *parts):
    """Each part must be in a text."""
    for part in parts:
        if part not in text:
            raise AssertionError(f"{part!r} is not in {text[-1500:]!r}")


def silent(text, *parts):
    """No part may be in a text."""
    for part in parts:
        if part in text:
            raise AssertionError(f"{part!r} is in {text[-1500:]!r}")
