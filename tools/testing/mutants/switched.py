# SPDX-License-Identifier: GPL-2.0
"""A copy of the engine and its tests that has all mutants in it, to be switched on one by one.

cargo-mutants says which mutants there are. In the copy the body of a function
is a match of the number that is switched on: an arm for each mutant with the
body as that changes it, and one with the body as it is. So all are built at
once, and each costs no more than the tests that notice it.
"""

import bisect
import collections
import json
import os
import re
import shutil
import subprocess

HERE = os.path.dirname(os.path.abspath(__file__))
TREE = os.path.dirname(os.path.dirname(os.path.dirname(HERE)))
# The tree as cargo-mutants reads it, and as it is built.
PLAIN = os.path.join(TREE, "build/mutants-plain")
COPY = os.path.join(TREE, "build/mutants")
TARGET = os.path.join(TREE, "build/mutants-target")
ENGINE = "drivers/char/tpm/tpmrm/engine"
# Where they are in the copy: cargo-mutants looks for files in the folder of the package.
WITHIN = "tools/testing/engine/src/engine"
PACKAGE = "tpmrm-engine-tests"
# One workspace of all that the engine's files are part of.
WORKSPACE = """[workspace]
members = ["tools/testing/engine", "tools/testing/engine/kernel", "tools/testing/replacement"]
resolver = "2"

[profile.dev.package."*"]
opt-level = 3

[profile.dev]
opt-level = 1
debug = false
"""


class Broken(Exception):
    """Why there is nothing to be judged."""


class Mutant:
    """A change, as cargo-mutants lists it; `where` and `inside` are (start, end) in the file's bytes."""

    def __init__(self, entry, text):
        self.file = entry["file"].removeprefix(WITHIN + "/")
        self.what = re.sub(r"^\S+?:\d+:\d+: ", "", entry["name"])
        self.name = f"{self.file}: {self.what}"
        self.replacement = entry["replacement"]
        self.where = text.span(entry["span"])
        self.inside = text.span(entry["function"]["span"])
        self.returns = entry["function"]["return_type"]
        self.number = 0


class Text:
    """A file, with places that are lines and columns of characters."""

    def __init__(self, path):
        self.starts = [0]
        for line in read(path).splitlines(keepends=True):
            self.starts.append(self.starts[-1] + len(line))

    def span(self, span):
        return tuple(self.starts[end["line"] - 1] + end["column"] - 1 for end in (span["start"], span["end"]))


def copy_tree():
    """The engine, its tests and what they need, without mutants."""
    shutil.rmtree(PLAIN, ignore_errors=True)
    names = subprocess.run(["git", "ls-files", "-z", ENGINE, "tools/testing/engine",
                            "tools/testing/replacement"], cwd=TREE, stdout=subprocess.PIPE, text=True, check=True)
    for name in names.stdout.split("\0"):
        if name:
            os.makedirs(os.path.join(PLAIN, os.path.dirname(name)), exist_ok=True)
            shutil.copyfile(os.path.join(TREE, name), os.path.join(PLAIN, name))
    shutil.copytree(os.path.join(PLAIN, ENGINE), os.path.join(PLAIN, WITHIN))
    shutil.copyfile(os.path.join(HERE, "mutant.rs"), os.path.join(PLAIN, "tools/testing/engine/src/mutant.rs"))
    change("engine/src/lib.rs", r'#\[path = "[^"]*/engine/mod.rs"\]\n', "")
    change("engine/src/lib.rs", r"\Z", "pub mod mutant;\n")
    write(os.path.join(PLAIN, "Cargo.toml"), WORKSPACE)
    shutil.copyfile(os.path.join(TREE, "tools/testing/engine/Cargo.lock"), os.path.join(PLAIN, "Cargo.lock"))
    # A workspace has no other within, and profiles are its own.
    for package in ("engine", "replacement"):
        change(f"{package}/Cargo.toml", r"\[workspace\]\n(members = .*\n)?|\[profile\.[^\[]*", "")


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def write(path, text):
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


def change(name, pattern, replacement):
    """Changes a file of the copy."""
    path = os.path.join(PLAIN, "tools/testing", name)
    write(path, re.sub(pattern, replacement, read(path)))


def build_tree(switched):
    """Makes the tree to be built, with these files instead of the plain ones. What is the same is left alone,
    so that cargo builds no more than it has to."""
    for folder, _, names in os.walk(PLAIN):
        inside = os.path.relpath(folder, PLAIN)
        os.makedirs(os.path.join(COPY, inside), exist_ok=True)
        for name in names:
            name = os.path.normpath(os.path.join(inside, name))
            text = switched.get(name) or read(os.path.join(PLAIN, name))
            if not os.path.exists(os.path.join(COPY, name)) or read(os.path.join(COPY, name)) != text:
                write(os.path.join(COPY, name), text)


