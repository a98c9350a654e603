# SPDX-License-Identifier: GPL-2.0
"""Counts what suites say of their tests, and what they do not say."""

import re
import subprocess

LINE = re.compile(r"^(ok|not ok|skip) (\S.*)$")


class Count:
    """The tests of all suites that were run."""

    def __init__(self):
        self.passed = 0
        self.failed = 0
        self.skipped = 0

    def __str__(self):
        return f"{self.passed} passed, {self.failed} failed, {self.skipped} skipped"

    def run(self, suite, argv, cwd, prefix=""):
        """Runs a suite to its end; prints its lines as they come, with a prefix to the tests' names."""
        before = (self.passed, self.failed, self.skipped)
        try:
            process = subprocess.Popen(argv, cwd=cwd, stdin=subprocess.DEVNULL,
                                       stdout=subprocess.PIPE, text=True, errors="replace")
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
        print(line, flush=True)
        match = LINE.fullmatch(line)
        if match is None:
            return
        if match[1] == "ok":
            self.passed += 1
        elif match[1] == "skip":
            self.skipped += 1
        else:
            self.failed += 1
