# SPDX-License-Identifier: GPL-2.0
"""The trixie root as a place to run commands in, with folders of the host in it.

Commands see the root through an overlay in memory, so they cannot change the
cached one. Works only in the namespaces of namespace.run().
"""

import os
import signal
import subprocess

from . import cache, namespace

ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME": "/root",
    "LC_ALL": "C.UTF-8",
}
# What a caller may want commands in the root to know.
PASSED = ("TERM", "CI", "KBUILD_BUILD_TIMESTAMP", "SOURCE_DATE_EPOCH")


class Root:
    """The mounted root; folders are visible in it under their own paths."""

    def __init__(self, root, folders=()):
        self.scratch = os.path.join(cache.folder(), "mnt")
        os.makedirs(self.scratch, exist_ok=True)
        namespace.mount("tmpfs", self.scratch, "tmpfs")
        self.path = self.overlay("root", [root])
        namespace.mount("proc", self.inside("/proc"), "proc")
        for folder in ("/dev", "/sys"):
            namespace.bind(folder, self.inside(folder))
        for folder in folders:
            self.show(folder, self.path)

    def overlay(self, name, lower):
        """Mounts folders above each other, the first on top, with changes kept in memory."""
        base = os.path.join(self.scratch, name)
        top, upper, work = (os.path.join(base, part) for part in ("top", "upper", "work"))
        for folder in (top, upper, work):
            os.makedirs(folder)
        lowers = ":".join(folder.replace("\\", "\\\\").replace(":", "\\:") for folder in lower)
        namespace.mount(
            "overlay", top, "overlay", data=f"lowerdir={lowers},upperdir={upper},workdir={work}"
        )
        return top

    def inside(self, path):
        return self.path + path

    @staticmethod
    def show(folder, root):
        """Makes a folder or file of the host visible in a root under its own path."""
        target = root + folder
        if os.path.isdir(folder):
            os.makedirs(target, exist_ok=True)
        else:
            os.makedirs(os.path.dirname(target), exist_ok=True)
            open(target, "a").close()
        namespace.bind(folder, target)

    def popen(self, argv, cwd="/", **options):
        def change_root():
            os.chroot(self.path)
            os.chdir(cwd)

        environment = dict(ENVIRONMENT)
        environment.update({name: os.environ[name] for name in PASSED if name in os.environ})
        environment.update(options.pop("environment", {}))
        return subprocess.Popen(argv, preexec_fn=change_root, env=environment, **options)

    def run(self, argv, cwd="/", **options):
        """Runs a command to its end; a signal's death gives 128 and its number."""
        process = self.popen(argv, cwd, **options)
        try:
            status = process.wait()
        except BaseException:
            process.send_signal(signal.SIGTERM)
            process.wait()
            raise
        return status if status >= 0 else 128 - status
