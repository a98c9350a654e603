# SPDX-License-Identifier: GPL-2.0
"""What the system tests are made of: a small TSS, a chip in the tests' hand, and a runner."""
