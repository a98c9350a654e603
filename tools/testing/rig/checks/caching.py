# SPDX-License-Identifier: GPL-2.0
"""The cache, mirrors and namespaces: safe to interrupt and to run again."""

import contextlib
import os
import signal
import subprocess
import time

from harness import equal, in_child, says, scratch, write
from rig import cache, kernel, mirror, namespace, root, say


@contextlib.contextmanager
def own_cache():
    """An empty cache for the body."""
    before = os.environ.get("XDG_CACHE_HOME")
    with scratch() as folder:
        os.environ["XDG_CACHE_HOME"] = folder
        try:
            yield cache.folder()
        finally:
            if before is None:
                del os.environ["XDG_CACHE_HOME"]
            else:
                os.environ["XDG_CACHE_HOME"] = before


def fill(folder):
    write(f"{folder}/made", "x")


def never(folder):
    raise AssertionError(f"{folder} is made again")


def rig_an_entry_is_made_once():
    with own_cache() as folder:
        path = cache.entry("thing", "key", fill)
        equal(os.listdir(path), ["made"], "the entry")
        equal(cache.entry("thing", "key", never), path, "the entry's path")
        equal(os.path.dirname(path), folder, "the entry's folder")


def rig_another_key_is_another_entry():
    with own_cache():
        first = cache.entry("thing", cache.digest("a", "b"), fill)
        second = cache.entry("thing", cache.digest("a", "c"), fill)
        assert first != second and os.path.isdir(first), "an entry replaces another"
        assert cache.digest("ab", "c") != cache.digest("a", "bc"), "parts of a key run together"


def rig_a_kernel_does_not_depend_on_packages_that_did_not_build_it():
    def status(folder, *packages):
        text = "\n\n".join(f"Package: {name}\nStatus: install ok installed\nVersion: {version}"
                           for name, version in packages)
        write(f"{folder}/var/lib/dpkg/status", text + "\n\n")
        return root.versions(folder, ("gcc-14", "rustc"))

    with scratch() as folder:
        first = status(folder, ("gcc-14", "14.2"), ("rustc", "1.85"))
        equal(first, ["gcc-14 14.2", "rustc 1.85"], "the versions")
        equal(status(folder, ("abrmd", "3"), ("rustc", "1.85"), ("gcc-14", "14.2")), first, "the versions")
        assert status(folder, ("gcc-14", "14.2"), ("rustc", "1.86")) != first, "a new compiler goes unnoticed"


def rig_an_interrupted_entry_is_made_again():
    def interrupted(folder):
        write(f"{folder}/half", "x")
        raise KeyboardInterrupt

    with own_cache():
        with contextlib.suppress(KeyboardInterrupt):
            cache.entry("thing", "key", interrupted)
        equal(os.listdir(cache.entry("thing", "key", fill)), ["made"], "the entry")


def rig_a_killed_run_leaves_no_entry():
    def killed(folder):
        write(f"{folder}/half", "x")
        os.kill(os.getpid(), signal.SIGKILL)

    with own_cache():
        child = in_child(lambda: cache.entry("thing", "key", killed))
        equal(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), -signal.SIGKILL, "the end of the run")
        # Nor does it leave its lock held.
        equal(os.listdir(cache.entry("thing", "key", fill)), ["made"], "the entry")


def rig_two_runs_make_an_entry_once():
    def slow(folder):
        with open(f"{os.path.dirname(folder)}/times", "a") as file:
            file.write("x")
        time.sleep(0.5)
        fill(folder)

    with own_cache() as folder:
        children = [in_child(lambda: cache.entry("thing", "key", slow)) for _ in range(3)]
        equal([os.waitpid(child, 0)[1] for child in children], [0, 0, 0], "the ends of the runs")
        with open(f"{folder}/times") as file:
            equal(file.read(), "x", "how often it was made")


def rig_nothing_that_is_mounted_is_removed():
    with scratch() as folder:
        kept = write(f"{folder}/kept/file", "x")
        os.mkdir(f"{folder}/entry")
        os.mkdir(f"{folder}/entry/mount")

        def inside():
            namespace.bind(f"{folder}/kept", f"{folder}/entry/mount")
            try:
                cache.remove(f"{folder}/entry")
            except say.Failure:
                return 0
            return 1

        equal(namespace.run(inside), 0, "the status")
        assert os.path.exists(kept), "a mounted folder was emptied"


