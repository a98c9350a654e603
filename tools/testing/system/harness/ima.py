# SPDX-License-Identifier: GPL-2.0
"""The kernel extends a PCR for each file that it measures: an in-kernel user of the TPM in a stock kernel."""

import hashlib
import os

from .runner import Skip

FOLDER = "/sys/kernel/security/integrity/ima"
POLICY = f"{FOLDER}/policy"
PCR = "/sys/class/tpm/tpm0/pcr-sha256/10"
FILES = "/dev/shm"
# Who owns the files that are measured; nobody else does.
OWNER = 64999
# What is extended for a file that changed while it was measured, for which the list has zeros.
VIOLATION, EXTENDED = bytes(32), b"\xff" * 32


def start():
    """Has files of one owner measured. A kernel takes one policy in its life."""
    if not os.path.isdir(FOLDER):
        raise Skip("this kernel measures no files")
    if os.path.exists(POLICY):
        with open(POLICY, "w") as file:
            file.write(f"measure func=FILE_CHECK mask=MAY_READ fowner={OWNER}\n")


def measure(text):
    """A new file, which is measured."""
    path = f"{FILES}/measured-{os.getpid()}"
    with open(path, "w") as file:
        file.write(text)
    os.chown(path, OWNER, OWNER)
    with open(path) as file:
        file.read()
    os.unlink(path)


def count():
    """How many measurements there are."""
    with open(f"{FOLDER}/runtime_measurements_count") as file:
        return int(file.read())


def wanted():
    """What the PCR has to be if no extend was lost or done twice."""
    value = bytes(32)
    with open(f"{FOLDER}/ascii_runtime_measurements_sha256") as file:
        for line in file:
            digest = bytes.fromhex(line.split()[1])
            value = hashlib.sha256(value + (EXTENDED if digest == VIOLATION else digest)).digest()
    return value


def found():
    """What it is, by the kernel."""
    with open(PCR) as file:
        return bytes.fromhex(file.read())
