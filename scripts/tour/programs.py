# SPDX-License-Identifier: GPL-2.0
"""Copies of programs in memory: from the guest's root, each start takes an emulated machine a second more."""

import os
import re
import shutil
import subprocess
import sysconfig
import tempfile

PROGRAMS = ("tpm2", "socat")
# What tpm2 loads by itself, to reach a TPM.
PLUGINS = ("libtss2-tcti-device.so.0", "libtss2-tcti-cmd.so.0")


def libraries(*paths):
    """The files that programs and libraries are linked with."""
    listed = subprocess.run(["ldd", *paths], stdout=subprocess.PIPE, text=True, check=True).stdout
    return set(re.findall(r"=> (/\S+)", listed))


def environment():
    """Copies the programs to a folder in memory, and returns what makes a process find them there."""
    folder = tempfile.mkdtemp(dir="/dev/shm")
    programs = [shutil.which(program) for program in PROGRAMS]
    plugins = [os.path.join(sysconfig.get_config_var("LIBDIR"), plugin) for plugin in PLUGINS]
    files = [os.path.realpath(path) for path in (*programs, *plugins)]
    for path, name in zip(files, (*PROGRAMS, *PLUGINS)):
        shutil.copy(path, os.path.join(folder, name))
    for path in libraries(*files):
        shutil.copy(path, folder)
    return dict(os.environ, PATH=f"{folder}:{os.environ['PATH']}", LD_LIBRARY_PATH=folder)
