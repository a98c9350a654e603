# SPDX-License-Identifier: GPL-2.0
"""C as it is without an option: conditions of the preprocessor."""

import re

from . import conditions, lines
from .option import NAME

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
    gone = conditions.gone(name, rows, DIRECTIVE, ("if", "ifdef", "ifndef"), known)
    return "\n".join(lines.without(rows, gone)) + "\n"
