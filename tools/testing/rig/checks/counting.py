# SPDX-License-Identifier: GPL-2.0
"""Counting results: what suites say, and what becomes of those that say nothing."""

import contextlib
import io
import sys

from harness import equal, says, scratch, write
from rig import beside, results


def counted(text, status=0):
    """What a suite counts that prints a text and ends with a status or by a signal."""
    count = results.Count()
    end = f"os.kill(os.getpid(), {-status})" if status < 0 else f"os._exit({status})"
    program = f"import os, sys; sys.stdout.write({text!r}); sys.stdout.flush(); {end}"
    count.run("suite", [sys.executable, "-c", program], "/")
    return count.passed, count.failed, count.skipped


def rig_results_are_counted():
    equal(counted("ok a\nnot ok b - why\nskip c - why\nok d\n", 1), (2, 1, 1), "the count")


def rig_other_lines_are_not_counted():
    equal(counted("ok\nnot ok\nokay\n  ok a\nNot ok x\n# ok y\nok a\n"), (1, 0, 0), "the count")


def rig_a_last_line_may_be_unfinished():
    equal(counted("ok a\nok b"), (2, 0, 0), "the count")


def rig_a_suite_that_dies_is_a_failure():
    equal(counted("ok a\n", -9), (1, 1, 0), "the count after a kill")
    equal(counted("ok a\n", 1), (1, 1, 0), "the count after a silent failure")
    equal(counted("", 3), (0, 1, 0), "the count of a suite that did nothing")


def rig_a_suite_that_runs_nothing_is_a_failure():
    equal(counted(""), (0, 1, 0), "the count of no output")
    equal(counted("all is well\n"), (0, 1, 0), "the count of other words")


def rig_a_suite_that_only_skips_did_run():
    equal(counted("skip a - why\n"), (0, 0, 1), "the count")


def rig_a_suite_that_is_not_there_is_a_failure():
    count = results.Count()
    count.run("suite", ["/nowhere/at/all"], "/")
    equal((count.passed, count.failed), (0, 1), "the count")
    with scratch() as folder:
        count.run("suite", [write(f"{folder}/suite", "#!/bin/sh\necho ok a\n")], "/")
    equal((count.passed, count.failed), (0, 2), "the count when it cannot be run")


def rig_tests_of_another_kernel_are_called_by_its_name():
    count = results.Count()
    with contextlib.redirect_stdout(io.StringIO()) as said:
        count.run("suite", ["echo", "not ok g1_x - ok y\nok\nok g2_z"], "/", "forky_")
    equal(said.getvalue(), "not ok forky_g1_x - ok y\nok\nok forky_g2_z\n", "the lines")
    equal((count.passed, count.failed), (1, 1), "the count")


def rig_counts_of_suites_add_up():
    count = results.Count()
    for text in ("echo ok a", "echo skip b - why", "echo not ok c - why; exit 1"):
        count.run("suite", ["sh", "-c", text], "/")
    equal(str(count), "1 passed, 1 failed, 1 skipped", "the last line")


def beside_others(*runs):
    """What is shown of suites that run beside others, and their count."""
    count = results.Count()
    thread = beside.Beside([(name, ["sh", "-c", text], "") for name, text in runs], "/")
    with contextlib.redirect_stdout(io.StringIO()) as lines, contextlib.redirect_stderr(io.StringIO()) as words:
        thread.start()
        thread.finish(count)
    return lines.getvalue(), words.getvalue(), str(count)


def rig_suites_beside_others_are_counted_and_shown_whole():
    lines, words, count = beside_others(("one", "echo ok a; echo why >&2; echo not ok b - why; exit 1"),
                                        ("two", "echo skip c - why"))
    equal(lines, "ok a\nnot ok b - why\nskip c - why\n", "the lines")
    says(words, "suite one", "\nwhy\n", "suite two")
    equal(count, "1 passed, 1 failed, 1 skipped", "the count")


def rig_a_suite_beside_others_that_dies_is_a_failure():
    _, _, count = beside_others(("one", "kill -9 $$"), ("two", "echo ok c"))
    equal(count, "1 passed, 1 failed, 0 skipped", "the count")


def rig_a_suite_beside_others_that_has_no_end_is_a_failure():
    count = results.Count(lambda line: None)
    thread = beside.Beside([("one", ["true"], "")], "/nowhere")
    thread.run = lambda: None
    thread.start()
    thread.finish(count)
    equal(str(count), "0 passed, 1 failed, 0 skipped", "the count")
