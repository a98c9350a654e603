# SPDX-License-Identifier: GPL-2.0
"""What can be told of source files by reading them."""

import os
import re
import subprocess

# Files that cannot carry a licence line: the licence, what cargo writes, and what Debian wants to be so.
NO_LICENCE = re.compile(r"(^|/)(COPYING|Cargo\.lock|debian/(changelog|source/format))$")
LICENCE = "SPDX-License-Identifier: GPL-2.0"
# Public mirrors and registries; those that this machine uses are asked for.
HOSTS = r"(deb|ftp|security|snapshot|archive)[.][a-z.]*(debian|ubuntu)[.](org|com)|(pypi|npmjs|pythonhosted|index[.]crates|static[.]crates)[.](org|io)"


def tracked(tree):
    """The files that git knows, and those that it would."""
    listed = subprocess.run(
        ["git", "-c", f"safe.directory={tree}", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=tree, stdout=subprocess.PIPE, text=True, check=True).stdout
    names = sorted(name for name in listed.split("\0") if name)
    return [name for name in names if os.path.isfile(os.path.join(tree, name))]


def read(tree, name):
    with open(os.path.join(tree, name), errors="replace") as file:
        return file.read()


def scripts(tree, names):
    """Programs in shell; checkpatch knows how those are to be written."""
    return [name for name in names if re.match(r"#!.*\b(ba)?sh$", read(tree, name).partition("\n")[0])]


def without_licence(tree, names):
    wrong = [name for name in names if not NO_LICENCE.search(name)
             and not any(re.search(LICENCE + r"( |$)", line) for line in read(tree, name).splitlines()[:3])]
    return "\n".join(f"{name}: no line with {LICENCE}" for name in wrong)


def with_hosts(tree, names):
    hosts = re.compile("|".join([HOSTS, *map(re.escape, machine_hosts())]))
    return "\n".join(
        f"{name}:{number}: names a mirror or registry"
        for name in names if not name.endswith(".lock")
        for number, line in enumerate(read(tree, name).splitlines(), 1) if hosts.search(line))


def machine_hosts():
    """Hosts that this machine gets packages from, by its configuration of apt, cargo and pip."""
    texts = [subprocess.run(["apt-get", "indextargets", "--format", "$(REPO_URI)"],
                            stdout=subprocess.PIPE, text=True, check=False).stdout]
    for path in ("~/.cargo/config.toml", "~/.cargo/config", "~/.config/pip/pip.conf", "/etc/pip.conf"):
        path = os.path.expanduser(path)
        if os.path.exists(path):
            with open(path) as file:
                texts.append(file.read())
    hosts = set(re.findall(r"://(?:[^/@\s]*@)?([\w.-]+\.[a-z]+)", "\n".join(texts)))
    return sorted(hosts - {"github.com"})


def code(line):
    """A line of Rust without its comment and its strings."""
    return re.sub(r'"(\\.|[^"\\])*"', '""', line).partition("//")[0]


def unsafe_code(tree, names):
    if not names:
        return "no source of the engine was found"
    wrong = [f"{name}:{number}: unsafe code in the engine"
             for name in names for number, line in enumerate(read(tree, name).splitlines(), 1)
             if re.search(r"\bunsafe\b", code(line))]
    for root in names:
        if root.endswith("engine/mod.rs") and "#![forbid(unsafe_code)]" not in read(tree, root):
            wrong.append(f"{root}: does not forbid unsafe code")
    return "\n".join(wrong)


def unexplained(tree, names):
    """Uses of unsafe code with no comment, before their statement, that says why they are sound."""
    wrong = []
    for name in names:
        lines = read(tree, name).splitlines()
        for at, line in enumerate(lines):
            # In a type, "unsafe extern fn(" and "unsafe fn(" promise nothing.
            use = re.sub(r'\bunsafe (extern "" )?fn\s*\(', "", code(line))
            if re.search(r"\bunsafe\b", use) and not explained(lines, at):
                wrong.append(f"{name}:{at + 1}: unsafe code without its SAFETY comment")
    return "\n".join(wrong)


def explained(lines, at):
    if "SAFETY:" in lines[at]:
        return True
    comment = False
    for line in reversed(lines[:at]):
        text = line.strip()
        if text.startswith("//"):
            comment = True
            if "SAFETY:" in text or "# Safety" in text:
                return True
        elif comment or text.endswith((";", "}", "{")) and not text.startswith("#"):
            return False
    return False


def quotes(tree, complaint, word):
    """Whether a complaint "FILE:LINE: ..." is of a line that has a word in it."""
    match = re.match(r"(?P<name>[^:]+):(?P<line>\d+):", complaint)
    if match is None:
        return False
    lines = read(tree, match["name"]).splitlines()
    return word in lines[int(match["line"]) - 1]


def compile_command(path):
    """The command that made an object, turned into one that documents the crate."""
    with open(path) as file:
        command = file.readline().partition(" := ")[2].strip()
    # Make doubles the dollar signs that it keeps.
    command = command.replace("$$", "$")
    command = re.sub(r" --(emit|out-dir)[= ]\S+", "", command)
    # clippy-driver, if that was the last to run, is a compiler with more to say.
    command = re.sub(r" (\S*/)?(rustc|clippy-driver) ", " rustdoc ", command, count=1)
    # A driver has no other readers than those who read its private items.
    flags = "-Dwarnings -Arustdoc::private_intra_doc_links --document-private-items --out-dir doc"
    return f"RUSTC_BOOTSTRAP=1 {command} {flags}"
