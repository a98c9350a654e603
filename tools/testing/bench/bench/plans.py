# SPDX-License-Identifier: GPL-2.0
"""How much is done in each boot: workloads and how often."""

import dataclasses

# Keys of five clients, those of two, and a thousand descriptors do not go on a node with three slots, open once.
ON_RAW = ("random", "random_holding", "sign", "turn_3")
EVERYWHERE = (*ON_RAW, "turn_5", "after_random", "after_sign")
IDLE = ("idle_1", "idle_10", "idle_1000")


@dataclasses.dataclass
class Plan:
    """What one boot does; a workload that is not named is not made."""

    counted: dict = dataclasses.field(default_factory=dict)
    tours: tuple = ()
    memory: tuple = ()
    timed: dict = dataclasses.field(default_factory=dict)
    on_raw: dict = dataclasses.field(default_factory=dict)
    idle: dict = dataclasses.field(default_factory=dict)
    # Blocks of each workload that the raw node has too, by way; and of those that it has not.
    blocks: dict = dataclasses.field(default_factory=dict)
    blocks_alone: int = 0
    # How often the daemon is started. Its blocks are made in between.
    restarts: int = 1
    idle_blocks: int = 0

    def ways(self):
        return {*self.counted, *self.timed}


def samples(names, count):
    return dict.fromkeys(names, count)


COUNTS = Plan(
    counted={
        "c": samples(EVERYWHERE, 20),
        "raw": samples(ON_RAW, 20),
        "abrmd": samples(EVERYWHERE, 20),
        # The rounds of the five are long enough for the policy to have learned.
        "tpmrm": {**samples(EVERYWHERE, 20), "turn_5": 200, **samples(IDLE, 20)},
    },
    tours=("c", "raw", "abrmd", "tpmrm"),
    memory=("c", "tpmrm"),
)
COUNTS.counted["c"]["turn_5"] = COUNTS.counted["abrmd"]["turn_5"] = 200

# Short blocks, and many: the machine may be busy with something else, which is to hit all alike.
TIMES = Plan(
    timed=dict.fromkeys(("c", "abrmd", "tpmrm"), samples(EVERYWHERE, 10)),
    on_raw=samples(ON_RAW, 10),
    idle=samples(IDLE, 20),
    blocks={"c": 30, "abrmd": 6, "tpmrm": 120}, blocks_alone=10, restarts=3, idle_blocks=10,
)

# With a TPM that takes longer, fewer are enough: its time does not vary.
SLOW = Plan(
    timed=dict.fromkeys(("c", "abrmd", "tpmrm"), samples(EVERYWHERE, 5)),
    on_raw=samples(ON_RAW, 5),
    blocks={"c": 2, "abrmd": 2, "tpmrm": 12}, blocks_alone=1, restarts=1,
)

SMOKE = Plan(counted={"tpmrm": {**samples(EVERYWHERE, 10), "turn_5": 200, "idle_10": 10}})

PLANS = {"counts": COUNTS, "times": TIMES, "slow": SLOW, "smoke": SMOKE}
