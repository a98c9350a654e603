# SPDX-License-Identifier: GPL-2.0
"""The package itself: its version, and what is in it."""

import re
import subprocess

from results import says


def read(path):
    with open(path) as file:
        return file.read()


def run(results, tree, deb):
    with results.test("packages_versions_agree"):
        version = re.search(r'MODULE_VERSION\("(.*)"\)', read(f"{tree}/drivers/char/tpm/tpmrm/shim.c"))[1]
        says(read(f"{tree}/dkms.conf"), f'PACKAGE_VERSION="{version}"')
        says(read(f"{tree}/debian/changelog").splitlines()[0], f"({version})")
        says(deb, f"tpmrm-dkms_{version}_all.deb")
    with results.test("packages_files_are_in_their_places"):
        listed = subprocess.run(["dpkg-deb", "--contents", deb], stdout=subprocess.PIPE, text=True, check=True).stdout
        paths = {line.split()[5].removeprefix(".") for line in listed.splitlines()}
        for path in ("/etc/modprobe.d/tpmrm.conf", "/usr/lib/modules-load.d/tpmrm.conf",
                     f"/usr/src/tpmrm-{version}/dkms.conf",
                     f"/usr/src/tpmrm-{version}/scripts/dkms/prepare", f"/usr/src/tpmrm-{version}/scripts/check-kdir",
                     f"/usr/src/tpmrm-{version}/drivers/char/tpm/tpmrm/tpmrm_main.rs",
                     "/etc/kernel/header_postinst.d/tpmrm-dkms", "/etc/kernel/postrm.d/tpmrm-dkms"):
            assert path in paths, f"{path} is not in the package"
        rules = [path for path in paths if "/udev/" in path]
        assert not rules, f"the node's permissions are others' business: {rules}"
