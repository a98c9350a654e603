# SPDX-License-Identifier: GPL-2.0
"""What a run has found, on the host: figures by workload and way."""

import statistics
from collections import defaultdict

MILLION = 1e6


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
            self.pieces[key] = counted[key].pieces
            if driver >= 0 and driver != counted[key].total():
                self.mismatches.append(f"{key}: the driver says {driver} commands, "
                                       f"the TPM's log has {counted[key].total()}")

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
        """TPM commands of a step of the tour; None where it did not work."""
        if self.toured.get((name, way), "it was not made"):
            return None
        return self.total(f"tour_{name}", way)

    def latency(self, boot, workload, way, compared=None):
        """Median and 99th percentile in milliseconds, of all blocks; None where there are none."""
        blocks = self.blocks.get((boot, compared or way, workload, way))
        if not blocks:
            return None
        values = [value / MILLION for block in blocks for value in block]
        return statistics.median(values), percentile(values, 0.99), len(values)

    def ratio(self, boot, workload, way, other="raw", of=None):
        """By how much the median of a block is larger than that of its neighbour: median and quartiles of that."""
        mine = self.blocks.get((boot, way, workload, way))
        others = self.blocks.get((boot, way, of or workload, other))
        if not mine or not others:
            return None
        ratios = [statistics.median(a) / statistics.median(b) for a, b in zip(mine, others)]
        return percentile(ratios, 0.5), percentile(ratios, 0.25), percentile(ratios, 0.75)
