# SPDX-License-Identifier: GPL-2.0
"""Makefiles and Kconfig files as they are without an option."""

import re

from . import lines
from .option import NAME, SHORT, Unknown

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
    gone = set()
    stack = []
    listed = False
    for index, row in enumerate(rows):
        match = CONDITION.match(row)
        word, rest = match.groups() if match else (None, None)
        if word in ("ifeq", "ifneq", "ifdef", "ifndef"):
            stack.append(KNOWN.get((word, rest)))
        elif word and not stack:
            raise Unknown(name, index + 1, f"{word} without a condition")
        elif word == "else" and stack[-1] is not None:
            if rest:
                raise Unknown(name, index + 1, "another condition after one that is decided")
            stack[-1] = not stack[-1]
        listed = bool(LISTED.match(row)) or (listed and rows[index - 1].endswith("\\"))
        if listed or False in stack or (word and stack[-1] is not None):
            gone.add(index)
        if word == "endif":
            stack.pop()
    if stack:
        raise Unknown(name, len(rows), "there is no endif")
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
