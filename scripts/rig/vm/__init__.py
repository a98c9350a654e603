# SPDX-License-Identifier: GPL-2.0
"""A guest: QEMU, its root by virtiofs, its TPM by swtpm, and what it reports."""
