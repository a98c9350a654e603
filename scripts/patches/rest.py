# SPDX-License-Identifier: GPL-2.0
"""reStructuredText with an option and without it.

What needs the option stands between comments:

    .. ifdef CONFIG_NAME

    ...

    .. endif

What is there without it stands before the end, indented as part of another
comment, so that it is not seen in our own pages:

    .. else

       ...

    .. endif

What is not for a kernel tree has OUT_OF_TREE in the place of the option.
"""

import re

from . import lines
from .option import NAME, Unknown

MARK = re.compile(r"^( *)\.\. (ifdef|ifndef|else|endif)\b *(.*)$")
OUT_OF_TREE = "OUT_OF_TREE"
INDENT = 3


def half(name, text, option):
    """The text in a kernel tree, with the option or without it; the marks are in neither."""
    values = {NAME: option, OUT_OF_TREE: False}
    rows = text.splitlines()
    gone = set()
    # The indent of the mark that has begun something, and whether what follows is there.
    begun = there = None
    otherwise = False
    for index, row in enumerate(rows):
        match = MARK.match(row)
        if match:
            gone.add(index)
            indent, word, rest = match.groups()
            if word == "ifdef" and begun is None and rest in values:
                begun, there, otherwise = indent, values[rest], False
            elif word == "else" and begun == indent and not otherwise and not rest:
                there, otherwise = not there, True
            elif word == "endif" and begun == indent and not rest:
                begun = None
            else:
                raise Unknown(name, index + 1, f"this mark has no meaning here: {row.strip()}")
        elif begun is not None:
            if otherwise and row.strip():
                inner = begun + " " * INDENT
                if not row.startswith(inner):
                    raise Unknown(name, index + 1, "what is there without the option is to be indented")
                rows[index] = begun + row.removeprefix(inner)
            if not there:
                gone.add(index)
    if begun is not None:
        raise Unknown(name, len(rows), "there is no endif")
    return "\n".join(lines.without(rows, gone)) + "\n"
