# SPDX-License-Identifier: GPL-2.0
"""What users do, and what becomes of it on the C driver."""

import dataclasses

# Whether a step is always taken, or only when there is time. clevis runs dozens of processes for each command.
QUICK, SLOW = "quick", "slow"

OBJECT_MEMORY = "0x902"
SESSION_HANDLES = "0x905"
NOT_LOADED = "0x918"
NO_SUCH_HANDLE = "0x1cb"


@dataclasses.dataclass(frozen=True)
class Step:
    """One step of a case; control is the TPM's code for which it fails on the C driver, if it does."""

    case: str
    name: str
    title: str
    control: str = ""
    pace: str = QUICK


STEPS = [
    Step("tpm2-tools", "g10_tools_sign", "tpm2-tools: make a key, sign, verify", pace=SLOW),
    Step("tpm2-tools", "g10_tools_seal", "tpm2-tools: seal to a PCR, unseal by a policy session in a file"),
    Step("tpm2-tools", "g4_tools_flushed", "tpm2-tools: unseal, and another user flushes all that he can list meanwhile",
         NO_SUCH_HANDLE),
    Step("tpm2-tools", "g1_tools_leaked", "tpm2-tools: unseal after another user has left 64 sessions in files",
         SESSION_HANDLES),
    Step("nginx", "g10_nginx_keys", "openssl (tpm2-openssl): make four keys with certificates"),
    Step("nginx", "g10_nginx_one_site", "nginx (tpm2-openssl): one site", pace=SLOW),
    Step("nginx", "g1_nginx_four_sites", "nginx (tpm2-openssl): four sites, each with its key", OBJECT_MEMORY, SLOW),
    Step("nginx", "g1_nginx_two_servers", "nginx (tpm2-openssl): two servers of four sites, visited at once",
         OBJECT_MEMORY),
    Step("tpm2-pkcs11", "g10_pkcs11_token", "pkcs11-tool (tpm2-pkcs11): make a token with four keys"),
    Step("tpm2-pkcs11", "g10_pkcs11_login", "ssh-agent (tpm2-pkcs11): log in, sign", pace=SLOW),
    Step("tpm2-pkcs11", "g10_pkcs11_two_logins", "ssh-agent (tpm2-pkcs11): two are logged in, and sign in turn"),
    Step("tpm2-pkcs11", "g1_pkcs11_four_keys", "ssh-agent (tpm2-pkcs11): one signs with four keys", OBJECT_MEMORY),
    Step("tpm2-pkcs11", "g4_pkcs11_flushed",
         "ssh-agent (tpm2-pkcs11): sign after another user has flushed all that he can list", NOT_LOADED, SLOW),
    Step("tpm2-pkcs11", "g1_pkcs11_taken",
         "ssh-agent (tpm2-pkcs11): log in and sign while another user holds all sessions", SESSION_HANDLES, SLOW),
    Step("systemd", "g10_creds", "systemd-creds: encrypt, decrypt"),
    Step("systemd", "g10_creds_beside", "systemd-creds: decrypt beside a program with 3 objects and 3 sessions",
         pace=SLOW),
    Step("systemd", "g1_creds_taken", "systemd-creds: decrypt while another user holds all sessions",
         SESSION_HANDLES),
    Step("systemd", "g10_cryptenroll", "systemd-cryptenroll: enroll, and unlock the volume"),
    Step("systemd", "g10_cryptenroll_beside",
         "systemd-cryptsetup: unlock beside a program with 3 objects and 3 sessions", pace=SLOW),
    Step("systemd", "g1_cryptenroll_taken", "systemd-cryptsetup: unlock while another user holds all sessions",
         SESSION_HANDLES),
    Step("clevis", "g10_clevis", "clevis: encrypt, decrypt", pace=SLOW),
    Step("clevis", "g10_clevis_beside", "clevis: decrypt beside a program with 3 objects and 3 sessions", pace=SLOW),
    Step("clevis", "g1_clevis_taken", "clevis: decrypt while another user holds all sessions", SESSION_HANDLES,
         SLOW),
    Step("clevis", "g10_clevis_luks", "clevis: bind a volume, unlock it", pace=SLOW),
    Step("clevis", "g1_clevis_luks_taken", "clevis: unlock a volume while another user holds all sessions",
         SESSION_HANDLES, SLOW),
]
