# SPDX-License-Identifier: GPL-2.0
"""The tables on the terminal."""

from .goals import shown

WAYS = ("tpmrm", "raw", "c", "abrmd")
NAMES = {"tpmrm": "tpmrm", "raw": "raw /dev/tpm0", "c": "C driver", "abrmd": "tpm2-abrmd"}
TITLES = {
    "random": "GetRandom, holding nothing",
    "random_holding": "GetRandom, holding 3 objects and 3 sessions",
    "sign": "ECDSA signature, HMAC session",
    "turn_3": "three clients in turn, a key each",
    "turn_5": "five clients in turn, a key each",
    "after_random": "GetRandom, after another client's use of 3+3",
    "after_sign": "signature, after another client's use of 3+3",
    "idle_1": "GetRandom beside 1 idle descriptor",
    "idle_10": "GetRandom beside 10 idle descriptors",
    "idle_1000": "GetRandom beside 1000 idle descriptors",
}


def grid(head, rows):
    """Columns as wide as they have to be; the first to the left, all others to the right."""
    widths = [max(len(row[at]) for row in [head, *rows]) for at in range(len(head))]
    lines = []
    for row in [head, ["-" * width for width in widths], *rows]:
        cells = [text.ljust(width) if at == 0 else text.rjust(width)
                 for at, (text, width) in enumerate(zip(row, widths))]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


def workloads(found, boot):
    """Workloads by ways: commands, median, 99th percentile, and times the raw node's median."""
    rows = []
    for workload, title in TITLES.items():
        for way in WAYS:
            commands = found.commands(workload, way)
            # The raw node that was looked at in turn with the module.
            latency = found.latency(boot, workload, way, "tpmrm" if way == "raw" else None)
            if latency is None and (boot == "slow" or commands is None):
                continue
            row = [title, NAMES[way], "-" if commands is None else shown(commands)]
            row += ["-", "-"] if latency is None else [f"{latency[0]:.2f}", f"{latency[1]:.2f}"]
            ratio = None if way == "raw" else found.ratio(boot, workload, way)
            row += ["-"] if ratio is None else [f"{ratio[0]:.2f} ({ratio[1]:.2f}-{ratio[2]:.2f})"]
            rows.append(row)
            title = ""
    return grid(["workload", "by", "TPM commands", "median ms", "p99 ms", "by raw (quartiles)"], rows)


def tour(found, steps):
    rows = []
    for step in steps:
        counts = [found.step(step, way) for way in WAYS]
        rows.append([step, *("fails" if count is None else str(count) for count in counts)])
    return grid(["step of tpm2-tools, TPM commands", *(NAMES[way] for way in WAYS)], rows)


def memory(found):
    rows = [[NAMES[way], f"{line['idle']:.0f}", f"{line['object']:.0f}", f"{line['total'] / 1024:.0f} KiB"]
            for way, line in found.memory.items()]
    return grid(["bytes of the kernel", "idle descriptor", "held object", "1000 idle, with their files"], rows)
