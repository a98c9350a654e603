# SPDX-License-Identifier: GPL-2.0
"""Lines that are taken out of a file, and the empty ones that have no meaning without them."""

OPENING = ("{", "(", "[")
CLOSING = ("}", ")", "]")


def without(lines, gone):
    """The lines but those whose indices are in gone."""
    kept = []
    skipped = False
    for index, line in enumerate(lines):
        if index in gone:
            skipped = True
            continue
        if skipped:
            if not line.strip():
                # An empty line between what is gone and what follows: one before is enough.
                if not kept or not kept[-1].strip() or kept[-1].rstrip().endswith(OPENING):
                    continue
            elif kept and not kept[-1].strip() and line.strip().startswith(CLOSING):
                kept.pop()
            skipped = False
        kept.append(line)
    while skipped and kept and not kept[-1].strip():
        kept.pop()
    return kept