def mutants(files):
    """All mutants of these files, each with a name of its own."""
    tools = subprocess.run([os.path.join(HERE, "cargo-tool"), "cargo-mutants"], stdout=subprocess.PIPE,
                           text=True, check=True).stdout.strip()
    listed = subprocess.run(["cargo", "mutants", "--list", "--json", f"--package={PACKAGE}",
                             *(f"--file={WITHIN}/{name}" for name in files)], cwd=PLAIN,
                            env=dict(os.environ, PATH=f"{tools}:{os.environ['PATH']}"),
                            stdout=subprocess.PIPE, text=True, check=True)
    texts = {}
    found = []
    for entry in json.loads(listed.stdout):
        path = os.path.join(PLAIN, entry["file"])
        found.append(Mutant(entry, texts.setdefault(path, Text(path))))
    # The same change of one function, in another place.
    seen = collections.Counter()
    for number, mutant in enumerate(found, start=1):
        mutant.number = number
        seen[mutant.name] += 1
        if seen[mutant.name] > 1:
            mutant.name += f" ({seen[mutant.name]})"
    return found


def body(text, mutant):
    """Where the body of the mutant's function begins."""
    start, end = mutant.inside
    # Types in the engine's signatures have no braces.
    return text.index("{", start, end)


def switch(found):
    """The files with the mutants in them, and the mutants by file and line."""
    placed = {}
    switched = {}
    by_file = collections.defaultdict(list)
    for mutant in found:
        by_file[mutant.file].append(mutant)
    for name, some in by_file.items():
        text = read(os.path.join(TREE, ENGINE, name))
        out = ""
        done = 0
        functions = collections.defaultdict(list)
        for mutant in some:
            functions[mutant.inside].append(mutant)
        for (start, end), changes in sorted(functions.items()):
            if start < done:
                raise Broken(f"{name}: there is a function within another")
            begins = body(text, changes[0])
            out += text[done:begins] + "{ "
            # Each has a type of its own where the function says no more than that it is an iterator.
            one, other = ("crate::mutant::Either::" + kind if "impl Iterator" in changes[0].returns else ""
                          for kind in ("Changed", "AsItWas"))
            for mutant in changes:
                at, until = mutant.where
                placed[name, out.count("\n") + 2] = mutant
                out += (f"match crate::mutant::on() {{\n{mutant.number} => {one}(" + text[begins:at]
                        + mutant.replacement + text[until:end] + f"),\n_ => {other}(")
                placed[name, out.count("\n") + 1] = None
            out += text[begins:end] + ") }" * len(changes) + " }"
            done = end
            placed[name, out.count("\n") + 1] = None
        switched[os.path.join(WITHIN, name)] = out + text[done:]
    return switched, placed


def culprits(placed, messages):
    """The mutants that the compiler's errors are about."""
    lines = collections.defaultdict(list)
    for name, line in sorted(placed, key=lambda place: place[1]):
        lines[name].append(line)
    bad = set()
    for error in messages:
        for span in error["spans"]:
            if not span["is_primary"]:
                continue
            name = span["file_name"].split("/src/engine/")[-1]
            index = bisect.bisect_right(lines[name], span["line_start"]) - 1
            mutant = placed[name, lines[name][index]] if index >= 0 else None
            if mutant is None:
                raise Broken("no mutant, but does not build: " + error["rendered"])
            bad.add(mutant)
    return bad


def cargo(*words):
    return subprocess.run(["cargo", *words, f"--package={PACKAGE}", "--message-format=json"], cwd=COPY,
                          env=dict(os.environ, CARGO_TARGET_DIR=TARGET, RUSTFLAGS="--cap-lints=allow"),
                          stdout=subprocess.PIPE, text=True, check=False)


def errors(done):
    for line in done.stdout.splitlines():
        entry = json.loads(line)
        if entry["reason"] == "compiler-message" and entry["message"]["level"] == "error":
            if entry["message"]["spans"]:
                yield entry["message"]


def make(files, options, known):
    """Puts what can be built of the mutants into the copy. Returns those, and the names of the others, some
    of which are `known`."""
    copy_tree()
    found = mutants(files)
    # What a constant function returns cannot depend on anything.
    unbuildable = {mutant.name for mutant in found if "const fn" in declaration(mutant)} | known
    while True:
        rest = [mutant for mutant in found if mutant.name not in unbuildable]
        switched, placed = switch(rest)
        build_tree(switched)
        done = cargo("check", "--lib", *options)
        if done.returncode == 0:
            return rest, unbuildable
        bad = culprits(placed, errors(done))
        if not bad:
            raise Broken("cargo check fails")
        unbuildable |= {mutant.name for mutant in bad}


def declaration(mutant):
    text = read(os.path.join(TREE, ENGINE, mutant.file))
    return text[mutant.inside[0]:body(text, mutant)]


def program(test, options):
    """Builds a test with the mutants; the path of the program."""
    done = cargo("test", "--no-run", "--test", test, *options)
    if done.returncode:
        raise Broken(f"the test {test} does not build")
    for line in done.stdout.splitlines():
        entry = json.loads(line)
        if entry["reason"] == "compiler-artifact" and entry["target"]["name"] == test and entry["executable"]:
            return entry["executable"]
    raise Broken(f"there is no test {test}")
