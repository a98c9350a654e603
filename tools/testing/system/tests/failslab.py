# SPDX-License-Identifier: GPL-2.0
"""Every allocation and copy of every call of the node fails once (programs/failnth.c), on the debug kernel."""

import os
import subprocess

from harness import expect, faults
from harness.runner import NOTHING, Skip, note, test

# Calls that cannot be made without memory or a copy: where none fails, faults did not come.
NEEDY = {"open", "first_write", "write_random", "write_start_session", "write_create_primary", "write_load_session",
         "read", "ioctl_info", "ioctl_policy", "ioctl_reserve", "ioctl_lost"}
KINDS = NEEDY | {"write_sequence_start", "write_use_key", "write_use_session", "write_save_key", "write_load_key",
                 "write_save_session", "write_list_handles", "write_flush_key", "write_queued", "poll", "first_ioctl",
                 "close"}


@test(control=NOTHING, limit=1200)
def g2_g3_g8_hold_when_any_one_allocation_or_copy_fails():
    if not faults.are_possible():
        raise Skip("this kernel has no faults: the debug kernel has")
    faults.arrange()
    program = os.path.join(os.environ["TPMRM_PROGRAMS"], "failnth")
    done = subprocess.run([program], stdout=subprocess.PIPE, text=True, check=False)
    *lines, last = done.stdout.splitlines()
    for line in lines:
        note(f"failnth: {line}")
    expect.equal((last, done.returncode), ("done", 0), "how it ended")
    points = {kind: (int(came), int(failed)) for kind, came, failed in map(str.split, lines)}
    expect.equal(set(points), KINDS, "the kinds of calls")
    barren = sorted(kind for kind in NEEDY if points[kind][1] == 0)
    expect.equal(barren, [], "the calls that no fault made fail")
    note(f"{sum(came for came, _ in points.values())} faults came, "
         f"of which {sum(failed for _, failed in points.values())} made a call fail")
