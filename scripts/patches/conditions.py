# SPDX-License-Identifier: GPL-2.0
"""Conditions that begin in one line and end in another, some of which are decided."""

from .option import Unknown


def gone(name, rows, directive, opening, known):
    """The indices of lines that are not there: what is not so, and what says so.

    `directive` finds the word and the rest of a condition's line; the words of
    `opening` begin one. `known` tells of some whether they are so; the others stay.
    """
    found = set()
    # Of each condition that is open: whether it is so, or None when that is not known.
    stack = []
    for index, row in enumerate(rows):
        match = directive.match(row)
        word, rest = match.groups() if match else (None, None)
        if word in opening:
            stack.append(known.get((word, rest)))
        elif word and not stack:
            raise Unknown(name, index + 1, f"{word} without a condition")
        elif word in ("else", "elif") and stack[-1] is not None:
            if word == "elif" or rest:
                raise Unknown(name, index + 1, "another condition after one that is decided")
            stack[-1] = not stack[-1]
        if False in stack or (word and stack[-1] is not None):
            found.add(index)
        if word == "endif":
            stack.pop()
    if stack:
        raise Unknown(name, len(rows), "there is no endif")
    return found
