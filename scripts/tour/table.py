# SPDX-License-Identifier: GPL-2.0
"""The table side by side: a step in each row, a driver in each column."""

import textwrap

HEADS = ("step", "C driver", "tpmrm")
WIDTHS = (46, 34, 34)


def cell(result):
    """A result in words."""
    if result is None:
        return "did not run"
    if result["measure"] and result["shown"]:
        return result["shown"]
    word = "works" if result["works"] else "fails"
    return f"{word}: {result['shown']}" if result["shown"] else word


def line(cells):
    return "| " + " | ".join(text.ljust(width) for text, width in zip(cells, WIDTHS)) + " |"


def row(cells):
    """One row; what does not fit goes on in the next line."""
    parts = [textwrap.wrap(text, width) or [""] for text, width in zip(cells, WIDTHS)]
    height = max(map(len, parts))
    return [line([part[at] if at < len(part) else "" for part in parts]) for at in range(height)]


def render(titles, columns):
    """The table; each column maps names of steps to results."""
    rule = "+" + "+".join("-" * (width + 2) for width in WIDTHS) + "+"
    lines = [rule, line(HEADS), rule]
    for name, title in titles.items():
        lines += row([title, *(cell(column.get(name)) for column in columns)])
    lines.append(rule)
    return "\n".join(lines)
