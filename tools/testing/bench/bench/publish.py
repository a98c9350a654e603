# SPDX-License-Identifier: GPL-2.0
"""Puts the figures of a run into the documentation."""

import os

BEGIN, END = ".. figures begin", ".. figures end"


def publish(tree, text, picture):
    """Exchanges what is between the two comments of the page, and its picture."""
    page = os.path.join(tree, "Documentation/performance.rst")
    with open(page) as file:
        before, _, rest = file.read().partition(BEGIN)
    first, _, rest = rest.partition("\n")
    _, _, after = rest.partition(END)
    lines = "\n".join(f"  {line}".rstrip() for line in text.splitlines())
    with open(page, "w") as file:
        file.write(f"{before}{BEGIN}{first}\n\n::\n\n{lines}\n\n{END}{after}")
    with open(picture) as file:
        declaration, _, drawing = file.read().partition("\n")
    with open(os.path.join(tree, "Documentation/performance.svg"), "w") as file:
        file.write(f"{declaration}\n<!-- SPDX-License-Identifier: GPL-2.0 -->\n{drawing}")
