# SPDX-License-Identifier: GPL-2.0
"""A machine without a TPM: the module says so, waits, and serves the first that comes."""

import subprocess

from harness import chip, expect, module, tss
from harness.runner import NOTHING, test


def log():
    said = subprocess.run(["dmesg"], stdout=subprocess.PIPE, text=True, check=True).stdout
    return [line.partition("] ")[2] for line in said.splitlines() if "tpmrm: " in line]


@test(control=NOTHING)
def without_a_tpm_the_module_says_so():
    expect.equal(chip.nodes(), set(), "the nodes")
    expect.equal(log()[-1:], ["tpmrm: there is no TPM 2.0 yet, waiting for one"], "what the module said last")


@test(control=NOTHING)
def without_a_tpm_the_module_is_loaded_and_unloaded():
    for _ in range(5):
        module.unload()
        module.load(module.file())


@test(control=NOTHING, limit=240)
def the_first_tpm_is_served():
    for _ in range(2):
        with chip.Swtpm() as late, late.open() as tpm:
            keys = [tss.Key(tpm, b"%d" % number) for number in range(5)]
            for key in keys:
                key.check()


@test(control=NOTHING, limit=240)
def the_first_tpm_after_a_load_is_served():
    module.unload()
    module.load(module.file())
    with chip.Swtpm() as late, late.open() as tpm:
        keys = [tss.Key(tpm, b"%d" % number) for number in range(5)]
        for key in keys:
            key.check()
