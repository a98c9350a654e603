# SPDX-License-Identifier: GPL-2.0
"""What can be told of the patches by reading them."""

import difflib
import os
import re
import subprocess

from patches import halves
from rig import sources

# What checkpatch may say, and why that is as it should be.
ALLOWED = (
    # The form that all trace events have.
    r"/tpmrm/trace\.h:\d+: CHECK:(OPEN_ENDED_LINE|PARENTHESIS_ALIGNMENT):",
    # A name that becomes a part of other names is not evaluated.
    r"/tpmrm/parameters\.c:\d+: CHECK:MACRO_ARG_REUSE: .*'name'",
    # bindgen makes a bool of it without the kernel's headers.
    r"/tpmrm/shim\.h:\d+: CHECK:CAMELCASE: .*<_Bool>",
    # The field "to" of an event is no line of a mail.
    r"/engine/observer\.rs:\d+: (WARNING|ERROR):BAD_SIGN_OFF: .*(before To:|'Option<UserId>,')",
)
# In no line of 1/2.
WORDS = re.compile(r"exhaust|tombstone|fair share|session_(lease|wait|policy)|kernel_reserve|max_sessions_per_user"
                   r"|TPMRM_(IOC|POLICY|INFO)_|\blease\b", re.IGNORECASE)
INDEX = "Documentation/security/tpm/index.rst"


def read(folder, name):
    with open(os.path.join(folder, name)) as file:
        return file.read()


def checkpatch(tree, kernel, patch):
    """What checkpatch says, and should not; it reads the patch in the kernel's tree."""
    command = [os.path.join(tree, "scripts/inside"), "--", "perl", "scripts/checkpatch.pl", "--strict", "--terse",
               "--show-types", "--no-summary", "--showfile", patch]
    done = subprocess.run(command, cwd=kernel.tree, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, check=False)
    wrong = []
    for line in done.stdout.splitlines():
        if not any(re.search(pattern, line) for pattern in ALLOWED):
            wrong.append(line)
    return "; ".join(wrong[:5])


def cover_letter(path):
    """Whether anything is left of what git format-patch writes for others to fill in."""
    letter = read(*os.path.split(path))
    if "***" in letter:
        return "there is something to fill in"
    for argument in ("use case", "API", "denial of service", "complexity"):
        if argument.lower() not in letter.lower():
            return f"nothing is said about {argument}"
    long = [line for line in letter.partition("\n\n")[2].splitlines() if len(line) > 75 and " | " not in line and "=>" not in line]
    return f"this is too long: {long[0]}" if long else None


def words(state):
    """A line of our files that is about what only the second patch has."""
    for name, text in state.items():
        if not ours(name):
            continue
        for number, line in enumerate(text.splitlines(), 1):
            if WORDS.search(line):
                return f"{name}:{number}: {line.strip()}"
    return None


def ours(name):
    return "tpmrm" in name


def difference(tree, state):
    """How what both patches make differs from the tree, beyond what is meant to differ."""
    tracked = [name for name in sources.tracked(tree) if name.startswith(halves.DRIVER) or name == halves.UAPI]
    pages = {theirs: name for name, theirs in halves.PAGES.items()}
    theirs = {name for name in state if ours(name)}
    extra = sorted(theirs ^ {*tracked, *pages})
    if extra:
        return f"{extra[0]} is in one of the two only"
    for name in tracked:
        before, after = read(tree, name).splitlines(), state[name].splitlines()
        changes = [line for line in difflib.ndiff(before, after) if line[:2] in ("+ ", "- ")]
        # What is for kernels before the one that the patches are for is not in them.
        if changes and (name != f"{halves.DRIVER}shim.c" or any(line.startswith("+ ") for line in changes)):
            return f"{name} differs: {changes[0]}"
    return None


def pages(states):
    """Pages of ours that are not in the index, or are only there."""
    for state in states:
        listed = {f"Documentation/security/tpm/{name}.rst"
                  for name in re.findall(r"^   (tpmrm\S*)$", state[INDEX], re.MULTILINE)}
        there = {name for name in state if name.startswith("Documentation/") and ours(name) and name.endswith(".rst")}
        if listed != there:
            return f"the index has {sorted(listed)}, and there are {sorted(there)}"
        # A page or a file that is named is there.
        for name in sorted(there):
            for other in re.findall(r"\b(tpmrm[a-z-]*\.rst)\b", state[name]):
                if f"Documentation/security/tpm/{other}" not in there:
                    return f"{name} names {other}, which is not there"
    return None
