# SPDX-License-Identifier: GPL-2.0
"""Work whose cost in TPM commands is counted: by the run, in the TPM's own log, between two marks."""

import contextlib

from harness import tss
from harness.runner import test

TIMES = 10


@contextlib.contextmanager
def counted(name):
    """What is done in the body is counted under this name."""
    with tss.Tpm(tss.RAW) as raw:
        raw.mark(f"begin {name}")
        yield
        raw.mark(f"end {name}")


@test()
def work_that_is_counted():
    with tss.Tpm() as tpm:
        with counted("getrandom_with_nothing_held"):
            for _ in range(TIMES):
                tpm.random()
        keys = [tss.Key(tpm, b"key %d" % number) for number in range(3)]
        sessions = [tss.Session(tpm, number) for number in range(3)]
        # The first use of a key after boot is refused once with TPM_RC_RETRY, and sent again by the core.
        keys[0].check()
        with counted("getrandom_with_3_objects_and_3_sessions"):
            for _ in range(TIMES):
                tpm.random()
        with counted("using_one_of_3_objects"):
            for number in range(TIMES):
                keys[number % 3].check()
        with counted("using_one_of_3_sessions"):
            for number in range(TIMES):
                sessions[number % 3].check()