def rig_namespaces_pass_the_status_on():
    def killed():
        os.kill(subprocess.Popen(["sleep", "100"]).pid, signal.SIGKILL)
        return 7

    equal(namespace.run(lambda: 0), 0, "the status")
    equal(namespace.run(killed), 7, "the status")
    equal(namespace.run(lambda: 1 / 0), 2, "the status of an error")


def rig_namespaces_leave_nothing():
    with scratch() as folder:
        def inside():
            namespace.mount("tmpfs", folder, "tmpfs")
            write(f"{folder}/file", "x")
            with open("/proc/self/mountinfo") as mounts:
                assert folder in mounts.read()
            subprocess.Popen(["sleep", "12345.678"])
            return 0

        equal(namespace.run(inside), 0, "the status")
        equal(os.listdir(folder), [], "the files that are left")
        with open("/proc/self/mountinfo") as mounts:
            assert folder not in mounts.read(), "a mount is left"
        equal(processes("12345.678"), [], "the processes that are left")


def processes(word):
    """Processes with a word in their command."""
    found = []
    for name in os.listdir("/proc"):
        with contextlib.suppress(OSError, ValueError):
            with open(f"/proc/{int(name)}/cmdline", "rb") as file:
                if word.encode() in file.read() and int(name) != os.getpid():
                    found.append(int(name))
    return found


def rig_the_mirror_is_that_of_the_machine():
    known = mirror.sources()
    assert known and all(line.startswith("deb ") and " trixie" in line for line in known), known
    suites = [line.split()[2] for line in known]
    assert "trixie" in suites and "trixie-backports" in suites, suites
    equal([line.split()[1:3] for line in mirror.sources("forky")], [[known[0].split()[1], "forky"]],
          "the mirror of a suite that is not released")
    given = "mirror.invalid/debian"
    os.environ["TPMRM_MIRROR"] = given
    try:
        assert all(line.split()[1] == given for line in mirror.sources()), "TPMRM_MIRROR is not taken"
    finally:
        del os.environ["TPMRM_MIRROR"]


def rig_a_failed_step_tells_the_end_of_its_log():
    with own_cache():
        try:
            say.long_command("a step", ["sh", "-c", "echo first; echo the reason; exit 3"], cache.log("step"))
        except say.Failure as failure:
            says(str(failure), "a step failed with status 3", "the reason", cache.log("step"))
            return
    raise AssertionError("a step that failed went well")


class Archive(kernel.Maker):
    """A maker of kernels that knows what the archive has."""

    def __init__(self, *releases):  # pylint: disable=super-init-not-called
        self.releases = releases

    def output(self, argv, cwd="/"):
        return "".join(f"linux-headers-{release} - Header files\n" for release in self.releases)


def rig_a_kernel_that_is_gone_is_replaced_by_the_newest():
    wanted = "7.3.4+deb13-amd64"
    equal(Archive("7.3.2+deb13-amd64", wanted).choose(wanted), wanted, "the release that is there")
    newest = Archive("7.3.9+deb13-amd64", "7.3.10+deb13-amd64", "7.3.2+deb13-amd64").choose(wanted)
    equal(newest, "7.3.10+deb13-amd64", "the newest release")
    newest = Archive("7.3.9+deb13-amd64", "7.10.1+deb13-amd64").choose(wanted)
    equal(newest, "7.3.9+deb13-amd64", "the newest release of the series")
    newest = Archive("7.9.2+deb13-amd64", "7.10.1+deb13-amd64").choose(wanted)
    equal(newest, "7.10.1+deb13-amd64", "the newest release when the series is gone")
    try:
        Archive().choose(wanted)
    except say.Failure as failure:
        says(str(failure), wanted)
        return
    raise AssertionError("a kernel was found in an empty archive")


def rig_a_tree_with_other_symbols_is_refused():
    with scratch() as folder:
        maker = object.__new__(kernel.Maker)
        maker.folder = folder
        write(f"{folder}/linux/rust/exports_core_generated.h", "EXPORT_SYMBOL_RUST_GPL(_R1);\nEXPORT_SYMBOL_RUST_GPL(_R2);\n")
        write(f"{folder}/linux/Module.symvers", "0x1\t_R1\tvmlinux\tE\t\n0x2\t_R2\tvmlinux\tE\t\n")
        maker.check_exports()
        write(f"{folder}/linux/Module.symvers", "0x1\t_R1\tvmlinux\tE\t\n0x2\t_R3\tvmlinux\tE\t\n")
        try:
            maker.check_exports()
        except say.Failure as failure:
            says(str(failure), "1 of 2", "_R2")
            return
    raise AssertionError("a missing symbol is not noticed")
