# SPDX-License-Identifier: GPL-2.0
"""What was to be reached, and whether it is."""

import dataclasses

# Commands for each one of the client, and times the raw node's latency.
ONE = 1.0
AS_FAST = 1.05
# Times the fewest commands that anybody needs who knows the future.
NEAR_OPTIMUM = 1.25
# The command, two contexts that it names, and two that make room for them.
NAMED = 1 + 2 + 2
# Bytes for a thousand idle descriptors.
MEMORY = 1 << 20
# The ways that are to be beaten in each step of the tour.
OTHERS = ("c", "abrmd")


@dataclasses.dataclass
class Goal:
    """One goal. A count is exact, so that missing it fails the run; a time is told."""

    name: str
    wanted: str
    found: str
    met: bool
    exact: bool = True

    def line(self):
        verdict = "met" if self.met else "MISSED"
        return f"{verdict:6}  {self.name}: {self.found} (goal: {self.wanted})"


def count(found, workload, title):
    commands = found.commands(workload, "tpmrm")
    return Goal(f"{title}, TPM commands each", f"{ONE:.2f}", shown(commands), commands == ONE)


def shown(value):
    return "not measured" if value is None else f"{value:.2f}"


def at_most(found, workload, most, title):
    largest = found.most(workload, "tpmrm")
    return Goal(f"{title}, TPM commands at most", f"{most}", f"{largest}", 1 <= largest <= most)


def fast(ratio, title):
    if ratio is None:
        return Goal(title, f"up to {AS_FAST}", "not measured", False)
    middle, low, high = ratio
    return Goal(title, f"up to {AS_FAST}", f"{middle:.2f} (quartiles {low:.2f} to {high:.2f})",
                middle <= AS_FAST, exact=False)


def near_optimum(found, optimum):
    total = found.total("turn_5", "tpmrm")
    return Goal("five clients in turn with three slots, TPM commands by the fewest possible", f"up to {NEAR_OPTIMUM}",
                f"{total / optimum:.3f} ({total} by {optimum})", 0 < total <= NEAR_OPTIMUM * optimum)


def tour(found, steps):
    """Fewer than both others; equal only where these need no more than the raw node, the tool's own commands."""
    worse, equal = [], []
    for step in steps:
        ours = found.step(step, "tpmrm")
        theirs = [found.step(step, way) for way in OTHERS]
        known = [count for count in theirs if count is not None]
        if ours is None or any(ours > count for count in known):
            worse.append(step)
        elif any(ours == count for count in known):
            equal.append(step)
    fewer = len(steps) - len(worse) - len(equal)
    told = f"fewer than both in {fewer} of {len(steps)}"
    if equal:
        told += f"; as few as the better one in {', '.join(equal)}"
    if worse:
        told += f"; more, or no success, in {', '.join(worse)}"
    return Goal("a tour of tpm2-tools, TPM commands in each step", "fewer than the C driver and tpm2-abrmd, or as few",
                told, bool(steps) and not worse)


def memory(found):
    total = found.memory.get("tpmrm", {}).get("total")
    if total is None:
        return Goal("kernel memory of 1000 idle descriptors", "below 1 MiB", "not measured", False)
    return Goal("kernel memory of 1000 idle descriptors", "below 1 MiB", f"{total / 1024:.0f} KiB with their files",
                0 < total < MEMORY)


def of_counts(found, optimum, idle):
    """Those that are exact, for any run."""
    yield count(found, "random", "GetRandom, holding nothing")
    yield count(found, "random_holding", "GetRandom, holding 3 objects and 3 sessions")
    yield count(found, "sign", "signing under an HMAC session")
    yield count(found, "turn_3", "three clients in turn with three slots")
    yield near_optimum(found, optimum)
    yield at_most(found, "after_random", 1, "GetRandom after another client's commands")
    yield at_most(found, "after_sign", NAMED, "signing after another client's commands")
    yield count(found, idle, f"GetRandom beside {idle.removeprefix('idle_')} idle descriptors")


def of_times(found):
    """Those that are a matter of time."""
    yield fast(found.ratio("times", "random_holding", "tpmrm"), "GetRandom, holding 3 objects and 3 sessions, by raw")
    yield fast(found.ratio("times", "sign", "tpmrm"), "signing under an HMAC session, by raw")
    yield fast(found.ratio("times", "idle_1000", "tpmrm", other="tpmrm", of="idle_1"),
               "GetRandom beside 1000 idle descriptors, by beside 1")
