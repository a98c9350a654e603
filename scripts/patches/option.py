# SPDX-License-Identifier: GPL-2.0
"""What the first patch is without."""

NAME = "CONFIG_TCG_TPM_RM_EXHAUSTION"
# As Kconfig has it.
SHORT = NAME.removeprefix("CONFIG_")


class Unknown(Exception):
    """Something about the option that no reader knows."""

    def __init__(self, name, line, what):
        super().__init__(f"{name}:{line}: {what}")


def check_gone(name, text):
    """Fails if a text still has to do with the option."""
    for number, line in enumerate(text.splitlines(), 1):
        if SHORT in line:
            raise Unknown(name, number, f"this is left of the option: {line.strip()}")
