# SPDX-License-Identifier: GPL-2.0
"""Our files as a kernel tree has them: after the first patch, and after both."""

import os

from . import c, kbuild, option, rest, rust

DRIVER = "drivers/char/tpm/tpmrm/"
UAPI = "include/uapi/linux/tpmrm.h"
# What our pages are called in a kernel tree.
FOLDER = "Documentation/security/tpm/"
PAGES = {
    "Documentation/interface.rst": f"{FOLDER}tpmrm.rst",
    "Documentation/applications.rst": f"{FOLDER}tpmrm-applications.rst",
    "Documentation/exhaustion.rst": f"{FOLDER}tpmrm-exhaustion.rst",
}
# There with the option only, without a line in another file that tells.
SECOND = (UAPI, f"{FOLDER}tpmrm-applications.rst", f"{FOLDER}tpmrm-exhaustion.rst")
# What the kernel tree has. For older ones, our files have something else.
HEADERS = ("linux/tpm_buf.h",)
# What the first patch is not about.
WORDS = ("exhaust", "session_lease", "session_wait", "kernel_reserve", "session_policy", "tpmrm_ioc")


class Split(Exception):
    """The first half is not what it should be."""


def of(tree, names, kernel):
    """Two dictionaries, from the names that files have in a kernel tree to their texts."""
    known = {}
    for header in HEADERS:
        if not os.path.exists(os.path.join(kernel, "include", header)):
            raise Split(f"the kernel tree has no <{header}>: it is older than those that the patches are for")
        known[("if", f"__has_include(<{header}>)")] = True
    whole = {}
    for name in names:
        if name.startswith(DRIVER) or name == UAPI:
            whole[name] = read(tree, name)
            if name.endswith((".c", ".h")):
                whole[name] = c.without(name, whole[name], known)
        elif name in PAGES:
            whole[PAGES[name]] = page(name, read(tree, name), True)
    first = {}
    missing = set()
    for name, text in whole.items():
        first[name], gone = without(name, text)
        missing.update(gone)
    for name, called in PAGES.items():
        if called in first:
            first[called] = page(name, read(tree, name), False)
    for name in list(first):
        if name in SECOND or any(name == gone or name.startswith(gone) for gone in missing):
            del first[name]
    for name, text in first.items():
        option.check_gone(name, text)
        check_words(name, text)
    return first, whole


def without(name, text):
    """A file without the option, and the files and folders that are not there then."""
    if name.endswith(".rs"):
        text, modules = rust.without(name, text)
        folder = os.path.dirname(name) if name.endswith(("/mod.rs", "_main.rs")) else name.removesuffix(".rs")
        return text, [f"{folder}/{module}{end}" for module in modules for end in (".rs", "/")]
    if name.endswith((".c", ".h")):
        return c.without(name, text), []
    if name.endswith("/Makefile"):
        return kbuild.makefile(name, text), []
    if name.endswith("/Kconfig"):
        return kbuild.kconfig(name, text), []
    return text, []


def page(name, text, option_is_on):
    """A page of ours, with the names that pages have in a kernel tree."""
    text = rest.half(name, text, option_is_on)
    for ours, theirs in PAGES.items():
        for form in ("{}.rst", ":doc:`{}`"):
            text = text.replace(form.format(stem(ours)), form.format(stem(theirs)))
    return text


def stem(name):
    return os.path.basename(name).removesuffix(".rst")


def check_words(name, text):
    for number, line in enumerate(text.splitlines(), 1):
        for word in WORDS:
            if word in line.lower():
                raise Split(f"{name}:{number}: {word!r} in the first patch: {line.strip()}")


def read(tree, name):
    with open(os.path.join(tree, name)) as file:
        return file.read()
