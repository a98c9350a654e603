# SPDX-License-Identifier: GPL-2.0
"""What a guest is made of, as scripts/vm and the probe ask for it."""

import dataclasses


@dataclasses.dataclass
class Options:
    """One field for each choice; paths are absolute."""

    command: list
    directory: str
    image: str = ""
    module: str = ""
    parameters: list = dataclasses.field(default_factory=list)
    append: list = dataclasses.field(default_factory=list)
    root: str = "virtiofs"
    tpm: str = "crb"
    tpm_log: str = ""
    tpm_delay: float = 0.0
    folders: list = dataclasses.field(default_factory=list)
    programs: list = dataclasses.field(default_factory=list)
    forward: int = 0
    accelerator: str = "tcg"
    patience: int = 1
    timeout: float = 1800.0
    tty: bool = False
    console: str = ""
