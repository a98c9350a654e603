# SPDX-License-Identifier: GPL-2.0
"""What counts as a report in a kernel's log, and what does not."""

from harness import equal
from rig.vm import report

BAD = (
    "BUG: kernel NULL pointer dereference, address: 0000000000000008",
    "BUG: sleeping function called from invalid context at kernel/locking/mutex.c:283",
    "BUG: workqueue lockup - pool cpus=0 node=0 flags=0x0 nice=0 stuck for 34s!",
    "kernel BUG at mm/slub.c:563!",
    "WARNING: CPU: 1 PID: 77 at drivers/char/tpm/tpm-chip.c:100 tpm_try_get_ops+0x1/0x2",
    "WARNING: possible circular locking dependency detected",
    "Oops: general protection fault, probably for non-canonical address 0xdead000000000122",
    "BUG: KASAN: slab-use-after-free in tpmrm_read+0x10/0x20",
    "BUG: KFENCE: use-after-free read in test",
    "UBSAN: array-index-out-of-bounds in lib/test.c:1:2",
    "INFO: task kworker/0:1:12 blocked for more than 120 seconds.",
    "INFO: rcu_tasks detected stalls on tasks:",
    "rcu: INFO: rcu_preempt detected stalls on CPUs/tasks:",
    "rcu: INFO: rcu_sched self-detected stall on CPU",
    "Kernel panic - not syncing: Fatal exception",
    "refcount_t: underflow; use-after-free.",
    "kmemleak: 3 new suspected memory leaks (see /sys/kernel/debug/kmemleak)",
    "possible recursive locking detected",
    "Unable to handle kernel paging request at virtual address 0",
    "watchdog: BUG: soft lockup - CPU#0 stuck for 26s! [python3:99]",
)
GOOD = (
    "Linux version 7.3.4+deb13-amd64 (debian-kernel@lists.debian.org) (gcc-14)",
    "tpm_crb MSFT0101:00: Disabling hwrng",
    "tpmrm: loading out-of-tree module taints kernel.",
    "tpmrm: module verification failed: signature and/or required key missing - tainting kernel",
    "tpmrm: there is no TPM 2.0 yet, waiting for one",
    "tpm tpm1: tpm2_load_context: failed with a TPM error 0x0901",
    "tpm tpm0: A TPM error (256) occurred attempting the self test",
    "systemd[1]: Started debugging session.",
    "python3 invoked oom-killer: gfp_mask=0x400dc0(GFP_KERNEL_ACCOUNT|__GFP_ZERO), order=0, oom_score_adj=0",
    "Memory cgroup out of memory: Killed process 99 (python3) total-vm:20000kB",
    "Spectre V2 : Mitigation: Retpolines",
    "virtio_net: no rcu or stalls here",
)


def log(*texts):
    """A console's log, with the stamps and line ends that it has."""
    return "".join(f"[    {number}.123456] {text}\r\n" for number, text in enumerate(texts))


def rig_every_kind_of_report_is_found():
    for text in BAD:
        found = report.find(log("first", text, "Call Trace:"))
        equal(len(found), 1, f"the reports in {text!r}")
        assert text in found[0][1], f"the report of {text!r} begins with {found[0][:2]!r}"


def rig_ordinary_words_are_no_report():
    for text in GOOD:
        equal(report.find(log(text)), [], f"the reports in {text!r}")
    equal(report.find(""), [], "the reports in an empty log")


def rig_a_stamp_with_a_caller_is_no_obstacle():
    equal(len(report.find("<4>[    1.5][  T123] BUG: unable\n")), 1, "the reports")


def rig_a_report_is_printed_to_its_end():
    text = log("before", BAD[4], "Modules linked in: tpmrm", "Call Trace:", " f+0x1", "---[ end trace 0000 ]---", "after")
    found = report.find(text)
    equal([len(lines) for lines in found], [6], "the lengths of the reports")
    assert "end trace" in found[0][-1], found


def rig_a_report_has_what_the_warning_says():
    """The kernel prints that above the line that names the place."""
    found = report.find(log("what it says", BAD[4], "Call Trace:", "---[ end trace 0000 ]---"))
    assert "what it says" in found[0][0], found


def rig_two_reports_are_two():
    end = "---[ end trace 0000 ]---"
    equal(len(report.find(log(BAD[4], end, "between", BAD[0], end))), 2, "the reports")


def rig_a_report_without_end_ends():
    found = report.find(log(BAD[0], *["line"] * 200, BAD[1]))
    equal(len(found), 2, "the reports")
    assert len(found[0]) <= report.LONGEST + 1, "a report has no end"


def rig_taints_that_tell_of_a_bug():
    equal(report.taints(0), [], "the taints of 0")
    # Out of tree and unsigned: what a module of ours does to a kernel.
    equal(report.taints(1 << 12 | 1 << 13), [], "the taints of an out-of-tree module")
    equal(len(report.taints(1 << 9)), 1, "the taints of a warning")
    equal(len(report.taints(1 << 7 | 1 << 9 | 1 << 14)), 3, "the taints of everything")
