# SPDX-License-Identifier: GPL-2.0
"""Makefiles and Kconfig files as they are without an option."""

import re

from . import conditions, lines
from .option import NAME, SHORT

CONDITION = re.compile(r"^\s*(ifeq|ifneq|ifdef|ifndef|else|endif)\b\s*(.*?)\s*$")
KNOWN = {
    ("ifeq", f"($({NAME}),y)"): False,
    ("ifneq", f"($({NAME}),y)"): True,
    ("ifneq", f"($({NAME}),)"): False,
}
# A line of a list that is there with the option only.
LISTED = re.compile(rf"^[\w-]+-\$\({NAME}\)\s*\+?=")
# What begins something of Kconfig's that is not part of an entry before it.
ENTRY = re.compile(r"^(config|menuconfig|choice|endchoice|menu|endmenu|if|endif|source|comment)\b")


def makefile(name, text):
    """The text of a Makefile without the option."""
    rows = text.splitlines()
    gone = conditions.gone(name, rows, CONDITION, ("ifeq", "ifneq", "ifdef", "ifndef"), KNOWN)
    listed = False
    for index, row in enumerate(rows):
        listed = bool(LISTED.match(row)) or (listed and rows[index - 1].endswith("\\"))
        if listed:
            gone.add(index)
    return "\n".join(lines.without(rows, gone)) + "\n"


def kconfig(_name, text):
    """The text of a Kconfig file without the entry of the option."""
    rows = text.splitlines()
    gone = set()
    within = False
    for index, row in enumerate(rows):
        if ENTRY.match(row):
            within = row.split() == ["config", SHORT]
        if within:
            gone.add(index)
    return "\n".join(lines.without(rows, gone)) + "\n"
