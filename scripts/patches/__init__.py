# SPDX-License-Identifier: GPL-2.0
"""The tree as two patches for a kernel tree.

The readers (rust, c, kbuild, rest) give a file as it is without an option, and
fail on whatever they do not know.
"""
