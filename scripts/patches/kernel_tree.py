# SPDX-License-Identifier: GPL-2.0
"""What is in a kernel tree already, and has to know of the driver."""

import os

INDEX = "Documentation/security/tpm/index.rst"
IOCTLS = "Documentation/userspace-api/ioctl/ioctl-number.rst"
KCONFIG = "drivers/char/tpm/Kconfig"
MAINTAINERS = "MAINTAINERS"
MAKEFILE = "drivers/char/tpm/Makefile"
NAMES = (INDEX, IOCTLS, KCONFIG, MAINTAINERS, MAKEFILE)

ENTRY = """
TPM RESOURCE MANAGER IN RUST
M:	{who}
L:	linux-integrity@vger.kernel.org
L:	rust-for-linux@vger.kernel.org
S:	Maintained
F:	Documentation/security/tpm/tpmrm*
F:	drivers/char/tpm/tpmrm/
"""


class Changed(Exception):
    """The kernel tree is not as it was when this was written."""


class Files(dict):
    """The kernel's files by their names, as they become."""

    @classmethod
    def of(cls, tree):
        files = cls()
        for name in NAMES:
            with open(os.path.join(tree, name)) as file:
                files[name] = file.read()
        return files

    def add(self, name, new, after=None, before=None):
        """Adds lines next to the only one that is as said."""
        rows = self[name].splitlines()
        line = before if after is None else after
        if rows.count(line) != 1:
            raise Changed(f"{name}: {rows.count(line)} lines are {line.strip()!r}, where one was expected")
        at = rows.index(line) + (0 if after is None else 1)
        self[name] = "\n".join(rows[:at] + new.splitlines() + rows[at:]) + "\n"


def first(files, who):
    """The files when the first patch is applied."""
    files = Files(files)
    files.add(INDEX, "   tpmrm", after="   tpm_vtpm_proxy")
    files.add(KCONFIG, 'source "drivers/char/tpm/tpmrm/Kconfig"', before="endif # TCG_TPM")
    files.add(MAKEFILE, "obj-$(CONFIG_TCG_TPM_RM) += tpmrm/", after="obj-$(CONFIG_TCG_LOONGSON) += tpm_loongson.o")
    # After the entry that it follows in the alphabet.
    rows = files[MAINTAINERS].splitlines()
    if "TPM DEVICE DRIVER" not in rows:
        raise Changed(f"{MAINTAINERS} has no entry of the TPM's driver")
    at = rows.index("", rows.index("TPM DEVICE DRIVER"))
    rows[at:at] = ENTRY.format(who=who).splitlines()
    files[MAINTAINERS] = "\n".join(rows) + "\n"
    return files


def second(files):
    """The files when the second patch is applied too."""
    files = Files(files)
    files.add(INDEX, "   tpmrm-applications\n   tpmrm-exhaustion", after="   tpmrm")
    files.add(IOCTLS, "0xBB  00-03  uapi/linux/tpmrm.h", before="0xC0  00-0F  linux/usb/iowarrior.h")
    files.add(MAINTAINERS, "F:	include/uapi/linux/tpmrm.h", after="F:	drivers/char/tpm/tpmrm/")
    return files
