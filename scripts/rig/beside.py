# SPDX-License-Identifier: GPL-2.0
"""Suites that run beside others, with what those leave of the machine."""

import contextlib
import queue
import sys
import tempfile
import threading
import time

from . import results, say


class Beside(threading.Thread):
    """Runs suites, one after the other. What they say is shown when somebody asks for it."""

    def __init__(self, runs, tree):
        super().__init__(daemon=True)
        self.runs = runs
        self.tree = tree
        self.ended = queue.SimpleQueue()
        self.missing = [name for name, _, _ in runs]

    def run(self):
        for name, argv, prefix in self.runs:
            lines = []
            count = results.Count(lines.append)
            began = time.monotonic()
            with tempfile.TemporaryFile("w+", errors="replace") as words:
                count.run(name, ["nice", "-n", "19", *argv], self.tree, prefix, words)
                words.seek(0)
                self.ended.put((name, time.monotonic() - began, words.read(), lines, count))

    def show(self, total):
        """Shows what those said that have come to their end, and adds their tests to a count."""
        with contextlib.suppress(queue.Empty):
            while True:
                name, took, words, lines, count = self.ended.get_nowait()
                say.line(f"suite {name}, beside others")
                print(words, end="", file=sys.stderr, flush=True)
                print("\n".join(lines), flush=True)
                say.line(f"suite {name} took {took:.0f} s")
                total.add(count)
                self.missing.remove(name)

    def finish(self, total):
        """Waits for all of them, and shows the rest. What has no end is a failure."""
        self.join()
        self.show(total)
        for name in self.missing:
            total.take(f"not ok {name} - has not come to its end")
