# SPDX-License-Identifier: GPL-2.0
"""C as it is without an option: conditions of the preprocessor."""

import re

from . import lines
from .option import NAME, Unknown

DIRECTIVE = re.compile(r"^\s*#\s*(if|ifdef|ifndef|elif|else|endif)\b\s*(.*?)\s*(?:/\*.*\*/)?\s*$")
# Without the option, these are so.
KNOWN = {
    ("ifdef", NAME): False,
    ("ifndef", NAME): True,
    ("if", f"IS_ENABLED({NAME})"): False,
    ("if", f"!IS_ENABLED({NAME})"): True,
}


def without(name, text, known=None):
    """The text without the option. Others than KNOWN can be given, to be decided in the same way."""
    known = KNOWN if known is None else known
    rows = text.splitlines()
    gone = set()
    # Of each condition that is open: whether it is so, or None when that is not known.
    stack = []
    for index, row in enumerate(rows):
        match = DIRECTIVE.match(row)
        word, rest = match.groups() if match else (None, None)
        if word in ("if", "ifdef", "ifndef"):
            stack.append(known.get((word, rest)))
        elif word and not stack:
            raise Unknown(name, index + 1, f"#{word} without a condition")
        elif word == "elif" and stack[-1] is not None:
            raise Unknown(name, index + 1, "#elif after a condition that is decided")
        elif word == "else" and stack[-1] is not None:
            stack[-1] = not stack[-1]
        if False in stack or (word and stack[-1] is not None):
            gone.add(index)
        if word == "endif":
            stack.pop()
    if stack:
        raise Unknown(name, len(rows), "there is no #endif")
    return "\n".join(lines.without(rows, gone)) + "\n"
