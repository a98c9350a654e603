# SPDX-License-Identifier: GPL-2.0
"""What a run has found, on the host: figures by workload and way."""

import statistics
from collections import defaultdict

MILLION = 1e6
# What is said instead of the driver's count where it had no part in it.
NOT_THE_DRIVER = -1
# Of a run, to see how much a ratio varies.
PARTS = 12


def percentile(values, part):
    """The value that so large a part of all is not above."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(part * len(ordered)))]


class Findings:
    """Collects the lines of the guests, and the counts of the log."""

    def __init__(self):
        # (workload, way): commands of clients, and of the TPM in each piece.
        self.client = {}
        self.pieces = {}
        self.probes = {}
        # (step, way): what was wrong, or commands.
        self.toured = {}
        self.memory = {}
        # (boot, compared with, workload, way): a list of nanoseconds for each block.
        self.blocks = defaultdict(list)
        # What the driver and the TPM's log say differently.
        self.mismatches = []
        self.driver = {}
        self.done = set()
        self.compared = ""

    def hear(self, boot, line):
        """Takes one object that a guest has printed."""
        if "counted" in line:
            key = f"{line['way']}_{line['counted']}"
            self.client[line["counted"], line["way"]] = line["client"]
            self.driver[key] = line["driver"]
        elif "toured" in line:
            key = f"{line['way']}_tour_{line['toured']}"
            self.toured[line["toured"], line["way"]] = line["wrong"]
            self.driver[key] = line["driver"]
        elif "memory" in line:
            self.memory[line["memory"]] = line
        elif "compared" in line:
            self.compared = line["compared"]
        elif "ns" in line:
            self.blocks[boot, self.compared, line["workload"], line["way"]].append(line["ns"])
        elif "done" in line:
            self.done.add(line["done"])
        else:
            raise ValueError(f"nobody knows what this is: {line}")

    def count(self, counted):
        """Takes the counts of the TPM's log, and compares them with the driver's own."""
        for key, driver in self.driver.items():
            if key not in counted:
                self.mismatches.append(f"{key} is not in the TPM's log")
                continue
            self.pieces[key] = counted[key]["pieces"]
            self.probes[key] = counted[key]["probes"]
            total = sum(self.pieces[key])
            if driver not in (NOT_THE_DRIVER, total):
                self.mismatches.append(f"{key}: the driver says {driver} commands, the TPM's log has {total}")

    def commands(self, workload, way):
        """TPM commands for each command of a client; None where there are none."""
        pieces = self.pieces.get(f"{way}_{workload}")
        return sum(pieces) / self.client[workload, way] if pieces else None

    def most(self, workload, way):
        """The most that one piece took."""
        return max(self.pieces.get(f"{way}_{workload}", [0]))

    def total(self, workload, way):
        return sum(self.pieces.get(f"{way}_{workload}", []))

    def step(self, name, way):
        """TPM commands of a step of the tour, without probes; None where it did not work."""
        if self.toured.get((name, way), "it was not made"):
            return None
        return self.total(f"tour_{name}", way) - self.probes[f"{way}_tour_{name}"]

    def latency(self, boot, workload, way, compared=None):
        """Median and 99th percentile in milliseconds, of all blocks; None where there are none."""
        blocks = self.blocks.get((boot, compared or way, workload, way))
        if not blocks:
            return None
        values = [value / MILLION for block in blocks for value in block]
        return statistics.median(values), percentile(values, 0.99), len(values)

    def ratio(self, boot, workload, way, other="raw", of=None):
        """By how much the median is larger than that of the neighbour, and the quartiles of that over the run."""
        mine = self.blocks.get((boot, way, workload, way))
        others = self.blocks.get((boot, way, of or workload, other))
        if not mine or not others:
            return None
        pairs = list(zip(mine, others))
        # Blocks are short, so that both see the same of what else the machine does; parts are long enough for medians.
        parts = min(PARTS, len(pairs))
        ratios = [by_median(pairs[at * len(pairs) // parts:(at + 1) * len(pairs) // parts]) for at in range(parts)]
        return by_median(pairs), percentile(ratios, 0.25), percentile(ratios, 0.75)


def by_median(pairs):
    """The median of all first blocks by that of all second ones."""
    mine, others = ([value for block in blocks for value in block] for blocks in zip(*pairs))
    return statistics.median(mine) / statistics.median(others)
