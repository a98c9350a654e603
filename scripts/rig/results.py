# SPDX-License-Identifier: GPL-2.0
"""Counts what suites say of their tests, and what they do not say."""

import re
import subprocess

LINE = re.compile(r"^(ok|not ok|skip) (\S.*)$")


class Count:
    """The tests of all suites that were run; each line that they print is shown to `show`."""

    def __init__(self, show=None):
        self.show = show or (lambda line: print(line, flush=True))
        self.passed = 0
        self.failed = 0
        self.skipped = 0

    def __str__(self):
        return f"{self.passed} passed, {self.failed} failed, {self.skipped} skipped"

    def run(self, suite, argv, cwd, prefix="", words=None):
        """Runs a suite to its end; shows its lines as they come, with a prefix to the tests' names.

        What it says beside that is written to the file `words`, if there is one.
        """
        before = (self.passed, self.failed, self.skipped)
        try:
            process = subprocess.Popen(argv, cwd=cwd, stdin=subprocess.DEVNULL,
                                       stdout=subprocess.PIPE, stderr=words, text=True, errors="replace")
        except OSError as error:
            self.take(f"not ok {suite} - cannot be run: {error.strerror}")
            return
        try:
            for line in process.stdout:
                self.take(LINE.sub(rf"\1 {prefix}\2", line.rstrip("\n")))
            status = process.wait()
        except BaseException:
            process.terminate()
            process.wait()
            raise
        passed, failed, skipped = before
        if status != 0 and self.failed == failed:
            self.take(f"not ok {suite} - ended with status {status} before its end")
        if (self.passed, self.failed, self.skipped) == (passed, failed, skipped):
            self.take(f"not ok {suite} - ran no test")

    def take(self, line):
        self.show(line)
        match = LINE.fullmatch(line)
        if match is None:
            return
        if match[1] == "ok":
            self.passed += 1
        elif match[1] == "skip":
            self.skipped += 1
        else:
            self.failed += 1

    def add(self, other):
        """The same tests, and those of another count."""
        self.passed += other.passed
        self.failed += other.failed
        self.skipped += other.skipped
