# SPDX-License-Identifier: GPL-2.0
"""Commits and patches as git makes them, in a repository that has only what the patches are about."""

import os
import shutil
import subprocess

from . import kernel_tree

NAMES = ("0001", "0002")


class Repository:
    """A repository for a while, with the author and the time of our own last commit."""

    def __init__(self, folder, tree):
        self.folder = folder
        self.who, date = (self.output(["git", "-c", f"safe.directory={tree}", "log", "-1", f"--format={form}"], tree)
                          for form in ("%an <%ae>", "%aI"))
        name, _, address = self.who.rstrip(">").rpartition(" <")
        self.environment = {**os.environ, "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_SYSTEM": "/dev/null"}
        for role in ("AUTHOR", "COMMITTER"):
            self.environment.update({f"GIT_{role}_NAME": name, f"GIT_{role}_EMAIL": address, f"GIT_{role}_DATE": date})
        self.git("init", "-q", "-b", "series")

    def output(self, argv, cwd):
        return subprocess.run(argv, cwd=cwd, stdout=subprocess.PIPE, text=True, check=True).stdout.strip()

    def git(self, *arguments):
        return subprocess.run(["git", *arguments], cwd=self.folder, env=self.environment,
                              stdout=subprocess.PIPE, text=True, check=True).stdout

    def commit(self, files, message):
        """Commits these files, and no others."""
        for name in self.git("ls-files").splitlines():
            if name not in files:
                os.remove(os.path.join(self.folder, name))
        for name, text in files.items():
            path = os.path.join(self.folder, name)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "w") as file:
                file.write(text)
        self.git("add", "-A", "-f")
        self.git("commit", "-q", "-s", "-m", message)

    def patches(self, folder, cover):
        """Writes the patches of the last two commits, with a letter before them."""
        shutil.rmtree(folder, ignore_errors=True)
        self.git("format-patch", "-q", "--cover-letter", "--no-signature", "--zero-commit", "--stat=72",
                 "-M", "-o", folder, "HEAD~2")
        letter = os.path.join(folder, "0000-cover-letter.patch")
        subject, _, body = cover.strip().partition("\n\n")
        with open(letter) as file:
            text = file.read()
        text = text.replace("*** SUBJECT HERE ***", " ".join(subject.split())).replace("*** BLURB HERE ***", body)
        with open(letter, "w") as file:
            file.write(text)
        return sorted(os.listdir(folder))


def write(scratch, tree, kernel, halves, texts, folder):
    """Writes the series into a folder; texts are those of the letter and of the two patches."""
    first, whole = halves
    repository = Repository(scratch, tree)
    files = kernel_tree.Files.of(kernel)
    cover, *messages = texts
    repository.commit(files, "The kernel before")
    files = kernel_tree.first(files, repository.who)
    repository.commit({**files, **first}, messages[0])
    files = kernel_tree.second(files)
    repository.commit({**files, **whole}, messages[1])
    return repository.patches(folder, cover)
