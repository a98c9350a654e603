# SPDX-License-Identifier: GPL-2.0
"""The style checks that the rig has of its own: each must find what it looks for."""

from harness import equal, says, scratch, write
from rig import sources

# Put together here, so that this file passes what it tests.
HOST = ".".join(("deb", "debian", "org"))
USE = "un" + "safe"


def rig_a_file_without_a_licence_is_found():
    with scratch() as tree:
        write(f"{tree}/good.c", f"// {sources.LICENCE}\n")
        write(f"{tree}/bad.c", "int x;\n")
        write(f"{tree}/other.c", "// SPDX-License-Identifier: " + "MIT\n")
        wrong = sources.without_licence(tree, ["good.c", "bad.c", "other.c"])
        equal([line.partition(":")[0] for line in wrong.splitlines()], ["bad.c", "other.c"], "the files")


def rig_the_name_of_a_mirror_is_found():
    with scratch() as tree:
        write(f"{tree}/bad", f"first\nsee {HOST}/debian\n")
        write(f"{tree}/good", "see example.invalid\n")
        says(sources.with_hosts(tree, ["bad", "good"]), "bad:2:")
        equal(sources.with_hosts(tree, ["good"]), "", "what is wrong with the good file")


def rig_unsafe_code_in_the_engine_is_found():
    with scratch() as tree:
        write(f"{tree}/engine/mod.rs", "#![forbid(unsafe_code)]\n")
        write(f"{tree}/engine/a.rs", f'// {USE}\nlet x = "{USE}";\n')
        names = ["engine/mod.rs", "engine/a.rs"]
        equal(sources.unsafe_code(tree, names), "", "what is wrong with safe code")
        write(f"{tree}/engine/a.rs", f"let x = {USE} {{ f() }};\n")
        says(sources.unsafe_code(tree, names), "engine/a.rs:1")
        write(f"{tree}/engine/mod.rs", "mod a;\n")
        says(sources.unsafe_code(tree, names), "engine/mod.rs: does not forbid")
        assert sources.unsafe_code(tree, []), "an engine without sources is safe"


def rig_unexplained_unsafe_code_is_found():
    with scratch() as tree:
        write(f"{tree}/a.rs", f"// SAFETY: It is.\nlet x = {USE} {{ f() }};\n\nlet y = {USE} {{ f() }};\n")
        equal(sources.unexplained(tree, ["a.rs"]).partition(": ")[0], "a.rs:4", "the place")
