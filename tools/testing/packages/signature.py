# SPDX-License-Identifier: GPL-2.0
"""Whether a module is signed by the key of the machine's owner, as DKMS has it."""

import lzma
import os
import struct

MAGIC = b"~Module signature appended~\n"
# struct module_signature: the last field is the length of the signature before it.
TRAILER = struct.Struct(">BBBBB3xI")
KEY = "/var/lib/dkms/mok.pub"


def check(machine, release):
    """Verifies the signature by the certificate, with a machine's own openssl."""
    folder = machine.inside(f"/lib/modules/{release}/updates/dkms")
    name = next(name for name in os.listdir(folder) if name.startswith("tpmrm.ko"))
    with (lzma.open if name.endswith(".xz") else open)(os.path.join(folder, name), "rb") as file:
        data = file.read()
    assert data.endswith(MAGIC), f"{name} is not signed"
    rest = data[:-len(MAGIC)]
    length = TRAILER.unpack(rest[-TRAILER.size:])[-1]
    rest = rest[:-TRAILER.size]
    for path, part in (("/tmp/module", rest[:-length]), ("/tmp/signature", rest[-length:])):
        with open(machine.inside(path), "wb") as file:
            file.write(part)
    status, said = machine.sh(f"openssl x509 -inform DER -in {KEY} -out /tmp/certificate && "
                              "openssl cms -verify -binary "
                              "-inform DER -in /tmp/signature -content /tmp/module -certfile /tmp/certificate "
                              "-CAfile /tmp/certificate -purpose any -nointern -out /dev/null")
    assert status == 0, said[-500:]
