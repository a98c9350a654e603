# SPDX-License-Identifier: GPL-2.0
"""G9: others use the TPM among commands of a client at full speed, whose contexts stay in it."""

import itertools
import os
import time

from harness import expect, foreign, ima, module, tss
from harness.counters import counters
from harness.runner import NOTHING, note, test
from harness.workers import workers

# As many commands as the run was told to make; else as many as there is time for.
COMMANDS = int(os.environ.get("TPMRM_ROUNDS", "0"))
SECONDS = 20000 if COMMANDS else 25
LEAST = 100


@test(control=NOTHING, limit=SECONDS + 60)
def g9_none_of_thousands_of_foreign_commands_fails():
    """Nor any of the client's, and what the client has loaded is there for nobody else to see."""
    ima.start()
    board = foreign.Board(1)
    before = counters()
    with workers(foreign.client(board, 0)), tss.Tpm(tss.RAW) as raw:
        others = foreign.Foreigner(raw, board)
        until = time.monotonic() + SECONDS
        for number in itertools.count():
            others.round(number)
            if others.total() >= COMMANDS > 0 or time.monotonic() > until:
                break
        others.check()
    after = counters()
    done, = board.commands()
    note(", ".join(f"{count} {kind}" for kind, count in others.counts.items()))
    note(f"{others.total()} foreign commands among {done} of a client; {after['barriers'] - before['barriers']} times "
         f"something had to leave the TPM first, {after['loads'] - before['loads']} contexts were loaded again")
    assert others.total() >= (COMMANDS or LEAST), f"only {others.total()} foreign commands"
    # They took turns: it was not one after the other.
    assert done >= others.total() // 4, f"only {done} commands of the client"
    if int(module.parameter("idle_ms")):
        assert after["barriers"] - before["barriers"] >= others.total() // 10, "the client's contexts did not stay"
