# SPDX-License-Identifier: GPL-2.0
"""Draws what was found, by gnuplot in the rig's root."""

import os
import subprocess

from .tables import NAMES, WAYS

# What is drawn, and in which words: short ones.
SHOWN = {
    "random": "GetRandom\\nalone",
    "random_holding": "GetRandom\\n3+3 held",
    "sign": "sign",
    "turn_3": "3 clients\\nin turn",
    "turn_5": "5 clients\\nin turn",
    "after_random": "GetRandom\\nafter other",
    "after_sign": "sign\\nafter other",
}
COLOURS = {"tpmrm": "#d55e00", "raw": "#999999", "c": "#0072b2", "abrmd": "#009e73"}

HEAD = """\
set terminal svg size 960,760 font "sans-serif,13" background "white"
set output "{output}"
set multiplot layout 2,1
set style data histogram
set style histogram clustered gap 1
set style fill solid 0.9 noborder
set boxwidth 0.9
set yrange [0:*]
set grid ytics
set key outside top center horizontal
set datafile missing "-"
set xtics scale 0
set bmargin 3
"""


def block(name, rows):
    """Figures as gnuplot reads them, in the program itself."""
    lines = [f"${name} << end"]
    for title, values in rows:
        lines.append(f'"{title}" ' + " ".join("-" if value is None else f"{value:.4f}" for value in values))
    return "\n".join([*lines, "end"])


def panel(name, title):
    bars = ", ".join(f'${name} using {at + 2}:xtic(1) title "{NAMES[way]}" linecolor "{COLOURS[way]}"'
                     for at, way in enumerate(WAYS))
    return f'set title "{title}"\nplot {bars}'


def medians(found, boot):
    for workload, title in SHOWN.items():
        found_here = [found.latency(boot, workload, way, "tpmrm" if way == "raw" else None) for way in WAYS]
        yield title, [latency and latency[0] for latency in found_here]


def draw(found, tree, output):
    """Makes the picture; raises CalledProcessError if gnuplot does not."""
    counted = [(title, [found.commands(workload, way) for way in WAYS]) for workload, title in SHOWN.items()]
    program = "\n".join([
        HEAD.format(output=output),
        block("commands", counted), block("times", medians(found, "times")),
        panel("commands", "TPM commands for each command of a client"),
        "unset key", panel("times", "median latency in ms"), "unset multiplot", ""])
    path = f"{output}.gnuplot"
    with open(path, "w") as file:
        file.write(program)
    subprocess.run([os.path.join(tree, "scripts/inside"), "--", "gnuplot", path], cwd=tree,
                   stdin=subprocess.DEVNULL, check=True)
