# SPDX-License-Identifier: GPL-2.0
"""Asks the tests about mutants: those that tell soonest first, and each mutant until one fails."""

import collections
import concurrent.futures
import os
import re
import resource
import subprocess

# The tests of tests/guarantees that take longest, in the order of how soon they tell.
LONG = ("faults::", "close::g8_a_flush_that_failed_once", "gap::g1_the_real_tpms_gap", "random::",
        "interleavings::")
# A mutant may turn for ever, or take all memory: seconds of processor time, several times what the tests
# need, and bytes. One that sleeps takes no such time.
QUICK_CPU = 4
LONG_CPU = 150
MEMORY = 8 << 30
ASLEEP = 3600

# A test program, with these options of cargo, the words for it, and seconds of processor time.
Part = collections.namedtuple("Part", "test options words seconds")
WITHOUT_OPTION = "--no-default-features"
PARTS = [
    Part("guarantees", (), tuple(word for long in LONG for word in ("--skip", long)), QUICK_CPU),
    *(Part("guarantees", (), (long,), LONG_CPU) for long in LONG),
    Part("guarantees", (WITHOUT_OPTION,), (), LONG_CPU),
    Part("sweep", (), (), LONG_CPU),
    Part("oracle", (), (), LONG_CPU),
]


class Judge:
    """A part of the tests, in a program that has all mutants in it."""

    def __init__(self, part, program):
        self.part = part
        self.argv = [program, "--test-threads=1", *part.words]
        self.environment = dict(os.environ, RUST_BACKTRACE="0")
        said = subprocess.run([program, "--help"], stdout=subprocess.PIPE, text=True, check=True).stdout
        # Rust 1.85 has no such option.
        if "--fail-fast" in said:
            self.argv += ["-Zunstable-options", "--fail-fast"]
            self.environment["RUSTC_BOOTSTRAP"] = "1"

    def judge(self, mutants, jobs):
        """Each of the mutants with the test that fails, or None."""
        with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
            asked = {pool.submit(self.failing, mutant.number): mutant for mutant in mutants}
            for done in concurrent.futures.as_completed(asked):
                yield asked[done], done.result()

    def failing(self, number):
        """Which test fails with this mutant, or None; 0 is no mutant."""
        try:
            # pylint: disable=subprocess-popen-preexec-fn
            done = subprocess.run(self.argv, preexec_fn=self.limit, timeout=ASLEEP,
                                  env=dict(self.environment, TPMRM_MUTANT=str(number)),
                                  stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                  stderr=subprocess.DEVNULL, text=True, errors="replace", check=False)
        except subprocess.TimeoutExpired:
            return "no end"
        if done.returncode == 0:
            return None
        failed = re.search(r"^test (\S+) \.\.\. FAILED$", done.stdout, re.MULTILINE)
        return failed[1] if failed else f"status {done.returncode}"

    def limit(self):
        resource.setrlimit(resource.RLIMIT_CPU, (self.part.seconds, self.part.seconds + 1))
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
