# SPDX-License-Identifier: GPL-2.0
"""A repository with the kernel's own files that the patches change, to apply them in."""

import os
import re
import shutil
import subprocess

ENVIRONMENT = {
    **os.environ, "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_SYSTEM": "/dev/null",
    "GIT_COMMITTER_NAME": "tests", "GIT_COMMITTER_EMAIL": "tests@localhost",
    "GIT_AUTHOR_NAME": "tests", "GIT_AUTHOR_EMAIL": "tests@localhost",
}


class Repository:
    """As a maintainer's, but for all that the patches have nothing to do with."""

    def __init__(self, folder, kernel):
        self.folder = folder
        self.kernel = kernel
        self.git("init", "-q", "-b", "main")
        self.git("commit", "-q", "--allow-empty", "-m", "Empty")

    def git(self, *arguments, check=True):
        done = subprocess.run(["git", *arguments], cwd=self.folder, env=ENVIRONMENT, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        if check and done.returncode:
            raise RuntimeError(done.stdout)
        return done

    def apply(self, patch):
        """Applies a patch; returns why not. What of the kernel's it changes, and is not there yet, comes first."""
        with open(patch) as file:
            changed = set(re.findall(r"^--- a/(.*)$", file.read(), re.MULTILINE))
        missing = [name for name in sorted(changed) if not os.path.exists(os.path.join(self.folder, name))]
        for name in missing:
            target = os.path.join(self.folder, name)
            os.makedirs(os.path.dirname(target), exist_ok=True)
            shutil.copy(os.path.join(self.kernel, name), target)
        if missing:
            self.git("add", "-A")
            self.git("commit", "-q", "-m", "The kernel's")
        done = self.git("am", "-q", patch, check=False)
        # git am warns of blanks at the ends of lines, and applies the patch all the same.
        return None if done.returncode == 0 and not done.stdout.strip() else done.stdout.strip().replace("\n", "; ")

    def files(self):
        """All files as they are, by their names."""
        found = {}
        for name in self.git("ls-files").stdout.splitlines():
            with open(os.path.join(self.folder, name)) as file:
                found[name] = file.read()
        return found
